"""Sheets: labelled pictures side by side on white."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

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
    caption: str = ""
    """Lines are broken at newlines and where the panel ends."""


def draw_sheet(
    rows: Sequence[Sequence[Panel]], title: str = "", narrowest: int = 0, gap: int = GAP
) -> Float[Tensor, "3 sheet_h sheet_w"]:
    """Draw rows of panels; no picture is resized.

    Args:
        rows: Panels of every row; rows may differ in length.
        title: Written above; broken where the sheet ends.
        narrowest: Width in pixels that every panel has at least, so that there is room for its caption. A narrower
            picture is in its middle.
        gap: Space around panels in pixels.

    Raises:
        ValueError: If there is no panel.

    Example:
        >>> draw_sheet([[Panel(torch.zeros(3, 10, 20)), Panel(torch.zeros(3, 8, 8))]], gap=4).shape
        torch.Size([3, 18, 40])
    """
    if not any(rows):
        raise ValueError("A sheet needs at least one panel.")
    pieces = [_row(row, narrowest, gap) for row in rows if row]
    width = max(piece.width for piece in pieces)
    if title:
        pieces.insert(0, _text(title, width, FONT_SIZE * 3 // 2))
    sheet = Image.new("RGB", (width + 2 * gap, gap + sum(piece.height + gap for piece in pieces)), PAPER)
    top = gap
    for piece in pieces:
        sheet.paste(piece, (gap, top))
        top += piece.height + gap
    return torch.from_numpy(np.array(sheet)).permute(2, 0, 1).float() / 255


def _row(panels: Sequence[Panel], narrowest: int, gap: int) -> Image.Image:
    images = [_to_image(panel.image) for panel in panels]
    widths = [max(image.width, narrowest) for image in images]
    captions = [
        _text(panel.caption, width, FONT_SIZE) if panel.caption else None
        for panel, width in zip(panels, widths, strict=True)
    ]
    height = max(image.height for image in images)
    below = max((caption.height + gap // 2 for caption in captions if caption is not None), default=0)
    row = Image.new("RGB", (sum(widths) + gap * (len(panels) - 1), height + below), PAPER)
    left = 0
    for image, caption, width in zip(images, captions, widths, strict=True):
        row.paste(image, (left + (width - image.width) // 2, (height - image.height) // 2))
        if caption is not None:
            row.paste(caption, (left, height + gap // 2))
        left += width + gap
    return row


def _text(text: str, width: int, size: int) -> Image.Image:
    font = ImageFont.load_default(size)
    text = text.encode(errors="replace").decode()  # names of files may hold bytes that are no characters
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
    array = pixels.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0)
    return Image.fromarray(np.ascontiguousarray(array.numpy(force=True)))
