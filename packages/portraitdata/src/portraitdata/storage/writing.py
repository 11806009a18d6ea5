"""Writing and removing, the same for files of this machine and objects of stores."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from faceops.atomic_files import replacing
from portraitdata.storage.places import Place


@contextmanager
def writing(place: Place) -> Iterator[IO[bytes]]:
    """An open file that is at its place once it is left without an error: whole, or the old one as it was.

    On this machine its bytes are on the disk then and its name is changed; a store does the like by itself.

    Raises:
        OSError: If it cannot be written.
    """
    if isinstance(place, Path):
        with replacing(place) as temporary, temporary.open("wb") as file:
            yield file
    else:
        with place.writing() as file:
            yield file


def write_text(place: Place, text: str) -> None:
    """Write text in UTF-8, whole or not at all."""
    with writing(place) as file:
        file.write(text.encode())


def make_folder(place: Place) -> None:
    """Make a folder and those it is in; in a store it comes with the first object in it."""
    if isinstance(place, Path):
        place.mkdir(parents=True, exist_ok=True)


def remove_folder(place: Place) -> None:
    """Remove a folder with all that is in it, if it is there; of a link the folder it leads to is emptied and stays.

    Raises:
        OSError: If something in it cannot be removed.
    """
    if not isinstance(place, Path):
        place.remove_folder()
    elif place.is_symlink():
        for inner in place.iterdir() if place.is_dir() else ():
            if inner.is_dir() and not inner.is_symlink():
                shutil.rmtree(inner)
            else:
                inner.unlink()
    elif place.exists():
        shutil.rmtree(place)


def remove_file(place: Place) -> None:
    """Remove a file, if it is there."""
    if isinstance(place, Path):
        place.unlink(missing_ok=True)
    else:
        place.unlink()
