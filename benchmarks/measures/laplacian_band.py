"""The finest band of a picture: what a small blur takes off; how much of it there is, and whether it has a grid."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from portraitdata.scoring.face_geometry import FaceFinder
from portraitdata.scoring.metric import Column, ImagePair

BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
"""Blur along each axis, that of Laplacian pyramids (Burt and Adelson, 1983)."""

WINDOW = 32
"""Side in pixels of the windows within which a grid is looked for."""


def laplacian_band(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """The image minus its blur: the finest band of a Laplacian pyramid that is not decimated; borders are mirrored.

    Example:
        >>> laplacian_band(torch.full((1, 3, 8, 8), 0.5)).abs().max().item()
        0.0
    """
    channels, line = images.shape[1], torch.tensor(BINOMIAL)
    kernel = torch.outer(line, line).expand(channels, 1, 5, 5)
    return images - F.conv2d(F.pad(images, (2,) * 4, mode="reflect"), kernel, groups=channels)


def energy(images: Float[Tensor, "1 3 h w"], box: tuple[int, int, int, int]) -> float:
    """Mean square of the finest band within a box, left, top, right and bottom in pixels."""
    left, top, right, bottom = box
    return laplacian_band(images)[..., top:bottom, left:right].square().mean().item()


class Sharpness:
    """Energy of the finest band of the result over the truth's, in the face's box: 1 is as sharp as the truth.

    Args:
        finder: Where the face is; of the truth.
    """

    columns = (Column("sharpness", "finest Laplacian band, face box, over the truth's", higher_is_better=True),)

    def __init__(self, finder: FaceFinder) -> None:
        self.finder = finder

    def __call__(self, pair: ImagePair) -> tuple[float]:
        """The ratio.

        Raises:
            NoFaceInImageError: If the truth shows no face.
        """
        box = pixel_box(self.finder.target(pair).boxes[0], *pair.target.shape[-2:])
        return (energy(pair.restored, box) / max(energy(pair.target, box), 1e-12),)


def pixel_box(box: Float[Tensor, " 4"], height: int, width: int) -> tuple[int, int, int, int]:
    """A box in whole pixels within the picture: left, top, right and bottom, the last two outside.

    Example:
        >>> pixel_box(torch.tensor([-3.0, 2.4, 9.6, 30.0]), 20, 20)
        (0, 2, 10, 20)
    """
    left, top, right, bottom = (round(edge) for edge in box.tolist())
    return max(left, 0), max(top, 0), min(right, width), min(bottom, height)


def pixel_grid(images: Float[Tensor, "1 3 h w"]) -> float:
    """How much the finest detail differs between the four places of squares of 2 x 2 pixels, in levels of 255.

    The finest band is averaged over all pixels of one place within windows of `WINDOW` pixels; of the four means of a
    window the standard deviation is taken, and of these the mean over windows and colours. A natural picture has
    about 0, what remains of its noise; a picture put together of such squares has their pattern in every window.

    Example:
        >>> pixel_grid(torch.full((1, 3, 64, 64), 0.5))
        0.0
    """
    band = 255 * laplacian_band(images)
    means = torch.stack([F.avg_pool2d(band[..., y::2, x::2], WINDOW // 2) for y in (0, 1) for x in (0, 1)])
    return means.std(dim=0, correction=0).mean().item()


class PixelGrid:
    """`pixel_grid` of the result, as a metric."""

    columns = (Column("grid", "finest Laplacian band, phases of 2 x 2, of 255", higher_is_better=False),)

    def __call__(self, pair: ImagePair) -> tuple[float]:
        """The measure; the truth is not looked at. Sides of 64 pixels at least."""
        height, width = (side // 2 * 2 for side in pair.restored.shape[-2:])
        return (pixel_grid(pair.restored[..., :height, :width]),)
