"""Resizing on the CPU: as torch's `interpolate` does without antialiasing and with `align_corners=False`.

OpenCV's bilinear and bicubic (a = -0.75) are the same up to 4e-5 and faster. Its INTER_AREA is not: torch's "area"
takes the mean over whole pixels, OpenCV's weighs the pixels at the border of a window.
"""

import cv2
import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from portraitdata.degradation.records import ResizeMode
from portraitdata.images.bicubic_bands import bicubic_bands


def resized(
    image: Float32[np.ndarray, "h w 3"], height: int, width: int, mode: ResizeMode
) -> Float32[np.ndarray, "{height} {width} 3"]:
    """Resize an image to `height` x `width` pixels.

    Example:
        >>> ramp = np.arange(4, dtype=np.float32).reshape(1, 4, 1).repeat(3, axis=2)
        >>> resized(ramp, 1, 3, "area")[0, :, 0].tolist(), resized(ramp, 1, 2, "bilinear")[0, :, 0].tolist()
        ([0.5, 1.5, 2.5], [0.5, 2.5])
    """
    if image.shape[:2] == (height, width):
        return image
    if mode == "area":
        # the mean over the pixels that each new one covers, wholly or in part: rows first, then columns as rows
        return cv2.transpose(_mean_rows(cv2.transpose(_mean_rows(image, height)), width))
    interpolation = cv2.INTER_LINEAR if mode == "bilinear" else cv2.INTER_CUBIC
    return cv2.resize(image, (width, height), interpolation=interpolation)


def reduced(image: Float32[np.ndarray, "h w 3"], height: int, width: int) -> Float32[np.ndarray, "{height} {width} 3"]:
    """Resample an image by MATLAB's antialiased bicubic, as `portraitdata.images.resampling.bicubic` does.

    Example:
        >>> ramp = np.arange(4, dtype=np.float32).reshape(1, 4, 1).repeat(3, axis=2)
        >>> [round(value, 2) for value in reduced(ramp, 1, 2)[0, :, 0].tolist()]
        [0.46, 2.54]
    """
    if image.shape[:2] == (height, width):
        return image
    shorter = _bicubic_rows(image.reshape(len(image), -1), height)
    return _bicubic_rows(shorter.reshape(height, -1, 3), width)


def _bicubic_rows(image: NDArray[np.float32], target: int) -> NDArray[np.float32]:
    """Image with `target` rows, of a batch of images too."""
    bands = bicubic_bands(image.shape[-2], target)
    weights = bands.weights.astype(np.float32)
    blocks = (weights[number * bands.rows : (number + 1) * bands.rows] for number in range(len(bands.parts)))
    pieces = [block @ image[..., part, :] for block, part in zip(blocks, bands.parts, strict=True)]
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=-2)


def _mean_rows(image: NDArray[np.float32], target: int) -> NDArray[np.float32]:
    number = np.arange(target)
    first, end = number * len(image) // target, -(-(number + 1) * len(image) // target)
    count = end - first
    total = image[first]
    for step in range(1, int(count.max())):
        longer = np.flatnonzero(count > step)
        if len(longer) == target:
            total += image[first + step]
        else:
            total[longer] += image[first[longer] + step]
    total /= count[:, None, None].astype(np.float32)
    return total
