"""Blur on the CPU: correlation with a small kernel, the image mirrored at its border without the edge pixel repeated.

OpenCV convolves directly up to 11 x 11 and by Fourier transform from there on. Both are slower than a few separable
passes, and most kernels here are a sum of few separable ones (singular value decomposition): a round Gaussian is one,
a sinc of moderate size four or five.
"""

import cv2
import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from portraitdata.degradation.kernels import trimmed

RANK_TOLERANCE = 2e-5
"""Weight that the separable parts may miss altogether: no value of an image changes by more than 1/200 of a level."""

DIRECT_SIZE = 11
"""Largest side that OpenCV convolves directly, which is faster than two separable passes."""

MAX_PASSES = 4
"""Separable passes that are faster than a Fourier transform."""


def filtered(
    image: Float32[np.ndarray, "h w 3"], kernel: Float64[np.ndarray, "size size"]
) -> Float32[np.ndarray, "h w 3"]:
    """Correlate each channel with a kernel of odd size.

    Example:
        >>> step = np.zeros((1, 4, 3), np.float32)
        >>> step[:, 2:] = 1
        >>> filtered(step, np.full((3, 3), 1 / 9))[0, :, 0].round(3)
        array([0.   , 0.333, 0.667, 1.   ], dtype=float32)
    """
    kernel = trimmed(kernel)
    if kernel.shape[0] == 1:
        return image * np.float32(kernel[0, 0])
    passes = separable_parts(kernel, 1 if kernel.shape[0] <= DIRECT_SIZE else MAX_PASSES)
    if not passes:
        return cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
    total = np.zeros_like(image)
    for down, right in passes:
        total += cv2.sepFilter2D(image, -1, right, down, borderType=cv2.BORDER_REFLECT_101)
    return total


def separable_parts(
    kernel: Float64[np.ndarray, "size size"], most: int
) -> list[tuple[Float64[np.ndarray, " size"], Float64[np.ndarray, " size"]]]:
    """Columns and rows whose outer products add up to a kernel; none if it takes more than `most` of them.

    Args:
        kernel: One that is the same when turned by half a circle.

    Example:
        >>> column, row = separable_parts(np.outer([1.0, 2.0, 1.0], [3.0, 4.0, 3.0]), most=1)[0]
        >>> np.outer(column, row).round(6).tolist()
        [[3.0, 4.0, 3.0], [6.0, 8.0, 6.0], [3.0, 4.0, 3.0]]
        >>> separable_parts(np.eye(3), most=2)
        []
    """
    columns, weights, rows = np.linalg.svd(kernel)
    rest = kernel.copy()
    parts = []
    for number in range(most):
        root = np.sqrt(weights[number])
        column, row = _mirrored(columns[:, number]) * root, _mirrored(rows[number]) * root
        parts.append((column, row))
        rest -= np.outer(column, row)
        if np.abs(rest).sum() <= RANK_TOLERANCE:
            return parts
    return []


def _mirrored(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """The even or odd part of a vector, whichever is larger, exactly so: OpenCV then needs half the products.

    A kernel that is the same when turned by half a circle, as all here are, has even and odd singular vectors only.
    """
    even, odd = (vector + vector[::-1]) / 2, (vector - vector[::-1]) / 2
    return even if np.abs(even).sum() > np.abs(odd).sum() else odd
