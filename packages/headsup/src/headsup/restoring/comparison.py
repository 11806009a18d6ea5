"""The sheet beside a result: input and output, and each face before, after and in its reference."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from faceops.geometry.alignment import align
from headsup.restoring.face_scores import scaled_faces
from headsup.restoring.photo_restorer import Restored
from headsup.restoring.references.face_recognition import SeenFaces
from headsup.restoring.references.matching import Match
from portraitdata.images.resampling import bicubic

PICTURE_SIDE, FACE_SIDE = 768, 320
"""Longer side in pixels of pictures, which are reduced to it but not enlarged, and of faces."""

MOST_FACES = 8
"""Faces that are shown, the largest."""

GAP, FONT_SIZE = 16, 17
"""Space around panels, and size of captions, in pixels."""

INK, PAPER = (32, 32, 32), (255, 255, 255)


@dataclass(frozen=True)
class Panel:
    """A picture and the line below it."""

    image: Float[Tensor, "3 h w"]
    """RGB in [0, 1]."""
    caption: str


def comparison_sheet(
    restored: Restored, size: tuple[int, int], seen: SeenFaces | None = None, matches: Sequence[Match | None] = ()
) -> Float[Tensor, "3 sheet_h sheet_w"]:
    """Draw a result beside its input.

    Args:
        restored: The result.
        size: Height and width of the input in pixels.
        seen: Faces of the input; None if they were not looked for.
        matches: Whose they are; none of them if empty.
    """
    picture, enlarged = restored.picture.pixels, restored.enlarged
    rows = [
        [
            Panel(reduced(enlarged, PICTURE_SIDE), f"Input, {size[1]} x {size[0]} pixels, enlarged"),
            Panel(reduced(picture, PICTURE_SIDE), f"Restored, {picture.shape[2]} x {picture.shape[1]} pixels"),
        ]
    ]
    if seen is None or len(seen) == 0:
        return draw_panels(rows)
    shown = scaled_faces(seen.faces, size, (picture.shape[1], picture.shape[2])).select(
        torch.arange(min(len(seen), MOST_FACES))
    )
    before, after = (align(image.unsqueeze(0), shown, FACE_SIDE).crops for image in (enlarged, picture))
    for number in range(len(shown)):
        match = matches[number] if matches else None
        row = [Panel(before[number], "Face, input"), Panel(after[number], "Face, restored")]
        if match is not None:
            words = f"{match.photo.path.name}, similarity {match.similarity:.2f}"
            row.append(Panel(reduced(match.photo.face, FACE_SIDE), words))
        rows.append(row)
    return draw_panels(rows)


def reduced(image: Float[Tensor, "3 h w"], side: int) -> Float[Tensor, "3 _ _"]:
    """Reduce until the longer side has no more than `side` pixels.

    Example:
        >>> reduced(torch.zeros(3, 100, 50), 20).shape
        torch.Size([3, 20, 10])
    """
    height, width = image.shape[1:]
    factor = min(1.0, side / max(height, width))
    if factor == 1:
        return image
    return bicubic(image, max(1, round(height * factor)), max(1, round(width * factor))).clamp(0, 1)


def draw_panels(rows: Sequence[Sequence[Panel]]) -> Float[Tensor, "3 sheet_h sheet_w"]:
    """Rows of panels on white, each with its caption."""
    font = ImageFont.load_default(FONT_SIZE)
    widths = [[max(panel.image.shape[2], round(font.getlength(panel.caption))) for panel in row] for row in rows]
    heights = [max(panel.image.shape[1] for panel in row) + 2 * FONT_SIZE for row in rows]
    width = GAP + max(sum(each + GAP for each in row) for row in widths)
    sheet = Image.new("RGB", (width, GAP + sum(height + GAP for height in heights)), PAPER)
    draw = ImageDraw.Draw(sheet)
    top = GAP
    for row, columns, height in zip(rows, widths, heights, strict=True):
        left = GAP
        for panel, column in zip(row, columns, strict=True):
            pixels = panel.image.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy(force=True)
            sheet.paste(Image.fromarray(np.ascontiguousarray(pixels)), (left, top))
            draw.text((left, top + panel.image.shape[1] + FONT_SIZE // 3), panel.caption, INK, font)
            left += column + GAP
        top += height + GAP
    return torch.from_numpy(np.array(sheet)).permute(2, 0, 1).float() / 255
