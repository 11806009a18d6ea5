"""Colours where a picture is wholly transparent: nobody sees them, but whatever looks at neighbourhoods does."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from faceops.images.files import Picture
from faceops.images.working_colours import resized_part

RINGS = 4
"""Pixels around what is seen that are filled from their neighbours: more than the two that a bicubic looks at."""


def without_hidden_colours(picture: Picture) -> Picture:
    """The picture with what is wholly transparent in the colours of what is near, lest these leak when it is enlarged.

    Cut-outs have black or white there. A picture without transparency, or with nothing else, is left as it is.
    """
    if picture.alpha is None or not (picture.alpha == 0).any() or not (picture.alpha > 0).any():
        return picture
    clipped = picture.outside_srgb
    if clipped is not None:
        clipped = filled(resized_part(clipped, *picture.alpha.shape[1:]), picture.alpha.cpu()).half()
    return replace(picture, pixels=filled(picture.pixels, picture.alpha), outside_srgb=clipped)


def filled(pixels: Float[Tensor, "3 h w"], alpha: Float[Tensor, "1 h w"]) -> Float[Tensor, "3 h w"]:
    """Fill the pixels of opacity zero from the others, which stay.

    Means are weighted by opacity. The `RINGS` next to what is seen are filled one after the other from their
    neighbours, the rest from a pyramid of means, pull-push: each from the smallest square of 2, 4, 8 ... pixels with
    anything in it, interpolated between squares.

    Args:
        pixels: Any colours.
        alpha: Opacity in [0, 1], above zero somewhere.

    Example:
        >>> filled(torch.tensor([0.3, 9.0, 9.0, 9.0]).expand(3, 1, 4), torch.tensor([[[1.0, 0, 0, 0]]]))[0]
        tensor([[0.3000, 0.3000, 0.3000, 0.3000]])
    """
    weight = alpha
    for _ in range(RINGS):
        around = F.avg_pool2d(weight, 3, stride=1, padding=1)
        ring = (weight == 0) & (around > 0)
        pixels = torch.where(ring, F.avg_pool2d(pixels * weight, 3, stride=1, padding=1) / positive(around), pixels)
        weight = torch.where(ring, around, weight)
    return torch.where(weight > 0, pixels, from_pyramid(pixels, weight))


def from_pyramid(pixels: Float[Tensor, "3 h w"], weight: Float[Tensor, "1 h w"]) -> Float[Tensor, "3 h w"]:
    """Mean of the smallest square around each pixel that has any weight in it, interpolated between squares."""
    levels = [(pixels * weight, weight)]
    while max(levels[-1][1].shape[1:]) > 1:
        sums, weight = levels[-1]
        levels.append((F.avg_pool2d(sums, 2, ceil_mode=True), F.avg_pool2d(weight, 2, ceil_mode=True)))
    sums, weight = levels.pop()
    colours = sums / weight
    for sums, weight in reversed(levels):
        beneath = F.interpolate(colours[None], size=weight.shape[1:], mode="bilinear", align_corners=False)[0]
        colours = torch.where(weight > 0, sums / positive(weight), beneath)
    return colours


def positive(weight: Tensor) -> Tensor:
    """A divisor: the weight, or something above zero where there is none."""
    return torch.where(weight > 0, weight, 1.0)
