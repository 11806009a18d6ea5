"""Paths that are one file, though they are written differently: by links, or where upper and lower case are one."""

import tempfile
from collections.abc import Iterable
from pathlib import Path


def file_key(path: Path) -> tuple[int, int] | Path:
    """Key that all paths of one file have: its place on the disk, or the resolved path of what is not there.

    Example:
        >>> file_key(Path("absent") / ".." / "nothing.png") == file_key(Path("nothing.png"))
        True
    """
    try:
        found = path.stat()
    except OSError:
        return path.resolve()
    return (found.st_dev, found.st_ino) if found.st_ino else path.resolve()  # some file systems do not number files


def check_case(targets: Iterable[Path]) -> None:
    """Refuse files to write that differ in upper and lower case only, into a folder that takes them for one.

    Raises:
        ValueError: If one would replace another.
    """
    first: dict[str, Path] = {}
    for target in targets:
        other = first.setdefault(str(target).casefold(), target)
        if str(other) != str(target) and ignores_case(target.parent):
            raise ValueError(
                f"{other} and {target} would be one file, since upper and lower case are the same there; write one of "
                "them to another folder, or under another name."
            )


def ignores_case(folder: Path) -> bool:
    """Tell whether names that differ in upper and lower case only are one file in a folder.

    Judged by a temporary file, in the nearest folder above if it is not there yet; False if nothing can be written.
    """
    there = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with tempfile.NamedTemporaryFile(prefix="case", dir=there) as file:
            probe = Path(file.name)
            return probe.with_name(probe.name.swapcase()).exists()
    except OSError:
        return False
