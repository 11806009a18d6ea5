"""Files that are pictures, told by their names: nothing is decoded, and torch is not imported."""

from collections.abc import Sequence
from pathlib import Path, PurePath

from faceops.images.errors import MissingImageError
from faceops.progress.verbosity import say

READABLE_SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo", ".webp", ".tif", ".tiff"),
    *(".bmp", ".dib", ".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".heic", ".heif", ".hif"),
    *(".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
)
"""File names that `find_pictures` takes for pictures, in lower case."""


def is_picture(path: Path) -> bool:
    """Tell whether a path is a visible file with the suffix of an image format; its content is not looked at."""
    return has_picture_name(path.name) and path.is_file()


def has_picture_name(name: str) -> bool:
    """Tell whether a file name is that of a visible picture.

    Example:
        >>> has_picture_name("Ada.JPG"), has_picture_name(".ada.jpg"), has_picture_name("ada.txt")
        (True, False, False)
    """
    return PurePath(name).suffix.lower() in READABLE_SUFFIXES and not name.startswith(".")


def find_pictures(folder: Path) -> list[Path]:
    """Pictures directly in a folder, in the order of their names.

    Raises:
        MissingImageError: If there is no such folder.
    """
    if not folder.is_dir():
        raise MissingImageError(f"There is no folder {folder}.")
    return sorted(path for path in folder.iterdir() if is_picture(path))


def find_all_pictures(folder: Path) -> list[Path]:
    """Pictures in a folder and in all folders in it, in the order of their paths."""
    return sorted(path for path in folder.rglob("*") if is_picture(path))


def lies_in(path: Path, folders: Sequence[Path]) -> bool:
    """Tell whether a path is one of some folders or lies in one; the folders are resolved already."""
    place = path.resolve()
    return any(folder in (place, *place.parents) for folder in folders)


def results_below(folder: Path, results: Sequence[Path | None]) -> list[Path]:
    """Folders of results that lie in a folder that is read, resolved; None stands for none.

    Example:
        >>> [path.name for path in results_below(Path("album"), (Path("album/restored"), Path("elsewhere"), None))]
        ['restored']
    """
    places = [path.resolve() for path in results if path is not None]
    return [place for place in places if folder.resolve() in place.parents]


def left_out(folder: Path, recursive: bool = False, results: Sequence[Path | None] = ()) -> str | None:
    """A sentence on what of a folder is not read, but for hidden files; None if there is nothing to say.

    Args:
        folder: A folder.
        recursive: Whether it is read with all folders in it.
        results: Folders of results, which nobody misses; None for none.
    """
    inner = folder.rglob("*") if recursive else folder.iterdir()
    seen = [path for path in inner if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    apart = results_below(folder, results)
    if apart:
        seen = [path for path in seen if not lies_in(path, apart)]
    folders = [] if recursive else [path for path in seen if path.is_dir()]
    others = sorted(path for path in seen if not path.is_dir() and not is_picture(path))
    parts = []
    if folders:
        parts.append("1 folder in it" if len(folders) == 1 else f"{len(folders)} folders in it")
    if others:
        many = "1 file that by its name is" if len(others) == 1 else f"{len(others)} files that by their names are"
        parts.append(f"{many} no picture, {'' if len(others) == 1 else 'such as '}{others[0].name}")
    return f"{folder}: left out are {' and '.join(parts)}." if parts else None


def tell_left_out(paths: Sequence[Path], recursive: bool = False, results: Sequence[Path | None] = ()) -> None:
    """Say on stderr what of each folder among the paths is not read, see `left_out`."""
    for path in paths:
        sentence = left_out(path, recursive, results) if path.is_dir() else None
        if sentence is not None:
            say(sentence)


def picture_files(paths: Sequence[Path]) -> list[Path]:
    """Files among the paths, and the pictures in the folders among them; ValueError if a folder holds no picture."""
    files: list[Path] = []
    for path in paths:
        found = find_pictures(path) if path.is_dir() else [path]
        if not found:
            raise ValueError(f"There are no pictures in {path}.")
        files += found
    return files
