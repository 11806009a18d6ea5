"""A batch of drawn scenes with their faces."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture with faces in it."""

    image: UInt8[Tensor, "3 h w"]
    boxes: Float[Tensor, "n 4"]
    landmarks: Float[Tensor, "n 5 2"]
    sure: Bool[Tensor, " n"]
    """False for what may or may not be taken for a face: hardly visible, tiny, or the teachers disagree."""


class SceneBatch(NamedTuple):
    """Scenes of one size; faces are padded to the same number."""

    images: UInt8[Tensor, "b 3 h w"]
    boxes: Float[Tensor, "b n 4"]
    landmarks: Float[Tensor, "b n 5 2"]
    sure: Bool[Tensor, "b n"]
    present: Bool[Tensor, "b n"]
    """False where there is none."""


def batch_scenes(scenes: Sequence[Scene]) -> SceneBatch:
    """Scenes as a batch."""
    most = max(1, *(len(scene.boxes) for scene in scenes))

    def padded(values: Tensor) -> Tensor:
        return torch.cat([values, values.new_zeros(most - len(values), *values.shape[1:])])

    return SceneBatch(
        torch.stack([scene.image for scene in scenes]),
        torch.stack([padded(scene.boxes) for scene in scenes]),
        torch.stack([padded(scene.landmarks) for scene in scenes]),
        torch.stack([padded(scene.sure) for scene in scenes]),
        torch.stack([padded(torch.ones_like(scene.sure)) for scene in scenes]),
    )
