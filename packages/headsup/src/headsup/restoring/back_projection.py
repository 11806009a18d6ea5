"""What the input shows and a restored picture has lost, given back without the noise.

Reduced to the size of its input, a restored picture should be the input without its damage. Their difference
(back-projection; Irani and Peleg, 1991) holds what was lost, as the shape of an eye, and the noise that was removed. Of
it the local Wiener filter (Lee, 1980) lets through what is stronger than noise. Nothing is learnt and nothing is
invented: all that is added is in the input. This is not in the paper.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nan, where

from portraitdata.images.resampling import bicubic

USUAL_SHARE = 0.4
"""Of what is not noise, the share that is given back where nothing else is said."""

LEAST_SPACING = 4.0
"""Pixels of the result between those that are compared, at least: what is finer than that is the restorer's task even
where the input has as many pixels as the result."""

WINDOW = 5
"""Side of the square in which the difference is compared to noise, in pixels of the reduced picture."""

NOISE_VARIANCES = 2.0
"""Variances of the noise that count as noise: in so small a square it is often above its mean."""

STEP = 0.25 / 255
"""Differences below this in all of a square, in RGB of [0, 1], say nothing about noise: paper, masks, flat drawings."""


def back_projected(
    restored: Float[Tensor, "b 3 h w"], enlarged: Float[Tensor, "b 3 h w"], scale: float, share: float = USUAL_SHARE
) -> Float[Tensor, "b 3 h w"]:
    """Give a restored picture back what its input shows and noise does not explain.

    Args:
        restored: RGB in [0, 1].
        enlarged: Its inputs, enlarged to the same size.
        scale: How much they were enlarged.
        share: How much is given back, from 0, nothing, to 1.

    Returns:
        RGB in [0, 1].

    Example:
        >>> import torch
        >>> grey, warm = torch.full((1, 3, 8, 8), 0.5), torch.full((1, 3, 8, 8), 0.75)
        >>> back_projected(grey, grey, 4.0).equal(grey), back_projected(grey, warm, 4.0, 0.0).equal(grey)
        (True, True)
    """
    if not share:
        return restored
    height, width = restored.shape[-2:]
    spacing = max(scale, LEAST_SPACING)
    lost = bicubic(enlarged - restored, max(1, round(height / spacing)), max(1, round(width / spacing)))
    lost *= share * wiener_gain(lost)
    return bicubic(lost, height, width).add_(restored).clamp_(0, 1)


def wiener_gain(difference: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h w"]:
    """Share of a difference that is not noise around every pixel, in [0, 1].

    The noise's deviation is 1.4826 times the median of the difference's amount, by which structures, which are few,
    count little.

    Example:
        >>> import torch
        >>> noise = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)).mul(0.1)
        >>> bool(wiener_gain(noise).mean() < 0.05), wiener_gain(torch.full((1, 3, 8, 8), 1e-4)).mean().item()
        (True, 1.0)
    """
    light = difference.mean(dim=1, keepdim=True)
    energy = F.avg_pool2d(light.square(), WINDOW, stride=1, padding=WINDOW // 2, count_include_pad=False)
    telling = where(energy > STEP**2, light.abs(), nan)
    median = telling.flatten(1).cpu().nanmedian(dim=1).values.nan_to_num(0)  # not every device has it
    deviation = 1.4826 * median.to(light).view(-1, 1, 1, 1)
    return (1 - NOISE_VARIANCES * deviation.square() / energy.clamp(min=STEP**2)).clamp(0, 1)
