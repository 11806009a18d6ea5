"""ComfyUI's images as the packages' pictures, and back."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.images.files import Picture

PHOTOGRAPHS = 4
"""Inputs of a node for photographs of the people; each takes a batch, so there may be more photographs."""


def pictures_of(batch: Float[Tensor, "b h w c"]) -> list[Picture]:
    """Pictures of a batch, RGB or RGBA in [0, 1].

    Raises:
        ValueError: If it is something else.
    """
    if batch.ndim != 4 or batch.shape[3] not in (3, 4):
        raise ValueError(f"An image is a tensor (batch, height, width, 3 or 4 channels), got {tuple(batch.shape)}.")
    planes = batch.detach().cpu().float().clamp(0, 1).permute(0, 3, 1, 2)
    return [Picture(image[:3].contiguous(), image[3:].contiguous() if len(image) == 4 else None) for image in planes]


def batch_of(pictures: Sequence[Picture]) -> Float[Tensor, "b h w c"]:
    """Batch of pictures of one size, RGBA where they have transparency."""
    planes = [torch.cat([p.pixels, *([] if p.alpha is None else [p.alpha])]) for p in pictures]
    return torch.stack(planes).clamp(0, 1).permute(0, 2, 3, 1).contiguous()


def photographs_of(batches: Sequence[Float[Tensor, "b h w c"] | None]) -> list[Picture]:
    """Pictures of all batches that are connected, in their order."""
    return [picture for batch in batches if batch is not None for picture in pictures_of(batch)]


def photograph_inputs(name: str, tooltip: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Optional inputs of a node for photographs: `name`_1 and so on, in ComfyUI's form."""
    return {f"{name}_{number}": ("IMAGE", {"tooltip": tooltip}) for number in range(1, PHOTOGRAPHS + 1)}
