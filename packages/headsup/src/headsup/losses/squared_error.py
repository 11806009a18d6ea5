"""Squared error in the range of Stable Diffusion's images, for which OSEDiff's weights of the losses are."""

from jaxtyping import Float
from torch import Tensor

OSEDIFF_SPAN = 2.0
"""Length of OSEDiff's range of pixels, [-1, 1]; here pixels are in [0, 1], so that their squared error is a fourth."""


def squared_error(images: Float[Tensor, "b 3 h w"], targets: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
    """Mean squared error of each image, computed in float32 as if pixels were in [-1, 1].

    Args:
        images: RGB in [0, 1].
        targets: Likewise.

    Example:
        >>> import torch
        >>> black, grey = torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.5)
        >>> squared_error(grey, black).tolist()
        [1.0]
    """
    return ((images.float() - targets.float()) * OSEDIFF_SPAN).square().mean(dim=(1, 2, 3))
