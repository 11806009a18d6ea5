"""Distributions that several files test, and whether others can be had."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fresh_environment import run
from tests.support.packages import PACKAGES, ROOT


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a wheel and an sdist of every package, built without a network from a copy with its .gitignore."""
    copy, folder = tmp_path_factory.mktemp("workspace"), tmp_path_factory.mktemp("distributions")
    shutil.copy(ROOT / ".gitignore", copy)
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "dist")
        shutil.copytree(ROOT / "packages" / package, copy / "packages" / package, ignore=ignored)
        run(sys.executable, "-m", "hatchling", "build", "--directory", folder, cwd=copy / "packages" / package)
    return folder


@pytest.fixture(scope="session")
def reachable(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where packages cannot be had."""
    folder = tmp_path_factory.mktemp("download")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--retries", "0", "--timeout", "20", "einops"]
    done = subprocess.run([*command, "--no-cache-dir"], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("pip cannot download packages here, and a fresh installation needs them")
