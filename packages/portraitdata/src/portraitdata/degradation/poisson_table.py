"""Poisson noise of 8-bit images by inversion: fast, and with exactly one random number for each pixel.

The mean of a pixel's Poisson variable is one of 256, so their distribution functions fit into a table, and a second
table says for the upper bits of the random number where to look (Chen and Asau, 1974). The usual generators reject and
draw again: where two executors round one pixel differently, all noise that follows would differ. By inversion that
pixel alone changes, and hardly.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, UInt8, UInt32
from numpy.typing import NDArray

COUNTS = 512
"""Counts that a table knows, 0 to 511: of the largest mean, 256, more have a probability below 1e-40."""

COUNT_BITS = 9
BUCKET_BITS = 10
REST_BITS = 32 - BUCKET_BITS
SEARCH = COUNTS - 1
"""Instead of a count, in a bucket that more than one bound falls into: the bounds have to be searched."""


class PoissonTable(NamedTuple):
    """Poisson variables of mean ``value / 255 * levels`` for the 256 values, ready to be looked up."""

    guide: NDArray[np.uint32]
    """For 256 values x 1024 buckets: in the lower 9 bits the smallest count of the bucket, above them the remainder of
    the random number from which it is one more."""
    bounds: NDArray[np.int64]
    """For 256 values x 512 counts: distribution function, of 2^32, plus 2^32 times the value; ascending."""


def level_count(image: UInt8[np.ndarray, "*shape"]) -> int:
    """Levels in which Real-ESRGAN counts photons: the number of different values, rounded up to a power of two.

    Example:
        >>> level_count(np.array([0, 3, 3, 7, 9, 200], np.uint8))
        8
    """
    return rounded_up(int(np.count_nonzero(np.bincount(image.ravel(), minlength=256))))


def rounded_up(number: int) -> int:
    """The next power of two from a number on.

    Example:
        >>> [rounded_up(number) for number in (1, 2, 3, 129)]
        [1, 2, 4, 256]
    """
    return 1 << (number - 1).bit_length()


def poisson_probabilities(means: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, "n counts"]:
    """Probability of each count from 0 to 511 for each mean.

    Example:
        >>> poisson_probabilities(np.array([0.0, 1.0]))[:, :3].round(4).tolist()
        [[1.0, 0.0, 0.0], [0.3679, 0.3679, 0.1839]]
    """
    count = np.arange(COUNTS)
    log_factorial = np.concatenate(([0.0], np.cumsum(np.log(count[1:]))))
    log_mean = np.log(np.maximum(means, np.finfo(np.float64).tiny))[:, None]
    return np.exp(count * log_mean - means[:, None] - log_factorial)


@lru_cache(maxsize=9)
def poisson_table(levels: int) -> PoissonTable:
    """Table of the Poisson variables of an image with so many levels, see `level_count`; made once, in 0.05 s."""
    row = np.arange(256)[:, None]
    distribution = np.cumsum(poisson_probabilities(np.arange(256) / 255 * levels), axis=1)
    bounds = (np.minimum(np.rint(distribution * 2.0**32), 2.0**32).astype(np.int64) + (row << 32)).ravel()
    low = ((row << 32) + (np.arange(1 << BUCKET_BITS) << REST_BITS)).ravel()
    smallest = np.searchsorted(bounds, low, side="right")
    largest = np.searchsorted(bounds, low + (1 << REST_BITS) - 1, side="right")
    # A remainder of 2^22 is never reached: the count is the same all over the bucket.
    step = np.where(largest == smallest, 1 << REST_BITS, bounds[np.minimum(smallest, len(bounds) - 1)] - low)
    count = smallest - np.repeat(row.ravel() * COUNTS, 1 << BUCKET_BITS)
    guide = np.where(largest > smallest + 1, SEARCH, (step << COUNT_BITS) | count)
    return PoissonTable(guide.astype(np.uint32), bounds)


def poisson_counts(
    image: UInt8[np.ndarray, "*shape"], levels: int, bits: UInt32[np.ndarray, "*shape"]
) -> UInt32[np.ndarray, "*shape"]:
    """Poisson variables of mean ``image / 255 * levels``: their distribution functions, inverted.

    Args:
        levels: See `level_count`.
        bits: Random numbers, uniform over all 32 bits; with more of them the counts grow.

    Example:
        >>> bits = np.array([0, 1 << 30, 1 << 31, (1 << 32) - 1], np.uint32)
        >>> poisson_counts(np.full(4, 255, np.uint8), 4, bits).tolist()
        [0, 3, 4, 22]
    """
    table = poisson_table(levels)
    entry = table.guide.take((image.astype(np.int32) << BUCKET_BITS) + (bits >> REST_BITS).view(np.int32))
    count = entry & SEARCH
    rare = np.flatnonzero(count == SEARCH)
    count += (bits & ((1 << REST_BITS) - 1)) >= (entry >> COUNT_BITS)
    value = image.ravel()[rare].astype(np.int64)
    place = np.searchsorted(table.bounds, (value << 32) + bits.ravel()[rare], side="right")
    count.ravel()[rare] = place - value * COUNTS
    return count
