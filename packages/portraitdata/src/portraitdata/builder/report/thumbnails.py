"""Small copies of images, within the page itself."""

import base64
from collections.abc import Sequence
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from faceops.images.decoding import decode_raster
from faceops.images.encoding import encode_samples
from faceops.images.errors import ImageFileError
from faceops.images.files import srgb_bytes

SIDE = 176
"""Longer side of a small copy, in pixels."""

QUALITY = 80
"""Of its JPEG."""

FACE_MARGIN = 0.45
"""Margin around the box of a face on each side, in sides of the box."""


def thumbnail(data: bytes, name: str, box: Sequence[float] | None = None, side: int = SIDE) -> NDArray[np.uint8]:
    """A small copy of an image, sRGB (h, w, 3), or of a face in it.

    Args:
        name: What an error calls it.
        box: Left, top, right and bottom of a face, in pixels.
        side: Longer side of the copy, at most; in pixels.

    Raises:
        ImageFileError: If it is no image that can be decoded.
    """
    raster = decode_raster(data, name)
    height, width = raster.samples.shape[:2]
    top, left, bottom, right = 0, 0, height, width
    if box is not None:
        x0, y0, x1, y1 = box
        reach = max(x1 - x0, y1 - y0) * (0.5 + FACE_MARGIN)
        middle_x, middle_y = (x0 + x1) / 2, (y0 + y1) / 2
        left, right = (int(np.clip(middle_x + sign * reach, 0, width)) for sign in (-1, 1))
        top, bottom = (int(np.clip(middle_y + sign * reach, 0, height)) for sign in (-1, 1))
        if right <= left or bottom <= top:
            top, left, bottom, right = 0, 0, height, width
    pixels = srgb_bytes(raster, top, left, bottom - top, right - left).transpose(1, 2, 0)
    scale = min(1.0, side / max(pixels.shape[:2]))
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    return np.asarray(cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA), np.uint8)


def image_tag(pixels: NDArray[np.uint8], words: str) -> str:
    """An ``<img>`` that holds its image.

    Args:
        pixels: sRGB (h, w, 3).
        words: What it shows, for those who cannot see it.
    """
    data = encode_samples(pixels, ".jpg", quality=QUALITY)
    height, width = pixels.shape[:2]
    source = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
    return f'<img src="{source}" width="{width}" height="{height}" alt="{escape(words, quote=True)}">'


def image_or_words(data: bytes | OSError, name: str, words: str, box: Sequence[float] | None = None) -> str:
    """A small copy, or a place that says why there is none.

    Args:
        data: Image file, or why it could not be read.
    """
    if isinstance(data, OSError):
        return unreadable(str(data))
    try:
        return image_tag(thumbnail(data, name, box), words)
    except ImageFileError as error:
        return unreadable(str(error))


def unreadable(why: str) -> str:
    """A place without an image; pointing at it says why."""
    return f'<span class="gone" title="{escape(why, quote=True)}">cannot be read</span>'
