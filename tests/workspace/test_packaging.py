"""The wheels and sdists of the packages: what they hold, say of themselves and need, which is what they import."""

import ast
import json
import re
import subprocess
import sys
import tarfile
import tomllib
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from faceops.weights.header import read_metadata
from tests.support.fresh_environment import run
from tests.support.packages import PACKAGES, ROOT

SHIPPED = {".py", ".typed", ".safetensors", ".md", ".json", ".html", ".css", ".js"}
DISTRIBUTIONS = {
    "cv2": "opencv-python",
    "PIL": "pillow",
    "faiss": "faiss-cpu",
    "skimage": "scikit-image",
    "yaml": "pyyaml",
}
"""Distributions that are called otherwise than the modules they bring."""

NEIGHBOURS = {
    "faceops": set(),
    "portraitdata": {"faceops"},
    "hime": {"faceops", "portraitdata"},
    "headsup": {"faceops", "portraitdata"},
}
"""Packages of the workspace that a package needs."""


def project(package: str) -> dict:
    return tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text())["project"]


def name_of(requirement: str) -> str:
    return re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower().replace("_", "-")


def sources(package: str) -> dict[str, Path]:
    """Files of a package by their path inside it."""
    folder = ROOT / "packages" / package / "src"
    return {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in SHIPPED and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def wheels(distributions: Path) -> dict[str, ZipFile]:
    """The wheel of every package."""
    return {package: ZipFile(*distributions.glob(f"{package}-*.whl")) for package in PACKAGES}


def metadata(wheel: ZipFile, file: str = "METADATA") -> bytes:
    (name,) = (name for name in wheel.namelist() if name.endswith(f".dist-info/{file}"))
    return wheel.read(name)


def headers(wheel: ZipFile) -> Message:
    return BytesParser().parsebytes(metadata(wheel))


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_holds_the_files_of_its_package_and_no_other(package: str, wheels: dict[str, ZipFile]) -> None:
    held = {name: wheels[package].read(name) for name in wheels[package].namelist() if ".dist-info/" not in name}
    assert held == {name: path.read_bytes() for name, path in sources(package).items()}
    assert f"{package}/__init__.py" in held
    assert f"{package}/cli.py" in held


@pytest.mark.parametrize("package", ["hime", "headsup"])
def test_weights_come_with_their_cards(package: str, wheels: dict[str, ZipFile]) -> None:
    held = [Path(name) for name in wheels[package].namelist() if Path(name).parent == Path(package) / "weights"]
    weights = {path.stem for path in held if path.suffix == ".safetensors"}
    assert weights
    assert {path.stem for path in held if path.suffix == ".md"} == weights


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_holds_the_licences_and_the_readme(package: str, wheels: dict[str, ZipFile]) -> None:
    folder = ROOT / "packages" / package
    said = headers(wheels[package])
    for licence in said.get_all("License-File"):
        assert metadata(wheels[package], f"licenses/{licence}") == (folder / licence).read_bytes()
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert said["Description-Content-Type"] == "text/markdown"
    # Not get_payload(): a description is UTF-8, which the parser of e-mail does not assume.
    _, _, description = metadata(wheels[package]).decode().partition("\n\n")
    assert description.strip() == (folder / "README.md").read_text().strip()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_names_the_licences_of_code_and_weights(package: str, wheels: dict[str, ZipFile]) -> None:
    weights = {name for name in wheels[package].namelist() if name.endswith(".safetensors")}
    said = headers(wheels[package])
    assert said.get_all("License-File") == ["LICENSE", *["LICENSE-WEIGHTS"] * bool(weights)]
    text = metadata(wheels[package], "licenses/LICENSE-WEIGHTS").decode() if weights else ""
    licences = dict(re.findall(r"^(\S+\.safetensors) +(\S+)$", text, re.MULTILINE))
    assert set(licences) == weights
    assert said["License-Expression"] == " AND ".join(sorted({"Apache-2.0", *licences.values()}))
    for name, licence in licences.items():
        card = json.loads(read_metadata(sources(package)[name]).get("card", "{}"))
        # what has no card is a part of other weights, and nobody says that it is free
        assert (licence == "Apache-2.0") == card.get("licence", "").startswith("Apache-2.0"), name


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_says_what_it_needs(package: str, wheels: dict[str, ZipFile]) -> None:
    said = headers(wheels[package])
    needed = [Requirement(text) for text in said.get_all("Requires-Dist")]
    assert said["Name"] == package
    assert said["Requires-Python"] == ">=3.11"
    assert "torch>=2.6" in map(str, needed)
    assert {one.name for one in needed} & set(PACKAGES) == NEIGHBOURS[package]
    assert not [str(one) for one in needed if one.url]
    script = metadata(wheels[package], "entry_points.txt").decode()
    assert f"[console_scripts]\n{package} = {package}.cli:main" in script


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_is_classified_as_what_it_is(package: str, wheels: dict[str, ZipFile]) -> None:
    said = headers(wheels[package])
    oldest = said["Requires-Python"].removeprefix(">=")
    assert {f"Programming Language :: Python :: {oldest}", "Typing :: Typed"} <= set(said.get_all("Classifier"))
    assert f"{package}/py.typed" in wheels[package].namelist()


@pytest.mark.parametrize("package", PACKAGES)
def test_an_sdist_makes_the_same_wheel(
    package: str, distributions: Path, wheels: dict[str, ZipFile], tmp_path: Path
) -> None:
    with tarfile.open(*distributions.glob(f"{package}-*.tar.gz")) as sdist:
        sdist.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    assert (folder / "PKG-INFO").read_bytes() == metadata(wheels[package])
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder / "dist", cwd=folder)
    made = ZipFile(*(folder / "dist").glob("*.whl"))
    assert contents(made) == contents(wheels[package])


