"""The sheet beside a result: input and output, and each face before, after and in its reference."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from faceops.geometry.alignment import align
from faceops.images.sheet import Panel, draw_sheet
from headsup.restoring.photo_restorer import Restored
from headsup.restoring.references.face_recognition import EmbeddedFaces
from headsup.restoring.references.matching import Match
from portraitdata.images.resampling import bicubic

PICTURE_SIDE, FACE_SIDE = 768, 320
"""Longer side in pixels of pictures, which are reduced to it but not enlarged, and of faces."""

MOST_FACES = 8
"""Faces that are shown, the largest."""


def comparison_sheet(
    restored: Restored, size: tuple[int, int], seen: EmbeddedFaces | None = None, matches: Sequence[Match | None] = ()
) -> Float[Tensor, "3 sheet_h sheet_w"]:
    """Draw a result beside its input.

    Args:
        size: Height and width of the input in pixels.
        seen: Faces of the input; None if they were not looked for.
    """
    picture, enlarged = restored.picture.pixels, restored.enlarged
    rows = [
        [
            Panel(reduced(enlarged, PICTURE_SIDE), f"Input, {size[1]} x {size[0]} pixels, enlarged"),
            Panel(reduced(picture, PICTURE_SIDE), f"Restored, {picture.shape[2]} x {picture.shape[1]} pixels"),
        ]
    ]
    if seen is None or len(seen) == 0:
        return draw_sheet(rows, narrowest=FACE_SIDE)
    shown = seen.faces.rescaled(picture.shape[2] / size[1], picture.shape[1] / size[0]).select(
        torch.arange(min(len(seen), MOST_FACES))
    )
    before, after = (align(image.unsqueeze(0), shown, FACE_SIDE).crops for image in (enlarged, picture))
    for number in range(len(shown)):
        match = matches[number] if matches else None
        row = [Panel(before[number], "Face, input"), Panel(after[number], "Face, restored")]
        if match is not None:
            likeness = "" if match.similarity is None else f", similarity {match.similarity:.2f}"
            words = f"{match.photo.path.name}{likeness}"
            row.append(Panel(reduced(match.photo.face, FACE_SIDE), words))
        rows.append(row)
    return draw_sheet(rows, narrowest=FACE_SIDE)


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
    while 2 * side <= max(image.shape[1:]) and min(image.shape[1:]) > 1:
        image = F.avg_pool2d(
            image, 2
        )  # on a sheet it looks the same, and bicubic of all pixels takes ten times as long
    return bicubic(image, max(1, round(height * factor)), max(1, round(width * factor))).clamp(0, 1)
