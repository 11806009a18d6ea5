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
