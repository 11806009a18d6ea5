"""From samples to the bytes of an image file, with colour profile, EXIF block and description."""

import io
import struct
import warnings
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from faceops.images.decoding import Samples
from faceops.images.deep_avif import encode_deep_avif
from faceops.images.description import (
    IPTC_TAG,
    RAW_IPTC,
    UNDESCRIBED,
    XMP_KEYWORD,
    XMP_TAG,
    Description,
    iptc_resource,
)
from faceops.images.errors import UnsupportedImageError
from faceops.images.extended_xmp import further_segments, split_xmp
from faceops.images.face_regions import resized_regions
from faceops.images.metadata import INCH, exif_with_density, exif_within, tiff_tags
from faceops.images.png_texts import caption_chunk, xmp_of_captions

WRITABLE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".avif")
"""File name suffixes that can be encoded."""

DEEP_SUFFIXES = (".png", ".tif", ".tiff", ".avif")
"""Those of formats that have more than eight bits."""

PNG_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""Channels to the colour type of PNG."""

PNG_HEADER_END = 33
"""Byte of a PNG where its first chunk, of sides and depth, ends."""

METRES_OF_INCH = 0.0254


LONGEST_SEGMENT = 65_533
"""Bytes that a segment of a JPEG holds."""

XMP_SEGMENT, PHOTOSHOP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop 3.0\0"
"""What the segments of a JPEG begin with that hold XMP and IPTC."""


@dataclass(frozen=True)
class Embedded:
    """What is written beside the samples."""

    icc_profile: bytes | None = None
    exif: bytes | None = None
    """TIFF takes what describes the photograph."""
    description: Description = UNDESCRIBED


NOTHING_EMBEDDED = Embedded()


def encode_samples(samples: Samples, suffix: str, *, quality: int, embedded: Embedded = NOTHING_EMBEDDED) -> bytes:
    """Encode samples.

    Args:
        samples: (h, w, c) with c = 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA; 16-bit ones for `DEEP_SUFFIXES` only.
        suffix: One of `WRITABLE_SUFFIXES`.
        quality: 1 to 100, of the lossy formats.
        embedded: What to embed.

    Warns:
        UserWarning: If the format has no room for a part of it.
    """
    embedded = replace(embedded, description=_fitted(embedded.description, samples, suffix))
    if suffix in (".tif", ".tiff"):
        return _tiff(samples, embedded)
    if suffix in (".jpg", ".jpeg"):
        return _jpeg(samples, quality, embedded)
    if suffix == ".webp":
        return _webp(samples, quality, embedded)
    if suffix == ".avif":
        return _avif(samples, quality, embedded)
    if samples.dtype == np.uint16:
        png = _deep_png(np.ascontiguousarray(samples, np.uint16), embedded.icc_profile, embedded.exif)
    else:
        png = _saved(samples, "PNG", icc_profile=embedded.icc_profile, exif=embedded.exif)
    return png[:PNG_HEADER_END] + b"".join(_description_chunks(embedded.description)) + png[PNG_HEADER_END:]


def _fitted(told: Description, samples: Samples, suffix: str) -> Description:
    """A description of the size of the samples, in which XMP says what captions do where a format has none."""
    height, width = samples.shape[:2]
    if told.xmp is not None:
        told = replace(told, xmp=resized_regions(told.xmp, height, width))
    if suffix == ".png" or not told.captions:
        return told
    packet, left = xmp_of_captions(told.captions)
    if told.xmp is not None:
        left = [keyword for keyword, _ in told.captions]
    if left:
        warnings.warn(
            f"Only PNG has a place for these captions, which are left out: {', '.join(left)}.",
            UserWarning,
            stacklevel=3,
        )
    return replace(told, xmp=told.xmp or packet, captions=())


def _saved(samples: Samples, kind: str, **options: object) -> bytes:
    """File of a format of Pillow, with options of its `save`; those of None are left out."""
    image = Image.fromarray(samples.squeeze(2) if samples.shape[2] == 1 else samples)
    buffer = io.BytesIO()
    image.save(buffer, kind, **{name: value for name, value in options.items() if value is not None})
    return buffer.getvalue()


def _webp(samples: Samples, quality: int, embedded: Embedded) -> bytes:
    exif, xmp = _exif_and_xmp(embedded, "WebP")
    return _saved(samples, "WEBP", quality=quality, icc_profile=embedded.icc_profile, exif=exif, xmp=xmp)


def _avif(samples: Samples, quality: int, embedded: Embedded) -> bytes:
    """AVIF of 8 or, of deep samples, 12 bits; colours are not subsampled."""
    exif, xmp = _exif_and_xmp(embedded, "AVIF")
    if samples.shape[2] == 2:
        samples = samples[..., [0, 0, 0, 1]]
    if samples.dtype == np.uint16:
        return encode_deep_avif(samples.astype(np.uint16, copy=False), quality, embedded.icc_profile, exif, xmp)
    Image.init()
    if "AVIF" not in Image.SAVE:
        raise UnsupportedImageError("This Pillow is built without AVIF; install a wheel of it, or write .png.")
    sampling = None if samples.shape[2] == 1 else "4:4:4"
    profile = embedded.icc_profile
    return _saved(samples, "AVIF", quality=quality, subsampling=sampling, icc_profile=profile, exif=exif, xmp=xmp)


def _exif_and_xmp(embedded: Embedded, kind: str) -> tuple[bytes | None, bytes | None]:
    """EXIF block, which says the density too, and XMP packet of a format that has no other place for metadata."""
    told = embedded.description
    if told.iptc is not None:
        warnings.warn(f"{kind} has no place for an IPTC record, which is left out.", UserWarning, stacklevel=3)
    return embedded.exif if told.density is None else exif_with_density(embedded.exif, told.density), told.xmp


def _jpeg(samples: Samples, quality: int, embedded: Embedded) -> bytes:
    told = embedded.description
    exif, dropped = (None, []) if embedded.exif is None else exif_within(embedded.exif, LONGEST_SEGMENT)
    if dropped:
        warnings.warn(
            f"A JPEG holds 64 kB of EXIF at most, so the largest tags are left out: {', '.join(dropped)}.",
            UserWarning,
            stacklevel=2,
        )
    segments = b""
    if told.xmp is not None:
        segments += _xmp_segments(told.xmp)
    if told.iptc is not None:
        segments += _segment(b"\xff\xed", PHOTOSHOP_SEGMENT + iptc_resource(told.iptc), "IPTC")
    density = None if told.density is None or max(told.density) > 65_535 else told.density
    return _saved(
        samples,
        "JPEG",
        quality=quality,
        subsampling=0,
        icc_profile=embedded.icc_profile,
        exif=exif,
        dpi=density,
        extra=segments or None,
    )


def _xmp_segments(packet: bytes) -> bytes:
    """Segments of a JPEG for XMP: one, or further ones where it would be too long."""
    further = b""
    with suppress(ValueError, RecursionError):  # no XML, or nested deeper than Python can follow: it is left out whole
        if len(XMP_SEGMENT) + len(packet) > LONGEST_SEGMENT:
            packet, further = split_xmp(packet, LONGEST_SEGMENT - len(XMP_SEGMENT))
    pieces = (_segment(b"\xff\xe1", content, "XMP") for content in further_segments(further))
    return _segment(b"\xff\xe1", XMP_SEGMENT + packet, "XMP") + b"".join(pieces)


def _segment(marker: bytes, content: bytes, kind: str) -> bytes:
    """Segment of a JPEG; none if it would be too long."""
    if len(content) > LONGEST_SEGMENT:
        warnings.warn(f"A JPEG holds 64 kB of {kind} at most, so it is left out.", UserWarning, stacklevel=3)
        return b""
    return marker + struct.pack(">H", len(content) + 2) + content


def _description_chunks(told: Description) -> list[bytes]:
    """Chunks of a PNG for a description; they stand before the pixels."""
    chunks = []
    if told.density is not None:
        per_metre = (min(round(value / METRES_OF_INCH), 2**31 - 1) for value in told.density)
        chunks.append(_chunk(b"pHYs", struct.pack(">IIB", *per_metre, 1)))
    chunks += [_chunk(*caption_chunk(keyword, text)) for keyword, text in told.captions]
    if told.xmp is not None:
        chunks.append(_chunk(b"iTXt", XMP_KEYWORD.encode() + b"\0\0\0\0\0" + told.xmp))
    if told.iptc is not None:
        stored = iptc_resource(told.iptc)
        lines = "\n".join(stored[at : at + 36].hex() for at in range(0, len(stored), 36))
        text = f"\niptc\n{len(stored):8d}\n{lines}\n".encode()
        chunks.append(_chunk(b"zTXt", RAW_IPTC.encode() + b"\0\0" + zlib.compress(text)))
    return chunks


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


def _tiff(samples: Samples, embedded: Embedded) -> bytes:
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
    if embedded.icc_profile is not None:
        tags[TiffImagePlugin.ICCPROFILE] = embedded.icc_profile
    for tag, value in (tiff_tags(embedded.exif) if embedded.exif is not None else {}).items():
        tags[tag] = value
    for tag, value in _description_tags(embedded.description).items():
        tags[tag] = value
    buffer = io.BytesIO()
    tags.save(buffer)
    return buffer.getvalue() + strip


def _description_tags(told: Description) -> dict[int, Any]:
    """Tags of a TIFF for a description."""
    tags: dict[int, Any] = {}
    if told.density is not None:
        tags[TiffImagePlugin.X_RESOLUTION], tags[TiffImagePlugin.Y_RESOLUTION] = told.density
        tags[TiffImagePlugin.RESOLUTION_UNIT] = INCH
    if told.xmp is not None:
        tags[XMP_TAG] = told.xmp
    if told.iptc is not None:
        tags[IPTC_TAG] = told.iptc
    return tags
