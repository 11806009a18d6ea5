"""Channels that PSNR and SSIM compare: RGB, or Y of YCbCr; tables of papers use both."""

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

Convention = Literal["osediff", "rgb"]
"""``osediff``: Y of YCbCr, as the tables of OSEDiff, PiSA-SR and HeadsUp; ``rgb``: all channels, as HIME's."""

STUDIO_SWING = (65.481, 128.553, 24.966)
"""Weights of red, green and blue in Y (ITU-R BT.601), of 255: Y is 16 for black and 235 for white."""


def known_convention(convention: str) -> Convention:
    """The convention, if there is one of that name; ValueError if there is none."""
    for known in get_args(Convention):
        if convention == known:
            return known
    raise ValueError(f"The convention must be one of {', '.join(get_args(Convention))}, got {convention!r}.")


def describe(convention: Convention, crop: int = 0) -> str:
    """Convention in words, to be printed beside every number.

    Example:
        >>> describe("osediff"), describe("rgb", crop=4)
        ('Y of YCbCr, crop 0', 'RGB, crop 4')
    """
    return f"{'Y of YCbCr' if convention == 'osediff' else 'RGB'}, crop {crop}"


def luma(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h w"]:
    """Y of YCbCr, studio swing: from 16/255 for black to 235/255 for white.

    Convention: RGB in [0, 1]; ITU-R BT.601 as MATLAB's rgb2ycbcr, nothing is rounded. The Y of YIQ, which is pyiqa's
    default for SSIM, has another range (0 to 1) and gives other scores.

    Example:
        >>> colours = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
        >>> luma(colours.reshape(3, 3, 1, 1)).mul(255).flatten().round(decimals=2).tolist()
        [16.0, 235.0, 81.4800033569336]
    """
    weights = torch.tensor(STUDIO_SWING, dtype=images.dtype, device=images.device).reshape(3, 1, 1)
    return ((images * weights).sum(dim=1, keepdim=True) + 16) / 255


def compared_channels(
    restored: Float[Tensor, "b 3 h w"], target: Float[Tensor, "b 3 h w"], convention: Convention, crop: int
) -> tuple[Float[Tensor, "b c ch cw"], Float[Tensor, "b c ch cw"]]:
    """Compared channels of two batches, in float32 at least.

    Args:
        crop: Pixels left out along every border.

    Raises:
        ValueError: If the sizes differ, nothing is left, or there is no such convention.
    """
    convention = known_convention(convention)
    if restored.shape != target.shape:
        raise ValueError(
            f"Restored and target images must have one shape, got {tuple(restored.shape)} and {tuple(target.shape)}."
        )
    height, width = target.shape[-2:]
    if crop < 0 or 2 * crop >= min(height, width):
        raise ValueError(
            f"The border to leave out must be 0 pixels or more and leave something of {width} x {height}, got {crop}."
        )
    dtype = torch.promote_types(torch.promote_types(restored.dtype, target.dtype), torch.float32)
    pair = tuple(images.to(dtype)[..., crop : height - crop, crop : width - crop] for images in (restored, target))
    if convention == "osediff":
        return luma(pair[0]), luma(pair[1])
    return pair[0], pair[1]
