"""Statistics along a contour: fine texture, jump of colour, edge."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from faceops.metrics.contour_bands import BANDS, STRIPS, ZONES, ContourBands, cell_means

TO_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
"""Linear sRGB to CIE XYZ (ITU-R BT.709 primaries)."""

WHITE = (0.950456, 1.0, 1.088754)
"""XYZ of the white of sRGB, daylight D65: the sums of the rows of `TO_XYZ`."""

KNEE = 216 / 24389
"""Where the cube root of CIELAB becomes a line."""


def srgb_to_lab(images: Float[Tensor, "*b 3 h w"]) -> Float[Tensor, "*b 3 h w"]:
    """L* in [0, 100], a* and b* of sRGB colours in [0, 1].

    Example:
        >>> grey = torch.full((3, 1, 1), 0.5)
        >>> [round(value, 1) + 0.0 for value in srgb_to_lab(grey).flatten().tolist()]
        [53.4, 0.0, 0.0]
    """
    linear = torch.where(images > 0.04045, ((images.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4, images / 12.92)
    matrix = torch.tensor(TO_XYZ, dtype=images.dtype, device=images.device)
    matrix = matrix / matrix.new_tensor(WHITE).unsqueeze(1)
    xyz = torch.einsum("ij,...jhw->...ihw", matrix, linear)
    root = torch.where(xyz > KNEE, xyz.clamp(min=KNEE) ** (1 / 3), (xyz / KNEE * 2 + 4) / 29)
    x, y, z = root.unbind(-3)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), dim=-3)


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
