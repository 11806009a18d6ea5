"""EXIF of PNG files, wherever it stands: in its chunk or in the text of ImageMagick, before or behind the pixels."""

import io
from contextlib import suppress

from PIL.ImageFile import ImageFile

from faceops.images.png_texts import raw_profile, text_of
from faceops.images.sample_layout import chunks_of

RAW_EXIF = b"Raw profile type exif"
"""Keyword of the text in which PNG files held EXIF before they had a chunk for it, in hexadecimal."""


def read_png_exif(image: ImageFile, file: io.BytesIO | io.BufferedReader) -> None:
    """Have an opened PNG know its EXIF: Pillow finds what is behind the pixels only when it decodes these.

    Args:
        file: What it was opened from; the pixels are skipped.
    """
    if "exif" in image.info:
        return
    place = file.tell()
    exif = png_exif(file)
    file.seek(place)
    if exif is not None:
        image.info["exif"] = exif


def png_exif(file: io.BytesIO | io.BufferedReader) -> bytes | None:
    """EXIF block of a PNG, of which the chunk counts before the text; None if there is none."""
    profile = None
    for kind, content in chunks_of(file, behind_pixels=True):
        if kind == b"eXIf":
            return content
        if profile is None and content.startswith(RAW_EXIF + b"\0"):
            profile = _profile(kind, content)
    return profile


def _profile(kind: bytes, content: bytes) -> bytes | None:
    text = text_of(kind, content)
    with suppress(ValueError):  # no hexadecimal
        return None if text is None else raw_profile(text[1])
    return None
