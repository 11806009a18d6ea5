"""NIQE (Mittal, Soundararajan and Bovik, Making a "Completely Blind" Image Quality Analyzer, 2013).

The statistics of a picture's normalised luminance, in blocks of 96 pixels at two scales, are compared with those of
natural photographs. Parameters, block size and steps are those of BasicSR, whose `niqe_pris_params.npz` is read:
Y of YCbCr, rounded; no border cut off; every block counts.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64
from numpy.typing import NDArray
from scipy.ndimage import correlate
from scipy.special import gamma
from torch import Tensor

from portraitdata.images.resampling import bicubic
from portraitdata.scoring.metric import Column, ImagePair

BLOCK = 96
"""Side of a block in pixels, at the first scale."""

SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Neighbours whose products are looked at: right, below, and along both diagonals."""

LUMA = (65.481, 128.553, 24.966)
"""Of red, green and blue in Y, which goes from 16 to 235."""


class Niqe:
    """NIQE of the result, as a metric; lower is more natural.

    Args:
        path: File of the parameters.
    """

    columns = (Column("niqe", "Y, blocks of 96", higher_is_better=False, digits=2),)

    def __init__(self, path: Path) -> None:
        with np.load(path) as file:
            self.mean, self.covariance = file["mu_pris_param"], file["cov_pris_param"]
            self.window: NDArray[np.float64] = file["gaussian_window"]

    def __call__(self, pair: ImagePair) -> tuple[float | None]:
        """The number; None for pictures of fewer than four blocks, which have no covariance to speak of."""
        height, width = (side // BLOCK for side in pair.restored.shape[-2:])
        return (self.of(luminance(pair.restored[0])) if height * width >= 4 else None,)

    def of(self, y: Float64[np.ndarray, "h w"]) -> float:
        """NIQE of luminance from 0 to 255."""
        height, width = (side // BLOCK * BLOCK for side in y.shape)
        y = y[:height, :width]
        half = bicubic(torch.from_numpy(y), height // 2, width // 2).numpy()
        scales = zip((y, half), (BLOCK, BLOCK // 2), strict=True)
        features = np.concatenate([self._features(image, side) for image, side in scales], axis=1)
        mean = np.nanmean(features, axis=0)
        covariance = np.cov(features[~np.isnan(features).any(axis=1)], rowvar=False)
        apart = (self.mean - mean).ravel()
        return float(np.sqrt(apart @ np.linalg.pinv((self.covariance + covariance) / 2) @ apart))

    def _features(self, y: Float64[np.ndarray, "h w"], side: int) -> Float64[np.ndarray, "blocks 18"]:
        mean = correlate(y, self.window, mode="nearest")
        deviation = np.sqrt(np.abs(correlate(y**2, self.window, mode="nearest") - mean**2))
        normalised = (y - mean) / (deviation + 1)
        return np.array([list(block_features(block)) for block in blocks(normalised, side)])


def luminance(image: Tensor) -> Float64[np.ndarray, "h w"]:
    """Y of an RGB image (3, h, w) in [0, 1], rounded, from 16 to 235."""
    weights = torch.tensor(LUMA, dtype=torch.float64)
    y: NDArray[np.float64] = (16 + (image.double() * weights[:, None, None]).sum(dim=0)).round().numpy()
    return y


def blocks(image: Float64[np.ndarray, "h w"], side: int) -> Iterator[Float64[np.ndarray, "s s"]]:
    """Squares of a picture, column by column."""
    for left in range(0, image.shape[1], side):
        for top in range(0, image.shape[0], side):
            yield image[top : top + side, left : left + side]


def block_features(block: Float64[np.ndarray, "s s"]) -> Iterator[float]:
    """The eighteen numbers of a block: two of its values, four of the products with each neighbour."""
    shape, left, right = asymmetric_gaussian(block)
    yield from (shape, (left + right) / 2)
    for shift in SHIFTS:
        shape, left, right = asymmetric_gaussian(block * np.roll(block, shift, axis=(0, 1)))
        mean = (right - left) * (gamma(2 / shape) / gamma(1 / shape))
        yield from (shape, mean, left, right)


def asymmetric_gaussian(values: Float64[np.ndarray, "h w"]) -> tuple[float, float, float]:
    """Shape and the scales to the left and to the right of an asymmetric generalised Gaussian, by its moments."""
    flat = values.ravel()
    left, right = (np.sqrt(np.mean(side**2)) for side in (flat[flat < 0], flat[flat > 0]))
    ratio = left / right
    spread = np.mean(np.abs(flat)) ** 2 / np.mean(flat**2)
    wanted = spread * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shapes, ratios = known_shapes()
    shape = shapes[np.argmin((ratios - wanted) ** 2)]
    factor = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return float(shape), float(left * factor), float(right * factor)


@lru_cache
def known_shapes() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shapes that are tried, and the ratio of moments that each has."""
    shapes = np.arange(0.2, 10.001, 0.001)
    return shapes, gamma(2 / shapes) ** 2 / (gamma(1 / shapes) * gamma(3 / shapes))
