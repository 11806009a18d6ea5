"""CIELAB, in which one unit is about the least difference of colour that people see."""

import torch
from jaxtyping import Float
from torch import Tensor

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
