"""The packages, installed from their folders into fresh environments as a user would, and their commands."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from faceops.images.files import Picture, load_picture, save_picture
from tests.support.fresh_environment import run
from tests.support.packages import ROOT

SHIPPED = ROOT / "packages" / "hime" / "src" / "hime" / "weights" / "small-x4.safetensors"
FOLDERS = ["./packages/faceops", "./packages/portraitdata", "./packages/hime"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["pip", "uv"])
def installed(
    request: pytest.FixtureRequest, reachable: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Folder of the commands of a fresh environment, which takes gigabytes and so does not outlive the tests."""
    folder = tmp_path_factory.mktemp(request.param) / "venv"
    run(sys.executable, "-m", "venv", folder, cwd=ROOT)
    python = folder / "bin" / "python"
    if request.param == "pip":
        run(python, "-m", "pip", "install", "--quiet", "-c", "constraints.txt", *FOLDERS, cwd=ROOT)
    else:
        uv = pytest.importorskip("uv", reason="uv, which make setup installs, is not here").find_uv_bin()
        # By itself uv links to the other packages of a workspace, which would tie the installation to this folder.
        options = ["--quiet", "--no-editable", "--python", python, "-c", "constraints.txt"]
        run(uv, "pip", "install", *options, "./packages/hime", cwd=ROOT)
    yield folder / "bin"
    shutil.rmtree(folder)


def test_the_commands_do_their_work(installed: Path, tmp_path: Path) -> None:
    assert "upscale" in run(installed / "hime", "--help", cwd=tmp_path)
    assert "exemplar-index" in run(installed / "portraitdata", "--help", cwd=tmp_path)
    listed = run(installed / "hime", "weights", cwd=tmp_path)
    if not SHIPPED.is_file():
        assert "837,387" in run(installed / "hime", "profile", "--variant", "small", cwd=tmp_path)
        pytest.skip("no weights are shipped in this checkout, so only the commands without weights were run")
    assert "small-x4 (" in listed
    for name in ("low", "exemplar"):
        save_picture(
            Picture(torch.rand(3, 32 if name == "low" else 128, 32 if name == "low" else 128)), tmp_path / f"{name}.png"
        )
    run(installed / "hime", "upscale", "low.png", "--exemplars", "exemplar.png", "--output", "out.png", cwd=tmp_path)
    assert load_picture(tmp_path / "out.png").pixels.shape == (3, 128, 128)


def test_the_installation_is_its_own(installed: Path, tmp_path: Path) -> None:
    code = "import hime, portraitdata, torch; print(hime.__file__, portraitdata.__file__, torch.__file__, sep='\\n')"
    places = run(installed / "python", "-c", code, cwd=tmp_path).split()
    assert all(Path(place).is_relative_to(installed.parent) for place in places), places
