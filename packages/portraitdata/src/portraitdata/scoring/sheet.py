"""A picture of the worst images: restored, target and their difference, one image a row."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from faceops.images.files import Picture, save_picture
from portraitdata.scoring.folders import load_pair
from portraitdata.scoring.pairing import FilePair
from portraitdata.scoring.table import ScoreTable

ROWS = 6
SIDE = 320
"""Longer side of an image on the sheet, in pixels."""
STRIP = 22
"""Height of the line of text above a row, in pixels."""
GAP = 4
AMPLIFIED = 4
"""How much a difference is enlarged, to be seen."""


def score_sheet(table: ScoreTable, pairs: Sequence[FilePair], rows: int = ROWS) -> Float[Tensor, "3 h w"]:
    """The worst images by the first column: restored | target | four times the absolute difference.

    Args:
        table: Scores.
        pairs: Files of the images, by the names that the table has.
        rows: How many images to show at most.

    Raises:
        ValueError: If no image has a number in the first column.
    """
    if not table.columns:
        raise ValueError("A score sheet needs a metric of single images, got none.")
    column = table.columns[0]
    names = table.worst(column.name, rows)
    if not names:
        raise ValueError(f"No image has a number for {column.name}; there is nothing to show.")
    files = {pair.name: pair for pair in pairs}
    images = [_row(files[name]) for name in names]
    width = max(row.shape[2] for row in images)
    shown = []
    for name, row in zip(names, images, strict=True):
        text = f"{name}   {column.name} {column.shown(table.rows[name][0])} ({column.convention})"
        shown += [_strip(text, width), F.pad(row, (0, width - row.shape[2]), value=1.0)]
    return torch.cat(shown, dim=1)


def write_sheet(table: ScoreTable, pairs: Sequence[FilePair], path: Path) -> None:
    """Write `score_sheet` to an image file.

    Raises:
        ValueError: See `score_sheet`; or if the suffix of the file is none of a format that is written.
        OSError: If the file cannot be written.
    """
    save_picture(Picture(score_sheet(table, pairs)), path)


def _row(files: FilePair) -> Float[Tensor, "3 h w"]:
    pair = load_pair(files)
    difference = ((pair.restored - pair.target).abs() * AMPLIFIED).clamp(0, 1)
    height, width = pair.target.shape[-2:]
    scale = min(1.0, SIDE / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    images = F.interpolate(torch.cat((pair.restored, pair.target, difference)), size, mode="bilinear", antialias=True)
    return torch.cat(list(F.pad(images, (0, GAP, 0, GAP), value=1.0)), dim=2)


def _strip(text: str, width: int) -> Float[Tensor, "3 h w"]:
    """A line of text, dark on white; OpenCV knows ASCII only."""
    canvas = np.full((STRIP, width), 255, dtype=np.uint8)
    shown = text.encode("ascii", "replace").decode()
    cv2.putText(canvas, shown, (4, STRIP - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 40, 1, cv2.LINE_AA)
    return torch.from_numpy(canvas).float().div(255).expand(3, -1, -1)
