"""From samples to the bytes of an image file, with colour profile and EXIF block."""

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from faceops.images.decoding import Samples
from faceops.images.metadata import tiff_tags

WRITABLE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
"""File name suffixes that can be encoded."""

PILLOW_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
PNG_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""Channels to the colour type of PNG."""


def encode_samples(
    samples: Samples,
    suffix: str,
    *,
    quality: int,
    icc_profile: bytes | None,
    exif: bytes | None,
) -> bytes:
    """Encode samples.

    Args:
        samples: (h, w, c) with c = 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA; 16-bit ones for PNG and TIFF only.
        suffix: One of `WRITABLE_SUFFIXES`.
        quality: 1 to 100, of the lossy formats.
        icc_profile: Profile to embed.
        exif: EXIF block to embed; TIFF takes what describes the photograph.
    """
    if suffix in (".tif", ".tiff"):
        return _tiff(samples, icc_profile, exif)
    if samples.dtype == np.uint16:
        return _deep_png(np.ascontiguousarray(samples, np.uint16), icc_profile, exif)
    image = Image.fromarray(samples.squeeze(2) if samples.shape[2] == 1 else samples)
    options: dict[str, object] = {"icc_profile": icc_profile}  # of Pillow's save
    if suffix in (".jpg", ".jpeg"):
        options |= {"quality": quality, "subsampling": 0}
    elif suffix == ".webp":
        options |= {"quality": quality}
    if exif is not None:
        options["exif"] = exif
    buffer = io.BytesIO()
    image.save(buffer, PILLOW_FORMATS[suffix], **options)
    return buffer.getvalue()


def _deep_png(samples: NDArray[np.uint16], icc_profile: bytes | None, exif: bytes | None) -> bytes:
    height, width, channels = samples.shape
    header = struct.pack(">IIBBBBB", width, height, 16, PNG_COLOUR_TYPES[channels], 0, 0, 0)
    rows = samples.astype(">u2").view(np.uint8).reshape(height, width * channels * 2)
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    filtered = np.hstack([np.full((height, 1), 2, np.uint8), rows - above])  # filter 2: difference to the row above
    chunks = [_chunk(b"IHDR", header)]
    if icc_profile is not None:
        chunks.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc_profile)))
    if exif is not None:
        chunks.append(_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")))
    chunks += [_chunk(b"IDAT", zlib.compress(filtered.tobytes(), 6)), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _tiff(samples: Samples, icc_profile: bytes | None, exif: bytes | None) -> bytes:
    """The directory of tags, then one deflated strip; Pillow writes neither 16 bits nor, compressed, EXIF's tags."""
    height, width, channels = samples.shape
    strip = zlib.compress(samples.astype(samples.dtype.newbyteorder("<")).tobytes(), 6)
    tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    tags[TiffImagePlugin.IMAGEWIDTH] = width
    tags[TiffImagePlugin.IMAGELENGTH] = height
    tags[TiffImagePlugin.BITSPERSAMPLE] = (8 * samples.dtype.itemsize,) * channels
    tags[TiffImagePlugin.COMPRESSION] = 8  # deflate
    tags[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] = 1 if channels < 3 else 2
    tags[TiffImagePlugin.STRIPOFFSETS] = 0  # Pillow adds the length of the directory
    tags[TiffImagePlugin.SAMPLESPERPIXEL] = channels
    tags[TiffImagePlugin.ROWSPERSTRIP] = height
    tags[TiffImagePlugin.STRIPBYTECOUNTS] = len(strip)
    tags[TiffImagePlugin.PLANAR_CONFIGURATION] = 1
    if channels in (2, 4):
        tags[TiffImagePlugin.EXTRASAMPLES] = 2  # straight alpha
    if icc_profile is not None:
        tags[TiffImagePlugin.ICCPROFILE] = icc_profile
    for tag, value in (tiff_tags(exif) if exif is not None else {}).items():
        tags[tag] = value
    buffer = io.BytesIO()
    tags.save(buffer)
    return buffer.getvalue() + strip
