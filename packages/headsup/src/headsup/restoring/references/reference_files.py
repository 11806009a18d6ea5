"""Reference files: photographs, and whose they are by the folder that they lie in; without torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from faceops.images.jobs import pictures_below
from faceops.images.picture_files import find_pictures


@dataclass(frozen=True)
class ReferenceFile:
    """A photograph of somebody."""

    path: Path
    given: Path
    """What it came with, itself or a folder: the photographs of one folder show one person where nothing compares."""
    person: str | None = None
    """Name of the person that a folder within the one that was given has; None where the faces tell."""


def reference_files(paths: Sequence[Path]) -> list[ReferenceFile]:
    """Photographs of the references, each once, in the order of the paths and, within folders, of their names.

    Args:
        paths: Photographs; folders of them; folders of folders, of which each is a person and has the person's name.

    Raises:
        ValueError: If a folder holds no picture.
    """
    files: dict[Path, ReferenceFile] = {}
    for path in paths:
        found = files_in(path) if path.is_dir() else [ReferenceFile(path, path)]
        if not found:
            raise ValueError(f"There are no pictures in {path}.")
        for file in found:
            if file.path not in files or file.person is not None:  # a photograph that was given twice keeps its name
                files[file.path] = file
    return list(files.values())


def files_in(folder: Path) -> list[ReferenceFile]:
    """Photographs in a folder, and those of the people that folders in it are named after; hidden ones are left out."""
    loose = [ReferenceFile(file, folder) for file in find_pictures(folder)]
    people = sorted(inner for inner in folder.iterdir() if inner.is_dir() and not inner.name.startswith("."))
    return loose + [ReferenceFile(file, folder, inner.name) for inner in people for file in pictures_below(inner)]
