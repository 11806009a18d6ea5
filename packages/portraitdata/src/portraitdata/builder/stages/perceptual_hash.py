"""A 64-bit hash of what an image looks like, after Zauner (2010): signs of its low frequencies."""

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from portraitdata.restoration.index.similar_faces import SimilarFaces, similar_faces

SIDE = 32
"""Pixels that an image is reduced to."""

LOW = 8
"""Frequencies in each direction; the means of rows and columns are left out."""

BITS = LOW * LOW


def perceptual_hash(grey: UInt8[np.ndarray, "h w"]) -> int:
    """Hash of a grey image: which of its low frequencies are above their median.

    Images that look alike differ in a few of the 64 bits, unrelated ones in about 32.
    """
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[1 : LOW + 1, 1 : LOW + 1]
    bits = (low > np.median(low)).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def alike_hashes(hashes: NDArray[np.uint64], at_most: int) -> SimilarFaces:
    """All pairs of hashes that differ in few bits, by comparing each with each.

    Args:
        at_most: Bits that may differ; a negative number finds nothing.

    Returns:
        Pairs a < b; their cosine is 1 - bits / 32.

    Example:
        >>> found = alike_hashes(np.array([0, 0b111, 2**64 - 1], np.uint64), 3)
        >>> list(zip(found.a.tolist(), found.b.tolist(), found.cosine.tolist()))
        [(0, 1, 0.90625)]
    """
    bits = np.unpackbits(hashes.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1)
    # With bits as +-1 the cosine is 1 - 2 n / 64; the threshold lies half a bit below that of the last pair.
    return similar_faces(bits * np.float32(2) - 1, np.arange(len(hashes)), 1 - (2 * at_most + 1) / BITS)
