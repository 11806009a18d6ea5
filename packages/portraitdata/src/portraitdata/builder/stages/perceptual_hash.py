"""A 64-bit hash of what an image looks like, after Zauner (2010): signs of its low frequencies."""

import cv2
import numpy as np
from jaxtyping import UInt8

SIDE = 32
"""Pixels that an image is reduced to."""

LOW = 8
"""Frequencies in each direction; the means of rows and columns are left out."""


def perceptual_hash(grey: UInt8[np.ndarray, "h w"]) -> int:
    """Hash of a grey image: which of its low frequencies are above their median.

    Images that look alike differ in a few of the 64 bits, unrelated ones in about 32.
    """
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[1 : LOW + 1, 1 : LOW + 1]
    bits = (low > np.median(low)).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