def contents(wheel: ZipFile) -> dict[str, bytes]:
    return {name: wheel.read(name) for name in wheel.namelist()}


@pytest.mark.parametrize("package", PACKAGES)
def test_uv_takes_the_packages_of_the_workspace_from_their_folders(package: str) -> None:
    told = tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text())
    sources = told.get("tool", {}).get("uv", {}).get("sources", {})
    assert sources == {name: {"workspace": True} for name in NEIGHBOURS[package]}


def test_documented_installations_name_all_folders_that_pip_needs() -> None:
    documents = (ROOT / "README.md", *ROOT.glob("*/*.md"), *ROOT.glob("*/*/README.md"))
    commands = {document: pip_commands(document) for document in documents}
    assert commands[ROOT / "README.md"]
    for document, told in commands.items():
        installed: set[str] = set()
        for command in told:
            named = set(re.findall(r"\./packages/(\w+)", command))
            installed |= named
            assert set().union(*(NEIGHBOURS[name] for name in named)) <= installed, f"{document}: {command}"


def pip_commands(document: Path) -> list[str]:
    """Lines of a document that install with pip of whatever environment; not those with uv, which needs less."""
    return re.findall(r"^[^\s`]*pip install .*$", document.read_text(), re.MULTILINE)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_it_declares(package: str) -> None:
    said = project(package)
    declared = {
        name_of(requirement)
        for requirements in (said["dependencies"], *said.get("optional-dependencies", {}).values())
        for requirement in requirements
    }
    undeclared = {
        f"{name}: {distribution}"
        for name, path in sources(package).items()
        if path.suffix == ".py"
        for distribution in imported(path)
        if distribution not in declared | {package}
    }
    assert not undeclared


def imported(path: Path) -> set[str]:
    """Distributions, other than Python's own, of which a file imports modules anywhere in it."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module.partition(".")[0])
    return {DISTRIBUTIONS.get(name, name).replace("_", "-") for name in modules - sys.stdlib_module_names}


def test_imports_are_found_wherever_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("import os\ndef f():\n    import cv2.dnn, a_b\n    from PIL import Image\nfrom . import c\n")
    assert imported(path) == {"opencv-python", "a-b", "pillow"}


@pytest.mark.slow
def test_networks_losses_and_inference_work_without_lightning() -> None:
    apart = ("__main__", "datamodule", "resumption", "/training/")
    modules = [
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for package in ("hime", "portraitdata")
        for name in sorted(sources(package))
        if name.endswith(".py") and not any(part in name for part in apart)
    ]
    assert {
        "hime.network",
        "hime.losses.correlation",
        "hime.upscaling.picture_upscaling",
        "portraitdata.exemplars.sets",
    } <= set(modules)
    code = (
        "import sys\nfrom importlib import import_module\n"
        f"for name in {modules!r}:\n"
        "    import_module(name)\n"
        "    known = {'lightning', 'pytorch_lightning'} & set(sys.modules)\n"
        "    assert not known, f'{name} imports {known}'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
