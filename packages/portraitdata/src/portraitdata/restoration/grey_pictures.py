"""Pictures without colour, as old photographs are."""

import numpy as np
from jaxtyping import UInt8

from portraitdata.degradation.noise import LUMA


def grey_picture(picture: UInt8[np.ndarray, "3 h w"]) -> UInt8[np.ndarray, "3 h w"]:
    """Luma of ITU-R BT.601 in all three channels.

    Example:
        >>> grey_picture(np.array([255, 0, 0], np.uint8).reshape(3, 1, 1)).ravel().tolist()
        [76, 76, 76]
    """
    luma = np.rint(np.tensordot(LUMA[0], picture.astype(np.float32), 1)).astype(np.uint8)
    return np.repeat(luma[None], 3, axis=0)
