"""Which places of a detector's maps learn which face."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from portraitdata.face_finding.scene_batch import SceneBatch

SIZES = {8: (0.0, 40.0), 16: (28.0, 88.0), 32: (62.0, 180.0), 64: (125.0, float("inf"))}
"""Roots of the areas of the faces that each stride learns, in pixels; neighbours overlap, so that no size is at the
border of both."""

CORE = 0.2
"""Distance from the middle of a face up to which a place learns it, in roots of its area."""

NEAREST = 0.72
"""The same at least, in strides: more than half a diagonal, so that every face has a place."""

RING = 1.5
"""Distance in cores up to which a place learns nothing: between face and background."""


class Targets(NamedTuple):
    """What every place of a batch learns."""

    face: Int[Tensor, "b p"]
    """Index of its face in the image; -1 for none."""
    ignored: Bool[Tensor, "b p"]
    """Neither face nor background."""


def assign(batch: SceneBatch, places: Float[Tensor, "p 3"]) -> Targets:
    """Give each face the places near its middle, of the scales that its size belongs to.

    Where two faces want a place, the one whose middle is nearer in its own sizes gets it. All places on a face that is
    not sure are ignored.
    """
    corners = batch.boxes.unflatten(2, (2, 2))
    sides = (corners[:, :, 1] - corners[:, :, 0]).clamp(min=1e-3)
    size = sides.prod(dim=-1).sqrt().unsqueeze(-1)
    offset = (places[:, :2] - corners.mean(dim=2, keepdim=True)).norm(dim=-1)
    stride = places[:, 2]
    core = torch.maximum(CORE * size, NEAREST * stride)
    low, high = (torch.tensor([SIZES[int(s)][end] for s in stride.tolist()], device=stride.device) for end in (0, 1))
    fits = (size >= low) & (size < high) & batch.sure.unsqueeze(-1)
    distance = torch.where(fits & (offset < core), offset / size, torch.inf)
    nearest, face = distance.min(dim=1)
    learns = nearest.isfinite()
    inside = ((places[:, :2] - corners.mean(dim=2, keepdim=True)).abs() * 2 < sides.unsqueeze(2)).all(dim=-1)
    unsure = inside & (batch.present & ~batch.sure).unsqueeze(-1)
    ring = fits & (offset < RING * core)
    return Targets(torch.where(learns, face, -1), (ring | unsure).any(dim=1) & ~learns)
