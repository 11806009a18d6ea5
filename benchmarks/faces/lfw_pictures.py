"""Pictures of Labeled Faces in the Wild and the landmarks that their table has."""

import csv
import tarfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from faceops.images.files import decode_picture

POINTS = ("eyeA", "eyeB", "nose", "mouthA", "mouthB")
"""Landmarks as the columns of the table call them, in the order of `Faces`."""


def lfw_pictures(folder: Path, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Images (1, 3, h, w), evenly taken from the table, and their landmarks (5, 2)."""
    with (folder / "lfw_min4_max10.csv").open() as file:
        table = list(csv.DictReader(file))
    with tarfile.open(folder / "lfw_min4_max10.tar") as archive:
        members = {"/".join(Path(member.name).parts[-2:]): member for member in archive}
        for row in table[:: len(table) // count][:count]:
            content = archive.extractfile(members[row["file"]])
            assert content is not None
            known = torch.tensor([[float(row[f"{point}_{axis}"]) for axis in "xy"] for point in POINTS])
            yield decode_picture(content.read(), row["file"]).pixels.unsqueeze(0), known
