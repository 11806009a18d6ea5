"""Photographs to train on and those held out, from folders with tables of their faces."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from portraitdata.face_finding.labels import LabelledPicture, read_labels
from portraitdata.loading.photograph_lists import read_held_out


@dataclass(frozen=True)
class LabelledFolder:
    """Photographs and the table of their faces.

    Args:
        folder: Folder of the photographs.
        table: Table that ``portraitdata label-faces`` wrote.
    """

    folder: Path
    table: Path


def divided(
    sources: Sequence[LabelledFolder], held_out: Path | None
) -> tuple[list[LabelledPicture], list[LabelledPicture]]:
    """Photographs to train on and those held out.

    Args:
        held_out: File that lists the photographs held out, as the tables call them, one a line; None for none.

    Raises:
        ValueError: If there is nothing to train on, or what is held out is in no table.
    """
    names = set() if held_out is None else set(read_held_out(held_out))
    seen: list[LabelledPicture] = []
    unseen: list[LabelledPicture] = []
    for source in sources:
        for label in read_labels(source.table, source.folder):
            name = label.file.relative_to(source.folder).as_posix()
            (unseen if name in names else seen).append(label)
    if not any(label.sure.any() for label in seen):
        raise ValueError("There is no photograph with a face to train on; label more, or hold out fewer.")
    if names and not any(label.sure.any() for label in unseen):
        raise ValueError(f"None of the photographs that {held_out} lists is in a table with a face.")
    return seen, unseen
