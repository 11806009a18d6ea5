"""The packages, installed from their wheels alone, at work in an environment without a network."""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from faceops.images.files import load_picture
from portraitdata.scoring.psnr import psnr
from tests.support.fresh_environment import cut_network, fresh_environment, packages_of, run, show_third_parties
from tests.support.packages import PACKAGES, ROOT


@pytest.fixture(scope="module")
def wheels(distributions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the wheels, which serves pip as an index."""
    folder = tmp_path_factory.mktemp("wheels")
    for wheel in distributions.glob("*.whl"):
        shutil.copy(wheel, folder)
    return folder


def pip_install(folder: Path) -> tuple[str | Path, ...]:
    """Command that installs without any registry into a fresh environment, which has all other packages already."""
    show_third_parties(fresh_environment(folder), folder.parent / "third_parties")
    return sys.executable, "-m", "pip", "--isolated", "--python", folder / "bin" / "python", "install", "--no-index"


def uv_install(folder: Path) -> tuple[str | Path, ...]:
    """Command that installs into a fresh environment, which has nothing."""
    uv = pytest.importorskip("uv", reason="uv, which make setup installs, is not here").find_uv_bin()
    fresh_environment(folder)
    return uv, "pip", "install", "--python", folder / "bin" / "python", "-c", ROOT / "constraints.txt"


@pytest.fixture(scope="module", params=["by name", pytest.param("from nothing", marks=pytest.mark.slow)])
def installed(request: pytest.FixtureRequest, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder of the commands of an environment with hime and headsup, whose network is cut after the installation."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    if request.param == "by name":
        run(*pip_install(folder), "--quiet", "-f", wheels, "hime", "headsup", cwd=wheels)
    else:
        request.getfixturevalue("reachable")
        # The files, as registries know others by these names.
        files = [f"{path}[demo]" if path.name.startswith("headsup") else path for path in wheels.iterdir()]
        run(*uv_install(folder), "--quiet", *files, cwd=wheels)
    cut_network(packages_of(folder))
    yield folder / "bin"
    shutil.rmtree(folder)


def test_names_bring_the_packages_that_they_need(installed: Path, tmp_path: Path) -> None:
    code = (
        "import json; from importlib import import_module; from importlib.metadata import version\n"
        f"found = {{name: import_module(name) for name in {PACKAGES}}}\n"
        "print(json.dumps({name: [it.__file__, it.__version__, version(name)] for name, it in found.items()}))"
    )
    told = json.loads(run(installed / "python", "-c", code, cwd=tmp_path))
    for place, of_module, of_distribution in told.values():
        assert Path(place).is_relative_to(installed.parent)
        assert of_module == of_distribution


@pytest.mark.parametrize("package", PACKAGES)
def test_programs_say_their_version(package: str, installed: Path, wheels: Path, tmp_path: Path) -> None:
    (wheel,) = wheels.glob(f"{package}-*.whl")
    assert run(installed / package, "--version", cwd=tmp_path) == f"{package} {wheel.name.split('-')[1]}\n"


def test_a_photograph_is_restored_with_a_simulated_reference(installed: Path, tmp_path: Path) -> None:
    run(installed / "headsup", "demo", "--output", "demo", cwd=tmp_path)
    truth = load_picture(tmp_path / "demo" / "original.png").pixels[None]
    enlarged, together = (
        psnr(load_picture(tmp_path / "demo" / f"{name}.png").pixels[None], truth).item()
        for name in ("enlarged", "with_reference")
    )
    assert together > enlarged


@pytest.mark.assets
def test_a_photograph_is_restored_with_another_of_the_same_person(
    installed: Path, assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEOPS_CACHE", str(tmp_path / "cache"))
    encoder = assets / "weights/identity/mobilefacenet_foamliu.pt"
    run(installed / "faceops", "weights", "add", encoder, cwd=tmp_path)
    people = assets / "images/portraits/london_ccby4"
    Image.open(people / "002_neutral.jpg").resize((128, 128), Image.Resampling.BICUBIC).save(tmp_path / "old.png")
    command = ("restore", "old.png", "--output", "restored.png", "--report", "report.json", "--reference")
    run(installed / "headsup", *command, people / "002_smiling.jpg", cwd=tmp_path)
    assert load_picture(tmp_path / "restored.png").pixels.shape == (3, 512, 512)
    (picture,) = json.loads((tmp_path / "report.json").read_text())["pictures"]
    (face,) = picture["faces"]
    assert Path(face["reference"]).name == "002_smiling.jpg"
    assert face["output_to_reference"] > 0.8  # a clean picture is as much like it before


def test_a_small_headshot_is_upscaled_with_an_exemplar(installed: Path, tmp_path: Path) -> None:
    Image.effect_noise((32, 32), 20.0).convert("RGB").save(tmp_path / "small.png")
    Image.effect_noise((128, 128), 20.0).convert("RGB").save(tmp_path / "photo.png")
    command = ("upscale", "small.png", "--exemplars", "photo.png", "--output", "large.png")
    run(installed / "hime", *command, cwd=tmp_path)
    assert load_picture(tmp_path / "large.png").pixels.shape == (3, 128, 128)


@pytest.mark.parametrize("package", ["hime", "headsup"])
def test_pip_installs_the_folders_of_the_readme_in_one_command(package: str, tmp_path: Path) -> None:
    readme = (ROOT / "packages" / package / "README.md").read_text()
    folders = re.findall(r"\./packages/\w+", re.search(r"^pip install (.*)$", readme, re.MULTILINE)[1])
    options = ("--no-build-isolation", "--dry-run")
    told = run(*pip_install(tmp_path / "venv"), *options, *folders, cwd=ROOT)
    (would,) = re.findall(r"^Would install (.*)$", told, re.MULTILINE)
    assert {one.rpartition("-")[0] for one in would.split()} == {Path(folder).name for folder in folders}
