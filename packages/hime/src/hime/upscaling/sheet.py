"""Contact sheets: labelled pictures side by side, readable however small the pictures are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from faceops.images.files import Picture, save_picture
from portraitdata.images.resampling import bicubic

SMALLEST_PANEL, LARGEST_PANEL = 256, 768
"""Longer side of a panel in pixels."""

GAP = 16
"""Space around panels and text in pixels."""

FONT_SIZE = 17
"""Size of captions in pixels; the title is half as large again."""

INK, PAPER = (32, 32, 32), (255, 255, 255)


@dataclass(frozen=True)
class Panel:
    """A picture and what is written below it."""

    image: Float[Tensor, "3 h w"]
    """RGB in [0, 1]."""
    caption: str
    """Lines are broken at newlines and where the panel ends."""


def draw_sheet(rows: Sequence[Sequence[Panel]], title: str = "") -> Float[Tensor, "3 sheet_h sheet_w"]:
    """Draw rows of panels.

    All panels are as large as the largest picture, but 256 pixels at least and 768 at most. Smaller ones are enlarged
    by repeating pixels, so that what is seen is what is there; larger ones are reduced by bicubic.

    Args:
        rows: Panels of every row; rows may differ in length.
        title: Written above; broken where the sheet ends.

    Raises:
        ValueError: If there is no panel.
    """
    if not any(rows):
        raise ValueError("A sheet needs at least one panel.")
    largest = max(max(panel.image.shape[-2:]) for row in rows for panel in row)
    side = min(max(largest, SMALLEST_PANEL), LARGEST_PANEL)
    width = GAP + max(len(row) for row in rows) * (side + GAP)
    pieces = [_text(title, width - 2 * GAP, FONT_SIZE * 3 // 2)] if title else []
    pieces += [_row(row, side) for row in rows]
    sheet = Image.new("RGB", (width, GAP + sum(piece.height + GAP for piece in pieces)), PAPER)
    top = GAP
    for piece in pieces:
        sheet.paste(piece, (GAP, top))
        top += piece.height + GAP
    return rearrange(torch.from_numpy(np.array(sheet)).float() / 255, "h w c -> c h w")


def save_sheet(sheet: Float[Tensor, "3 h w"], path: Path) -> None:
    """Write a sheet or another plain RGB picture of 8 bits.

    Raises:
        ValueError: If the suffix is not one of a picture.
        OSError: If the file cannot be written.
    """
    save_picture(Picture(sheet), path)


def fit_panel(image: Float[Tensor, "3 h w"], side: int) -> Float[Tensor, "3 _ _"]:
    """Enlarge by repeating pixels, or reduce by bicubic, until the longer side has `side` pixels.

    Example:
        >>> fit_panel(torch.tensor([[0.0, 1.0]]).expand(3, 1, 2), 4)[0].tolist()
        [[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]]
    """
    height, width = image.shape[-2:]
    longer = max(height, width)
    rows, columns = max(1, round(height * side / longer)), max(1, round(width * side / longer))
    if longer > side:
        return bicubic(image, rows, columns).clamp(0, 1)
    return image[:, torch.arange(rows) * height // rows][:, :, torch.arange(columns) * width // columns]


def _row(panels: Sequence[Panel], side: int) -> Image.Image:
    captions = [_text(panel.caption, side, FONT_SIZE) for panel in panels]
    images = [_to_image(fit_panel(panel.image, side)) for panel in panels]
    height = max(image.height for image in images)
    row = Image.new(
        "RGB",
        (len(panels) * (side + GAP) - GAP, height + GAP // 2 + max(caption.height for caption in captions)),
        PAPER,
    )
    for column, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left = column * (side + GAP)
        row.paste(image, (left + (side - image.width) // 2, (height - image.height) // 2))
        row.paste(caption, (left, height + GAP // 2))
    return row


def _text(text: str, width: int, size: int) -> Image.Image:
    font = ImageFont.load_default(size)
    lines = [line for part in text.split("\n") for line in _wrap(part, width, font)]
    step = size * 5 // 4
    image = Image.new("RGB", (width, max(1, step * len(lines))), PAPER)
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((0, number * step), line, INK, font)
    return image


def _wrap(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    """Lines no wider than `width`; a single longer word, such as a file name, is cut in its middle."""
    lines: list[str] = []
    for word in text.split():
        while font.getlength(word) > width and len(word) > 4:
            middle = len(word) // 2
            word = f"{word[: middle - 2]}…{word[middle + 1 :]}"
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _to_image(pixels: Tensor) -> Image.Image:
    array = pixels.clamp(0, 1).mul(255).round().byte()
    return Image.fromarray(rearrange(array, "c h w -> h w c").numpy(force=True))
