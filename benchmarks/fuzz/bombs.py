"""Small whole files that grow when they are read: metadata that inflate, directories in circles, endless frames."""

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache

from PIL import Image, ImageSequence

from benchmarks.fuzz.pictures import picture_bytes, portrait

INFLATED = 2**28
"""Bytes that a compressed part becomes."""

IMAGE_HEADER_END = 33
"""Bytes of a PNG's signature and first chunk, behind which others may stand."""

FRAMES = 20_000


@cache
def inflating() -> bytes:
    """Compressed zeros, `INFLATED` of them."""
    return zlib.compress(bytes(INFLATED))


def chunk(kind: bytes, content: bytes) -> bytes:
    """Chunk of a PNG, with its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_with(kind: bytes, content: bytes, side: int) -> bytes:
    """PNG with one more chunk before its pixels."""
    data = picture_bytes(0, side)
    return data[:IMAGE_HEADER_END] + chunk(kind, content) + data[IMAGE_HEADER_END:]


def inflating_text(side: int) -> bytes:
    """PNG with a compressed text."""
    return png_with(b"zTXt", b"Comment\0\0" + inflating(), side)


def inflating_xmp(side: int) -> bytes:
    """PNG with a compressed XMP packet."""
    return png_with(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + inflating(), side)


def inflating_profile(side: int) -> bytes:
    """PNG with a compressed colour profile."""
    return png_with(b"iCCP", b"profile\0\0" + inflating(), side)


def circling_exif(side: int) -> bytes:
    """PNG with an EXIF directory that follows itself and points to itself for more."""
    entry = struct.pack("<HHII", 0x8769, 4, 1, 8)
    return png_with(b"eXIf", b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 8), side)


def circling_tiff(side: int) -> bytes:
    """TIFF whose directory says that it is the next one too."""
    file = io.BytesIO()
    portrait(side).save(file, "TIFF")
    data = bytearray(file.getvalue())
    (first,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * entries, first)
    return bytes(data)


@cache
def endless_frames(side: int) -> bytes:
    """GIF of `FRAMES` frames."""
    file = io.BytesIO()
    frames = [portrait(side).convert("P"), Image.new("P", (side, side))]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    data = file.getvalue()
    with Image.open(io.BytesIO(data)) as picture:
        assert len(list(ImageSequence.Iterator(picture))) == 2
    last = data[data.rindex(b"\x21\xf9\x04") : -1]
    return data[:-1] + last * (FRAMES - 2) + data[-1:]


BOMBS: tuple[tuple[str, Callable[[int], bytes]], ...] = (
    (".png", inflating_text),
    (".png", inflating_xmp),
    (".png", inflating_profile),
    (".png", circling_exif),
    (".tif", circling_tiff),
    (".gif", endless_frames),
)
"""Suffix and what makes the file, from the side of the picture."""
