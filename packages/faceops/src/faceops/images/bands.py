"""Bands of rows, for conversions that would take several times the memory of the picture if done at once."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import DTypeLike, NDArray

BAND_PIXELS = 2**18
"""Pixels whose colours are converted together: the conversion is in float64 and takes ten times the memory."""


def bands(height: int, width: int) -> Iterator[slice]:
    """Rows of about `BAND_PIXELS` pixels together."""
    rows = max(1, BAND_PIXELS // width)
    return (slice(top, top + rows) for top in range(0, height, rows))


def in_bands(convert: Callable[[NDArray], NDArray], samples: NDArray, channels: int, dtype: DTypeLike) -> NDArray:
    """Convert samples (h, w, c) band by band.

    Args:
        convert: Makes (rows, w, channels) of (rows, w, c).
        samples: What is converted.
        channels: How many the result has.
        dtype: Type of the result.

    Returns:
        (h, w, channels).

    Example:
        >>> in_bands(lambda part: part[..., :1] / 2, np.full((2, 1, 3), 4, np.uint8), 1, np.float32).ravel().tolist()
        [2.0, 2.0]
    """
    converted = np.empty((*samples.shape[:2], channels), dtype)
    for rows in bands(*samples.shape[:2]):
        converted[rows] = convert(samples[rows])
    return converted
