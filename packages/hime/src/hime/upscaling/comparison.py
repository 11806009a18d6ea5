"""The sheet beside a result: input, bicubic, output, and the exemplars with their shares."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.images.files import Picture
from faceops.images.sheet import Panel, draw_sheet
from hime.upscaling.picture_upscaling import Upscaled
from portraitdata.images.resampling import bicubic

EXEMPLARS_PER_ROW = 4


def comparison_sheet(
    picture: Picture, result: Upscaled, names: Sequence[str], title: str = ""
) -> Float[Tensor, "3 sheet_h sheet_w"]:
    """Draw a result beside its input; ValueError if there are not as many names as exemplars."""
    if len(names) != len(result.exemplars):
        raise ValueError(f"{len(result.exemplars)} exemplars need as many names, got {len(names)}.")
    lr, sr = picture.pixels, result.picture.pixels
    rows = [
        [
            Panel(lr, f"Input, {lr.shape[-1]} x {lr.shape[-2]} pixels"),
            Panel(bicubic(lr, *sr.shape[-2:]).clamp(0, 1), "Bicubic"),
            Panel(sr, f"HIME, {sr.shape[-1]} x {sr.shape[-2]} pixels"),
        ]
    ]
    panels = [
        Panel(image, f"{name}\n{share(result, number)}")
        for number, (image, name) in enumerate(zip(result.exemplars, names, strict=True))
    ]
    rows += [panels[first : first + EXEMPLARS_PER_ROW] for first in range(0, len(panels), EXEMPLARS_PER_ROW)]
    return draw_fitted(rows, title)


def share(result: Upscaled, number: int) -> str:
    """Mean weight of an exemplar over the picture, in words; the similarities behind it may be tiny for all."""
    return "" if result.weight is None else f"mean weight {result.weight[number].mean().item():.2f}"


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
