"""A picture of exemplar sets: one a row, the target first."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from portraitdata.exemplars.sets import ExemplarSet

GAP = 4
"""Pixels between two images."""


def contact_sheet(sets: Iterable[ExemplarSet]) -> Float[Tensor, "3 h w"]:
    """Lay out exemplar sets, each a row, on white; an absent reference is a white place.

    Raises:
        ValueError: If there are no sets.
    """
    rows = []
    for images, present, _ in sets:
        there = torch.cat((torch.ones(1, dtype=torch.bool), present))
        shown = images.float().div(255).where(there[:, None, None, None], torch.tensor(1.0))
        padded = torch.nn.functional.pad(shown, (0, GAP, 0, GAP), value=1.0)
        rows.append(torch.cat(list(padded), dim=2))
    if not rows:
        raise ValueError("A contact sheet needs at least one exemplar set.")
    return torch.cat(rows, dim=1)[:, :-GAP, :-GAP]
