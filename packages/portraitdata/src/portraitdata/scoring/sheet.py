"""A picture of the worst images: restored, target and their difference, one image a row."""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from faceops.images.files import Picture, save_picture
from faceops.images.sheet import Panel, draw_sheet
from portraitdata.scoring.folders import load_pair
from portraitdata.scoring.pairing import FilePair
from portraitdata.scoring.table import ScoreTable

ROWS = 6
SIDE = 320
"""Longer side of an image on the sheet, in pixels."""
AMPLIFIED = 4
"""Factor that makes differences visible."""


def score_sheet(table: ScoreTable, pairs: Sequence[FilePair], rows: int = ROWS) -> Float[Tensor, "3 h w"]:
    """The worst images by the first column: restored | target | four times the absolute difference.

    Args:
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
    captions = {
        name: f"{name}\n{column.name} {column.shown(table.rows[name][0])} ({column.convention})" for name in names
    }
    return draw_sheet([_row(files[name], caption) for name, caption in captions.items()], narrowest=SIDE)


def write_sheet(table: ScoreTable, pairs: Sequence[FilePair], path: Path) -> None:
    """Write `score_sheet` to an image file.

    Raises:
        ValueError: See `score_sheet`; or if the suffix of the file is none of a format that is written.
    """
    save_picture(Picture(score_sheet(table, pairs)), path)


def _row(files: FilePair, caption: str) -> list[Panel]:
    pair = load_pair(files)
    difference = ((pair.restored - pair.target).abs() * AMPLIFIED).clamp(0, 1)
    height, width = pair.target.shape[-2:]
    scale = min(1.0, SIDE / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    images = F.interpolate(torch.cat((pair.restored, pair.target, difference)), size, mode="bilinear", antialias=True)
    captions = caption, "target", f"difference, {AMPLIFIED} times"
    return [Panel(image, words) for image, words in zip(images, captions, strict=True)]
