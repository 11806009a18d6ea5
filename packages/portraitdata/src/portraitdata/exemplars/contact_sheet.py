"""A picture of exemplar sets: one a row, the target first."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.images.sheet import Panel, draw_sheet
from portraitdata.exemplars.sets import ExemplarSet

GAP = 4
"""Pixels around images."""


def contact_sheet(sets: Iterable[ExemplarSet]) -> Float[Tensor, "3 h w"]:
    """Lay out exemplar sets, each a row, on white; an absent reference is a white place.

    Raises:
        ValueError: If there are no sets.
    """
    rows = []
    for images, present, _ in sets:
        there = torch.cat((torch.ones(1, dtype=torch.bool), present))
        shown = images.float().div(255).where(there[:, None, None, None], torch.tensor(1.0))
        rows.append([Panel(image) for image in shown])
    if not rows:
        raise ValueError("A contact sheet needs at least one exemplar set.")
    return draw_sheet(rows, gap=GAP)
