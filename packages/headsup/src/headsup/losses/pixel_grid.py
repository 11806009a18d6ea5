"""Loss of the pattern that networks leave which put pictures together of squares of 2 x 2 pixels."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

SQUARE = 2
"""Pixels on the side of a square."""
WINDOW = 16
"""Side in pixels of the windows within which the pattern is looked for."""


def pixel_grid_loss(
    restored: Float[Tensor, "b 3 h w"], truth: Float[Tensor, "b 3 h w"], window: int = WINDOW
) -> Float[Tensor, ""]:
    """How much the finest error differs between the places of the squares; beyond the papers.

    The error's finest band, what a blur of 3 x 3 pixels (1 2 1) takes off it, is averaged over all pixels of a window
    that have the same place in their square. Errors of texture have no such place and average out; a pattern stays.

    Args:
        restored: Restored images, RGB in [0, 1].
        truth: True images, likewise.
        window: Side of the windows, even; what does not fill one at the right and at the bottom is not looked at.

    Returns:
        Mean distance of the four averages from their mean, over windows and colours, in units of the range of pixels.

    Example:
        >>> truth = torch.zeros(1, 3, 32, 32)
        >>> dots = truth.clone()
        >>> dots[..., ::2, ::2] = 0.1
        >>> round(pixel_grid_loss(dots, truth).item(), 4)
        0.0367
        >>> round(pixel_grid_loss(truth + 0.1, truth).item(), 6)
        0.0
    """
    error = restored.float() - truth.float()
    height, width = (side // window * window for side in error.shape[-2:])
    taps = torch.tensor([0.25, 0.5, 0.25], device=error.device)
    kernel = (-taps[:, None] * taps).expand(error.shape[1], 1, 3, 3).clone()
    kernel[..., 1, 1] += 1
    band = F.conv2d(F.pad(error, (1, 1, 1, 1), "replicate"), kernel, groups=error.shape[1])[..., :height, :width]
    places = F.pixel_unshuffle(band, SQUARE).unflatten(1, (-1, SQUARE * SQUARE))
    means = F.avg_pool2d(places.flatten(1, 2), window // SQUARE).unflatten(1, (-1, SQUARE * SQUARE))
    return (means - means.mean(dim=2, keepdim=True)).abs().mean()
