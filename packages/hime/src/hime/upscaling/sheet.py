"""Sheets whose panels are of one size, readable however small the pictures are."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.images.sheet import Panel, draw_sheet
from portraitdata.images.resampling import bicubic

SMALLEST_PANEL, LARGEST_PANEL = 256, 768
"""Longer side of a panel in pixels."""


def draw_fitted(rows: Sequence[Sequence[Panel]], title: str = "") -> Float[Tensor, "3 sheet_h sheet_w"]:
    """Draw rows of panels that are all as large as the largest picture, but 256 pixels at least and 768 at most.

    Smaller ones are enlarged by repeating pixels, so that what is seen is what is there; larger ones are reduced by
    bicubic.

    Args:
        rows: Panels of every row; rows may differ in length.
        title: Written above; broken where the sheet ends.

    Raises:
        ValueError: If there is no panel.
    """
    largest = max((max(panel.image.shape[-2:]) for row in rows for panel in row), default=0)
    side = min(max(largest, SMALLEST_PANEL), LARGEST_PANEL)
    fitted = [[replace(panel, image=fit_panel(panel.image, side)) for panel in row] for row in rows]
    return draw_sheet(fitted, title, narrowest=side)


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
