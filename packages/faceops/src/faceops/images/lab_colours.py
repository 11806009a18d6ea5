"""CIE L*a*b* as TIFF stores it, to sRGB."""

import numpy as np
from numpy.typing import NDArray

from faceops.images.colour_profiles import SRGB_TO_XYZ, srgb_encoded

D50 = SRGB_TO_XYZ.sum(axis=1)
"""White of Lab: that of sRGB under D50."""


def stored_lab(samples: NDArray, signed: bool) -> NDArray[np.float64]:
    """L* in [0, 100], a* and b*, from the samples of a TIFF.

    Args:
        samples: (..., 3), uint8 or uint16.
        signed: Whether a* and b* are signed (CIELab, photometric 8) rather than offset (ICCLab, 9).
    """
    deep = samples.dtype == np.uint16
    unit = 256.0 if deep else 1.0
    light = samples[..., :1] * (100.0 / (65280.0 if deep and not signed else 65535.0 if deep else 255.0))
    colours = np.ascontiguousarray(samples[..., 1:])
    if signed:
        opponents = colours.view(np.int16 if deep else np.int8).astype(np.float64) / unit
    else:
        opponents = colours.astype(np.float64) / unit - 128
    return np.concatenate([light, opponents], axis=-1)


def lab_to_srgb(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert Lab under D50 to sRGB in [0, 1], (..., 3); colours outside sRGB are clipped.

    Example:
        >>> lab_to_srgb(np.array([100.0, 0.0, 0.0])).round(6).tolist()
        [1.0, 1.0, 1.0]
    """
    y = (lab[..., 0] + 16) / 116
    steps = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    xyz = np.where(steps > 6 / 29, steps**3, 3 * (6 / 29) ** 2 * (steps - 4 / 29)) * D50
    return srgb_encoded(xyz @ np.linalg.inv(SRGB_TO_XYZ).T)
