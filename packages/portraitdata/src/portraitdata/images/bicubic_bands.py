"""Weights of the bicubic of MATLAB for one line, without the zeros of a long one.

Of the matrix that resamples a line only a band along the diagonal is not zero. Blocks of its rows are multiplied each
with the pixels below its part of the band, so that time and memory grow with the line and not with its square.
"""

from functools import lru_cache
from math import floor
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

WHOLE = 1 << 16
"""Entries up to which a matrix is one block: of small ones the products are few, and graphs of networks stay short."""

ROWS = 32
"""Rows of each block of a larger matrix."""

LONGEST_KEPT = 2048
"""Pixels of a line up to which its weights are kept, which are 0.7 MB at most."""

MOST_KEPT = 64
"""How many are."""


class Bands(NamedTuple):
    """Matrix that resamples a line, in blocks of rows without the columns that are zero, rows summing to one."""

    weights: Float64[np.ndarray, "target width"]
    """The blocks, one below the other."""
    rows: int
    """Rows of each; the last may have fewer."""
    parts: list[slice]
    """Pixels of the source that each is multiplied with."""


def keys_cubic(distance: Float64[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
    """Cubic convolution kernel with a = -1/2, non-zero on [-2, 2] (Keys, 1981, Eq. 15).

    Example:
        >>> keys_cubic(np.array([0.0, 0.5, 1.0, 1.5, 2.0])).tolist()
        [1.0, 0.5625, 0.0, -0.0625, 0.0]
    """
    x = np.abs(distance)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def bicubic_bands(source: int, target: int, whole: bool = False) -> Bands:
    """Matrix that resamples a line of `source` pixels to `target` pixels.

    Convention: pixel centres at half-integers of the line (MATLAB's imresize, align_corners=False), kernel widened by
    `source / target` when shrinking, line mirrored with the edge pixel repeated.

    Args:
        whole: Keep it one block, however large it is.

    Raises:
        ValueError: If a length is smaller than one.

    Example:
        >>> bicubic_bands(2, 1).weights.tolist(), bicubic_bands(1024, 4096).weights.shape
        ([[0.5, 0.5]], (4096, 15))
    """
    if source < 1 or target < 1:
        raise ValueError(f"A resampled line needs at least one pixel, got {source} -> {target}.")
    rows = target if whole or source * target <= WHOLE else ROWS
    kept = max(source, target) <= LONGEST_KEPT and not (whole and source * target > WHOLE)
    return (kept_bands if kept else made_bands)(source, target, rows)


def made_bands(source: int, target: int, rows: int) -> Bands:
    """The matrix in blocks of so many rows."""
    ratio = target / source
    shrink = min(ratio, 1.0)
    reach = 2 / shrink
    taps = int(2 * reach) + 3
    width = min(source, -(-rows * source // target) + taps)
    # plain numbers: compilers do not look into arrays
    firsts = [floor((row + 0.5) / ratio - 0.5 - reach) for row in range(0, target, rows)]
    starts = [min(max(first, 0), source - width) for first in firsts]

    number = np.arange(target)
    centre = (number + 0.5) / ratio - 0.5
    index = np.floor(centre - reach)[:, None] + np.arange(taps)
    weight = keys_cubic((index - centre[:, None]) * shrink)
    weight /= weight.sum(axis=1, keepdims=True)
    period = index.astype(np.int64) % (2 * source)
    mirrored = np.where(period < source, period, 2 * source - 1 - period)
    column = mirrored - np.array(starts)[number // rows][:, None]
    matrix = np.zeros((target, width))
    for tap in range(taps):
        matrix[number, column[:, tap]] += weight[:, tap]
    return Bands(matrix, rows, [slice(start, start + width) for start in starts])


# Arrays, because a cached tensor would remember the mode it was first made in (inference, export, fake tensors).
kept_bands = lru_cache(maxsize=MOST_KEPT)(made_bands)
"""The same, kept: training asks for few sizes, again and again."""
