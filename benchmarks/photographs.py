"""The photographs and weights that are not part of the project."""

import os
from pathlib import Path

from benchmarks.reporting.table import LeftOutError


class NoPhotographsError(LeftOutError):
    """PORTRAIT_ASSETS does not lead to them."""


def photographs() -> Path:
    """Folder that PORTRAIT_ASSETS points to, with images/ and weights/.

    Raises:
        NoPhotographsError: If it is not there.
    """
    folder = Path(os.environ.get("PORTRAIT_ASSETS") or "absent")
    if not folder.is_dir():
        raise NoPhotographsError("needs photographs: set PORTRAIT_ASSETS to the folder with images/ and weights/")
    return folder


def weight_file(name: str) -> Path:
    """A file of weights beside the photographs.

    Args:
        name: Within the folder weights/.

    Raises:
        NoPhotographsError: If it is not there.
    """
    path = photographs() / "weights" / name
    if not path.is_file():
        raise NoPhotographsError(f"needs weights/{name} in the folder that PORTRAIT_ASSETS points to")
    return path
