"""Files that are pictures, told by their names: nothing is decoded, and torch is not imported."""

from collections.abc import Sequence
from pathlib import Path

from faceops.images.errors import MissingImageError
from faceops.images.regular_files import check_regular

READABLE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".mpo", ".webp", ".tif", ".tiff"),
    *(".bmp", ".gif", ".ppm", ".pgm", ".avif", ".jp2", ".heic", ".heif", ".hif"),
)
"""File names that `find_pictures` takes for pictures, in lower case."""


def is_picture(path: Path) -> bool:
    """Tell whether a path is a visible file with the suffix of an image format; its content is not looked at."""
    return path.suffix.lower() in READABLE_SUFFIXES and not path.name.startswith(".") and path.is_file()


def find_pictures(folder: Path) -> list[Path]:
    """Pictures directly in a folder, in the order of their names.

    Raises:
        MissingImageError: If there is no such folder.
    """
    if not folder.is_dir():
        raise MissingImageError(f"There is no folder {folder}.")
    return sorted(path for path in folder.iterdir() if is_picture(path))


def picture_files(paths: Sequence[Path]) -> list[Path]:
    """Files among the paths, and the pictures in the folders among them.

    Raises:
        ValueError: If a folder holds no picture.
    """
    files: list[Path] = []
    for path in paths:
        found = find_pictures(path) if path.is_dir() else [path]
        if not found:
            raise ValueError(f"There are no pictures in {path}.")
        files += found
    return files


def check_there(file: Path) -> None:
    """Refuse a file or folder that is not there, or is a pipe or device, before anything is loaded.

    Raises:
        MissingImageError: If it is missing, or neither a regular file nor a folder.
    """
    if not file.is_dir():
        check_regular(file)


def check_single(files: Sequence[Path]) -> None:
    """Refuse a single file that is not there, before anything is loaded; of several, the others can still be done.

    Raises:
        MissingImageError: If there is one file, and it is missing or a pipe or device.
    """
    if len(files) == 1:
        check_there(files[0])
