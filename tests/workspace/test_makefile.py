"""The Makefile, and the continuous integration that calls it."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def make(*arguments: str) -> str:
    """Output of make; what it would run, with -n."""
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    done = subprocess.run(
        ["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def ci(folder: Path, status: int) -> tuple[int, list[str]]:
    """Exit status of the continuous integration, and what it calls make for, if make ends with a status."""
    (folder / "make").write_text(f'#!/bin/sh\necho "$PWD $*" >> "{folder}/log"\nexit {status}\n')
    (folder / "make").chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([ROOT / ".ci" / "run"], cwd=folder, env=environment, check=False, timeout=60)
    return done.returncode, (folder / "log").read_text().splitlines()


def test_help_lists_every_target() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
    listed = dict(re.fullmatch(r"  (\S+) +(\S.*)", line).groups() for line in make("help").splitlines())
    assert list(listed) == phony
    assert make() == make("help")


@pytest.mark.parametrize("target", ["setup", "demo", "test", "test-all", "lint", "format", "benchmark", "clean"])
def test_every_target_can_be_made(target: str) -> None:
    assert make("-n", target)


def test_only_yes_resumes() -> None:
    assert "--resume" in make("-n", "benchmark", "RESUME=yes")
    assert "--resume" not in make("-n", "benchmark", "RESUME=no")
    assert "--resume" not in make("-n", "benchmark")


def test_setup_installs_every_package() -> None:
    git = ["git", "ls-files", "packages/*/pyproject.toml"]
    known = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    commands = make("-n", "setup", "VENV=absent")
    for package in (Path(path).parent.name for path in known):
        assert re.search(rf"-e '?packages/{package}\b", commands), f"make setup does not install {package}"


def test_the_environment_may_lie_elsewhere() -> None:
    commands = make("-n", "setup", "VENV=else/where", "PYTHON=python3.99")
    assert "python3.99 -m venv else/where" in commands
    assert "--python else/where/bin/python" in commands
    assert ".venv" not in commands


def test_continuous_integration_lints_and_tests(tmp_path: Path) -> None:
    assert ci(tmp_path, 0) == (0, [f"{ROOT} lint", f"{ROOT} test"])


def test_continuous_integration_stops_at_the_first_failure(tmp_path: Path) -> None:
    assert ci(tmp_path, 3) == (3, [f"{ROOT} lint"])
