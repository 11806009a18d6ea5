"""Faces on which two detectors agree, as labels for a third."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from faceops.atomic_files import replacing
from faceops.detection.detector import Detector
from faceops.error_sentences import as_sentence_about
from faceops.geometry.boxes import intersection_over_union
from faceops.geometry.faces import LANDMARKS, Faces
from faceops.images.errors import ImageFileError
from faceops.images.files import load_picture
from faceops.progress.verbosity import say_failure

SAME = 0.4
"""Intersection over union from which on two boxes are one face."""

APART = 0.15
"""Mean distance of the landmarks, in distances of the eyes, beyond which two detectors disagree."""

COLUMNS = (
    "file",
    *("left", "top", "right", "bottom"),
    *(f"{name.replace(' ', '_')}_{axis}" for name in LANDMARKS for axis in "xy"),
)
"""Columns of the table: box and landmarks in pixels of the upright picture. Landmarks are empty where the detectors
disagree; a picture without a face has one row of its name alone."""


@dataclass(frozen=True, eq=False)
class LabelledPicture:
    """A photograph and all faces in it."""

    file: Path
    boxes: Float[Tensor, "n 4"]
    landmarks: Float[Tensor, "n 5 2"]
    """Not a number where the detectors disagree."""

    @property
    def sure(self) -> Bool[Tensor, " n"]:
        """Faces on which the detectors agree."""
        return self.landmarks.isfinite().flatten(1).all(dim=1)


def agreed_faces(
    image: Float[Tensor, "3 h w"], teachers: tuple[Detector, Detector]
) -> tuple[Float[Tensor, "n 4"], Float[Tensor, "n 5 2"]]:
    """Boxes by the first detector where it sees the face, and the mean landmarks of both.

    Args:
        image: RGB in [0, 1].

    Returns:
        Boxes of all faces that one of them sees, and landmarks; these are not a number where only one sees the face or
        their landmarks are apart.
    """
    first, second = (teacher(image.unsqueeze(0)) for teacher in teachers)
    alone = torch.full_like(second.landmarks, torch.nan)
    if not len(first) or not len(second):
        both = Faces.concatenate([first, second])
        return both.boxes, torch.full_like(both.landmarks, torch.nan)
    agreement, which = intersection_over_union(first.boxes, second.boxes).max(dim=1)
    unit = first.eye_distance()
    apart = (first.landmarks - second.landmarks[which]).norm(dim=-1).mean(dim=1)
    sure = (agreement > SAME) & (apart < APART * unit)
    landmarks = (first.landmarks + second.landmarks[which]) / 2
    landmarks[~sure] = torch.nan
    missed = intersection_over_union(second.boxes, first.boxes).amax(dim=1) <= SAME
    return torch.cat([first.boxes, second.boxes[missed]]), torch.cat([landmarks, alone[missed]])


def label_pictures(files: Iterable[Path], teachers: tuple[Detector, Detector]) -> Iterator[LabelledPicture]:
    """Labels of photographs; one that cannot be read is named on stderr, and left out."""
    for file in files:
        try:
            pixels = load_picture(file).pixels
        except (ImageFileError, OSError) as error:
            say_failure(f"{as_sentence_about(error, file)} It is left out.")
            continue
        with torch.inference_mode():
            labels = agreed_faces(pixels, teachers)
        yield LabelledPicture(file, *labels)


class Written(NamedTuple):
    """What a table of labels holds."""

    pictures: int
    faces: int
    """On which the detectors agree."""


def write_labels(pictures: Iterable[LabelledPicture], root: Path, table: Path) -> Written:
    """Write a table of labels, whole or not at all; files as they are called below `root`."""
    photographs = faces = 0
    with replacing(table) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for picture in pictures:
            name = picture.file.relative_to(root).as_posix()
            values = torch.cat([picture.boxes, picture.landmarks.flatten(1)], dim=1)
            rows = [["" if value != value else f"{value:.2f}" for value in face] for face in values.tolist()]
            writer.writerows([name, *row] for row in rows or [[]])
            photographs, faces = photographs + 1, faces + int(picture.sure.sum())
    return Written(photographs, faces)


def read_labels(table: Path, root: Path) -> list[LabelledPicture]:
    """Labels of a table that `write_labels` wrote.

    Args:
        root: Folder of the pictures.

    Raises:
        ValueError: If it is no such table.
    """
    try:
        with table.open(newline="", encoding="utf-8") as file:
            header, *rows = list(csv.reader(file)) or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{table} is not a CSV file in UTF-8 ({error}).") from error
    if tuple(header) != COLUMNS:
        raise ValueError(
            f"{table} is no table of face labels: its columns should be {', '.join(COLUMNS)}. Write one with "
            "`portraitdata label-faces`."
        )
    faces: dict[str, list[list[float]]] = {}
    for number, row in enumerate(rows, start=2):
        if len(row) not in (1, len(COLUMNS)):
            raise ValueError(f"Line {number} of {table} has {len(row)} fields, wanted are 1 or {len(COLUMNS)}.")
        name, *fields = row
        found = faces.setdefault(name, [])
        if fields:
            found.append(_numbers(fields, f"Line {number} of {table}"))
    values = {name: torch.tensor(found).reshape(-1, len(COLUMNS) - 1) for name, found in faces.items()}
    return [
        LabelledPicture(root / name, found[:, :4], found[:, 4:].unflatten(1, (5, 2))) for name, found in values.items()
    ]


def _numbers(fields: list[str], what: str) -> list[float]:
    """Numbers of a row; not a number where a field is empty."""
    try:
        return [float(field or "nan") for field in fields]
    except ValueError as error:
        raise ValueError(f"{what} should hold numbers behind the name: {error}.") from error
