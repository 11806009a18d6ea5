"""Colours of a restored picture, corrected by those of its input.

A restorer that works on latents shifts colours a little, and one that works on tiles shifts every tile its own way.
The input knows the colours better than the details, so they are taken from there: all frequencies below a bound
(`wavelet_colour`) or mean and deviation of every channel (`adain_colour`).
"""

from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor

from headsup.restoring.colour_method import ColourMethod

LEVELS = 5
"""Levels of the wavelet decomposition: frequencies up to a period of about 64 pixels are colour."""

VARIANCE_FLOOR = 1e-5
"""Added to the variances of `adain_colour`, as StableSR does: a flat channel is not blown up to noise."""


def correct_colour(
    restored: Float[Tensor, "b 3 h w"], source: Float[Tensor, "b 3 _ _"], method: ColourMethod = "wavelet"
) -> Float[Tensor, "b 3 h w"]:
    """Give a restored picture the colours of its input.

    Args:
        source: Inputs, enlarged to the same size, RGB in [0, 1].
        method: ``wavelet`` takes the low frequencies of the input, ``adain`` mean and deviation of every channel,
            ``none`` nothing.

    Returns:
        RGB in [0, 1].

    Raises:
        ValueError: If the method is not known or the sizes differ.

    Example:
        >>> grey, warm = torch.full((1, 3, 4, 4), 0.5), torch.full((1, 3, 4, 4), 0.75)
        >>> torch.equal(correct_colour(grey, warm), warm)
        True
    """
    if method not in get_args(ColourMethod):
        raise ValueError(f"The colour correction must be {', '.join(get_args(ColourMethod))}; got {method!r}.")
    if restored.shape != source.shape:
        raise ValueError(
            f"The restored picture and the one that gives the colours must be of one size, got "
            f"{tuple(restored.shape)} and {tuple(source.shape)}: enlarge the input first."
        )
    if method == "none":
        return restored
    correct = wavelet_colour if method == "wavelet" else adain_colour
    return correct(restored, source).clamp(0, 1)


def wavelet_colour(
    restored: Float[Tensor, "b c h w"], source: Float[Tensor, "b c h w"], levels: int = LEVELS
) -> Float[Tensor, "b c h w"]:
    """Low band of the source and high band of the restored picture (StableSR; Wang et al., 2023), not clamped.

    With the low-pass L, the sum of both bands is L source + (restored - L restored) = restored + L (source - restored),
    so one decomposition serves for two.
    """
    return restored + low_band(source - restored, levels)


def low_band(x: Float[Tensor, "b c h w"], levels: int = LEVELS) -> Float[Tensor, "b c h w"]:
    """Low frequencies that the a-trous wavelet transform with the 3 x 3 binomial kernel leaves after `levels` levels.

    Level i blurs with the weights 1, 2, 1 in both directions, 2^i pixels apart. Beyond the border the outermost
    pixels are repeated, however small the image. The other bands are what every blur takes away; they sum to the rest.

    Convention: level 0 is the finest, with neighbouring pixels.

    Example:
        >>> low_band(torch.eye(3)[None, None], levels=1)[0, 0, 0].tolist()
        [0.625, 0.3125, 0.0625]
    """
    for level in range(levels):
        for dim in (-2, -1):
            x = _binomial(x, 2**level, dim)
    return x


def _binomial(x: Tensor, spacing: int, dim: int) -> Tensor:
    length = x.shape[dim]
    near = min(spacing, length)
    inside = length - near
    total = 2 * x
    # shifted sums in place: a padded copy for every level would double the memory of a large picture
    total.narrow(dim, near, inside).add_(x.narrow(dim, 0, inside))
    total.narrow(dim, 0, near).add_(x.narrow(dim, 0, 1))
    total.narrow(dim, 0, inside).add_(x.narrow(dim, near, inside))
    total.narrow(dim, inside, near).add_(x.narrow(dim, length - 1, 1))
    return total.mul_(0.25)


def adain_colour(restored: Float[Tensor, "b c h w"], source: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Mean and deviation of every channel of the source (AdaIN; Huang and Belongie, 2017, Eq. 8), not clamped."""
    variance, mean = torch.var_mean(restored, dim=(-2, -1), correction=0, keepdim=True)
    wanted_variance, wanted_mean = torch.var_mean(source, dim=(-2, -1), correction=0, keepdim=True)
    gain = ((wanted_variance + VARIANCE_FLOOR) / (variance + VARIANCE_FLOOR)).sqrt()
    return (restored - mean) * gain + wanted_mean
