"""Statistics along a contour: fine texture, jump of colour, edge."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from faceops.metrics.cielab import srgb_to_lab
from faceops.metrics.contour_bands import BANDS, STRIPS, ZONES, ContourBands, cell_means

QUANTUM = 0.3
"""Least detail that counts, in units of L*: about one level of eight bits."""

LARGEST_JUMP = 10.0
"""Jump of colour, in CIELAB, beyond which a pixel's derivative is clipped: more is an outline, not a seam."""

FEWEST = 0.2
"""Part of its expected pixels that a sector of a band must have within the image."""


@dataclass(frozen=True)
class SeamStatistics:
    """Means in the cells along a contour; NaN where a cell is outside the image."""

    texture: Float[Tensor, "scales 2 bands sectors"]
    """Mean logarithm of fine detail: scales of about 1 and 3 pixels; inside, outside; bands from the contour away."""
    jump: Float[Tensor, "3 zones sectors"]
    """Rise of L*, a*, b* over a zone towards the inside."""
    edge: Float[Tensor, "strips sectors"]
    """Logarithm of the mean colour derivative across the contour."""

    def minus(self, other: "SeamStatistics") -> "SeamStatistics":
        """Differences from another image's statistics."""
        return SeamStatistics(self.texture - other.texture, self.jump - other.jump, self.edge - other.edge)


def seam_statistics(image: Float[Tensor, "3 h w"], contour: ContourBands) -> SeamStatistics:
    """Measure an image, RGB in [0, 1], along a contour.

    The logarithm of every pixel's detail is averaged, not the detail: a few strong outlines weigh little then, and
    what is left is the grain and the sharpness of the surface.
    """
    lab = srgb_to_lab(image[:, contour.rows, contour.columns].float())
    least = FEWEST * contour.arc
    texture = cell_means(_detail(lab[0]), contour.bands, 2 * BANDS, least * contour.band_width)
    across = _derivative_inwards(lab, contour.distance.to(lab.device))
    most = LARGEST_JUMP / contour.zone_width
    jumps = across.clamp(-most, most) * contour.zone_width
    jump = cell_means(jumps, contour.zones, ZONES, least * contour.zone_width)
    edge = cell_means(across.square().sum(dim=0, keepdim=True).sqrt(), contour.strips, STRIPS, least * 2)[0]
    return SeamStatistics(texture.unflatten(1, (2, BANDS)), jump, torch.log(QUANTUM + edge))


def _detail(lightness: Float[Tensor, "h w"]) -> Float[Tensor, "2 h w"]:
    """Logarithm of what two binomial filters, one after the other, take away."""
    once = _binomial(lightness, 1)
    twice = _binomial(once, 2)
    return torch.stack((lightness - once, once - twice)).abs().add(QUANTUM).log()


def _binomial(x: Float[Tensor, "h w"], spacing: int) -> Float[Tensor, "h w"]:
    """Weights 1, 2, 1 in both directions, `spacing` pixels apart; the outermost pixels are repeated."""
    for _ in range(2):
        x = x.transpose(0, 1)
        padded = F.pad(x[None, None], (spacing, spacing, 0, 0), mode="replicate")[0, 0]
        width = x.shape[1]
        x = (padded[:, :width] + 2 * x + padded[:, 2 * spacing : 2 * spacing + width]) / 4
    return x


def _derivative_inwards(lab: Float[Tensor, "3 h w"], distance: Float[Tensor, "h w"]) -> Float[Tensor, "3 h w"]:
    """Change of colour for one pixel along the normal of the contour, towards the inside."""
    gy, gx = torch.gradient(distance)
    length = torch.hypot(gy, gx).clamp(min=1e-3)
    dy, dx = torch.gradient(lab, dim=(1, 2))
    return dy * (gy / length) + dx * (gx / length)
