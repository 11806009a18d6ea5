"""Noise on the CPU: Gaussian, and Poisson as of photons, in colour or grey.

The field comes from NumPy's PCG64 seeded by the record, so it is the same whatever has happened before.
"""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from numpy.typing import NDArray

from faceops.images.luma import BT601_LUMA
from portraitdata.degradation.poisson_table import level_count, poisson_counts
from portraitdata.degradation.records import NoiseRecord

LUMA = np.array([BT601_LUMA], np.float32)
"""`BT601_LUMA` as a matrix."""


def noisy(image: Float32[np.ndarray, "h w 3"], noise: NoiseRecord) -> Float32[np.ndarray, "h w 3"]:
    """Add noise to an image in [0, 1], and clip.

    Poisson noise is that of the image rounded to 8 bits, with as many photons at white as the image has levels
    (Real-ESRGAN's `random_generate_poisson_noise_pt`); grey noise is that of the luma, added to all channels.

    Example:
        >>> flat = np.full((64, 64, 3), 0.5, np.float32)
        >>> field = noisy(flat, NoiseRecord("gaussian", 25.5, False, seed=0))
        >>> round(float(field.std()), 2)
        0.1
    """
    height, width = image.shape[:2]
    shape = (height, width, 1 if noise.grey else 3)
    if noise.kind == "gaussian":
        field = gaussian_field(noise.seed, *shape)
        field *= np.float32(noise.strength / 255)
    else:
        values = eight_bit(cv2.transform(image, LUMA).reshape(shape) if noise.grey else image)
        levels = level_count(values)
        field = poisson_counts(values, levels, random_bits(noise.seed, *shape)).astype(np.float32)
        field *= np.float32(noise.strength / levels)
        field -= values * np.float32(noise.strength / 255)
    field = image + field
    return np.clip(field, 0, 1, out=field)


def gaussian_field(seed: int, height: int, width: int, channels: int) -> Float32[np.ndarray, "h w c"]:
    """Standard normal numbers."""
    return np.random.default_rng(seed).standard_normal((height, width, channels), dtype=np.float32)


def random_bits(seed: int, height: int, width: int, channels: int) -> NDArray[np.uint32]:
    """Uniform 32-bit numbers (height, width, channels)."""
    return np.random.default_rng(seed).integers(0, 1 << 32, (height, width, channels), dtype=np.uint32)


def eight_bit(image: Float32[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """Round an image in [0, 1] to its 8-bit values, clipping what lies outside.

    Example:
        >>> eight_bit(np.array([-0.1, 0.2, 0.5, 2.0], np.float32)).tolist()
        [0, 51, 128, 255]
    """
    scaled = image * np.float32(255)
    np.rint(scaled, out=scaled)
    return np.clip(scaled, 0, 255, out=scaled).astype(np.uint8)
