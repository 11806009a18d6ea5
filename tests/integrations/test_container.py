"""The container files: what they copy, install and start is there; a docker daemon builds one where it runs."""

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from faceops.images.files import Picture, load_picture, save_picture
from faceops.weights import cache
from headsup.command_options import ServeOptions

ROOT = Path(__file__).parents[2]
CONTAINER, SPACE = ROOT / "integrations/container", ROOT / "integrations/space"
FILES = {"container": (CONTAINER / "Dockerfile", [ROOT]), "space": (SPACE / "Dockerfile", [ROOT, SPACE])}
"""Files, and the folders from which their context is put together."""


def instructions(name: str) -> list[tuple[str, str]]:
    """Words and arguments of a file, continued lines joined."""
    text = re.sub(r"\\\n\s*", "", FILES[name][0].read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def arguments(name: str, word: str) -> list[str]:
    return [argument for found, argument in instructions(name) if found == word]


def install_command(name: str) -> list[str]:
    """Words of the step that installs the packages."""
    (command,) = (command for command in arguments(name, "RUN") if command.startswith("uv pip install"))
    return shlex.split(command)


@pytest.mark.parametrize("name", FILES)
def test_what_is_copied_is_there(name: str) -> None:
    folders = FILES[name][1]
    for argument in arguments(name, "COPY"):
        for source in argument.split()[:-1]:
            assert any((folder / source).exists() for folder in folders), source


def test_what_is_copied_is_not_ignored() -> None:
    lines = [line for line in (CONTAINER / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] not in "#"]
    assert lines[0] == "*"
    let_through = {line[1:] for line in lines if line.startswith("!")}
    assert let_through == {source for argument in arguments("container", "COPY") for source in argument.split()[:-1]}
    assert any(fnmatch.fnmatch("packages/headsup/src/headsup/__pycache__", line) for line in lines[1:])


@pytest.mark.parametrize("name", FILES)
def test_packages_and_extras_are_declared(name: str) -> None:
    wanted = [word for word in install_command(name) if word.startswith("./packages/")]
    assert {"headsup", "hime"} <= {re.split(r"[/\[]", word)[2] for word in wanted}
    for word in wanted:
        package, _, extra = word.removeprefix("./packages/").removesuffix("]").partition("[")
        project = tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text())["project"]
        assert not extra or extra in project["optional-dependencies"]


@pytest.mark.parametrize("name", FILES)
def test_what_is_copied_is_enough_to_install_the_packages(name: str, tmp_path: Path) -> None:
    """Each needs the others, and uv has to find them."""
    for argument in arguments(name, "COPY"):
        *sources, target = argument.split()
        for source in sources:
            found = next(folder / source for folder in FILES[name][1] if (folder / source).exists())
            if found.is_dir():
                for package in sorted(found.iterdir()):
                    (tmp_path / target / package.name).mkdir(parents=True)
                    shutil.copy(package / "pyproject.toml", tmp_path / target / package.name)
            else:
                shutil.copy(found, tmp_path)
    packages = [word for word in install_command(name) if word.startswith("./packages/")]
    words = ["-m", "uv", "pip", "install", "--dry-run", "--no-deps", "--offline", "--target", "none", *packages]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", FILES)
def test_the_shell_takes_every_step(name: str) -> None:
    for command in arguments(name, "RUN"):
        done = subprocess.run(["sh", "-n", "-c", command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_compiled_again_at_every_start(name: str) -> None:
    """Who runs it is not root, and cannot keep what is compiled."""
    assert "--compile-bytecode" in install_command(name)


@pytest.mark.parametrize("name", FILES)
def test_nobody_is_root_when_it_starts(name: str) -> None:
    words = [word for word, _ in instructions(name)]
    (user,) = arguments(name, "USER")
    assert any(f"useradd --create-home --uid 1000 {user}" in command for command in arguments(name, "RUN"))
    assert words.index("USER") < words.index("CMD")


def test_the_page_is_served_where_the_readme_says() -> None:
    (command,), (port,) = arguments("container", "CMD"), arguments("container", "EXPOSE")
    program, name, *options = json.loads(command)
    assert (program, name) == ("headsup", "serve")
    known = {field.name.replace("_", "-") for field in fields(ServeOptions)}
    assert {option[2:] for option in options[::2]} <= known
    assert int(port) == ServeOptions().port
    assert f"127.0.0.1:{port}:{port}" in (CONTAINER / "README.md").read_text()


def test_downloads_go_into_the_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = dict(word.split("=") for word in arguments("container", "ENV")[0].split())
    assert arguments("container", "VOLUME") == ["/cache"]
    monkeypatch.setenv("FACEOPS_CACHE", settings["FACEOPS_CACHE"])
    assert cache.cached_path(cache.find_entry("yunet")).parent == Path("/cache")


def test_the_documents_install_for_cpus_as_the_containers_do() -> None:
    assert "--torch-backend cpu" in (ROOT / "README.md").read_text()
    assert arguments("container", "ARG") == ["TORCH_BACKEND=cpu"]
    for name, backend in (("container", "$TORCH_BACKEND"), ("space", "cpu")):
        words = install_command(name)
        assert words[words.index("--torch-backend") + 1] == backend


@pytest.mark.slow
def test_the_image_restores(tmp_path: Path) -> None:
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    ):
        pytest.skip("needs a docker daemon that runs")
    build = ["docker", "build", "-f", str(CONTAINER / "Dockerfile"), "-t", "portraits-test", str(ROOT)]
    subprocess.run(build, check=True, timeout=3000)
    save_picture(Picture(load_picture(ROOT / "docs/images/restored.png").pixels[:, :32, :32]), tmp_path / "a.png")
    tmp_path.chmod(0o777)
    command = ["headsup", "restore", "a.png", "--output", "b.png"]
    subprocess.run(["docker", "run", "--rm", "-v", f"{tmp_path}:/photos", "portraits-test", *command], check=True)
    assert load_picture(tmp_path / "b.png").pixels.shape == (3, 128, 128)
