"""The wheels of the packages: what they hold, what they say of themselves, and that they need what they import."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = {".py", ".typed", ".safetensors", ".md", ".json", ".html", ".css", ".js"}
DISTRIBUTIONS = {"cv2": "opencv-python", "PIL": "pillow", "skimage": "scikit-image", "yaml": "pyyaml"}
"""Distributions that are called otherwise than the modules they bring."""


def packages() -> list[str]:
    """Names of the packages that git knows; all, where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "packages/*/pyproject.toml"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    found = listed or [str(path) for path in ROOT.glob("packages/*/pyproject.toml")]
    return sorted(Path(path).parent.name for path in found)


PACKAGES = packages()


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
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ZipFile]:
    """A wheel of every package for a registry, built without the network from a copy, with the same files ignored."""
    folder = tmp_path_factory.mktemp("workspace")
    shutil.copy(ROOT / ".gitignore", folder)
    built = {}
    for package in PACKAGES:
        copy = folder / "packages" / package
        shutil.copytree(ROOT / "packages" / package, copy, ignore=shutil.ignore_patterns("__pycache__", "dist"))
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
        environment = {**os.environ, "PORTRAIT_SOURCES": ""}
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        (wheel,) = folder.glob(f"{package}-*.whl")
        built[package] = ZipFile(wheel)
    return built


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


def test_hime_carries_its_weights_with_their_cards(wheels: dict[str, ZipFile]) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "packages/hime/src/hime/weights"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    shipped = sorted(Path(path).name for path in tracked)
    if not any(name.endswith(".safetensors") for name in shipped):
        pytest.skip("no weights are shipped in this checkout")
    held = {name.removeprefix("hime/weights/") for name in wheels["hime"].namelist()}
    assert held >= set(shipped)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_holds_the_licence_and_the_readme(package: str, wheels: dict[str, ZipFile]) -> None:
    folder = ROOT / "packages" / package
    assert metadata(wheels[package], "licenses/LICENSE") == (folder / "LICENSE").read_bytes()
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    said = headers(wheels[package])
    assert said["License-Expression"] == "Apache-2.0"
    assert said["Description-Content-Type"] == "text/markdown"
    # Not get_payload(): a description is UTF-8, which the parser of e-mail does not assume.
    _, _, description = metadata(wheels[package]).decode().partition("\n\n")
    assert description.strip() == (folder / "README.md").read_text().strip()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_says_what_it_needs(package: str, wheels: dict[str, ZipFile]) -> None:
    said = headers(wheels[package])
    needed = said.get_all("Requires-Dist")
    assert said["Name"] == package
    assert said["Requires-Python"] == ">=3.11"
    assert "torch>=2.6" in needed
    assert not [requirement for requirement in needed if "@" in requirement or "file:" in requirement]
    script = metadata(wheels[package], "entry_points.txt").decode()
    assert f"[console_scripts]\n{package} = {package}.cli:main" in script


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_finds_the_folders_beside_it(package: str) -> None:
    """What pip reads of a folder: packages of this workspace come from their folders, not from a registry."""
    code = (
        "import os; from hatchling.metadata.core import ProjectMetadata\n"
        "print(*ProjectMetadata(os.getcwd(), None).core.dependencies, sep='\\n')"
    )
    folder = ROOT / "packages" / package
    asked = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True).stdout
    for requirement in asked.splitlines():
        name, _, place = requirement.partition(" @ ")
        assert (name_of(name) in PACKAGES) == bool(place), requirement
        assert not place or Path(place.removeprefix("file://")).samefile(ROOT / "packages" / name_of(name))


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
