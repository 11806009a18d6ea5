"""JPEG on the CPU: libjpeg itself, through OpenCV, colours subsampled 2 x 2."""

import cv2
import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from portraitdata.degradation.noise import eight_bit


def compressed(image: Float32[np.ndarray, "h w 3"], quality: int) -> Float32[np.ndarray, "h w 3"]:
    """Round an image in [0, 1] to 8 bits, compress and decompress it.

    Args:
        image: RGB; values outside [0, 1] are clipped.
        quality: 1 to 100.

    Raises:
        ValueError: If the quality is out of range.

    Example:
        >>> compressed(np.full((8, 8, 3), 0.2, np.float32), 90)[0, 0].round(2)
        array([0.2, 0.2, 0.2], dtype=float32)
    """
    if not 1 <= quality <= 100:
        raise ValueError(f"JPEG knows qualities from 1 to 100, got {quality}.")
    parameters = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x221111]
    # Neither call is told that the channels are RGB: swapped once each way.
    _, data = cv2.imencode(".jpg", eight_bit(image)[..., ::-1], parameters)
    decoded: NDArray[np.uint8] | None = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    assert decoded is not None
    return decoded.astype(np.float32) * np.float32(1 / 255)
