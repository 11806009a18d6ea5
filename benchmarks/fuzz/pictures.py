"""Small pictures of every format and depth that is read, drawn with Pillow, and pictures that announce too much."""

import io
import struct
import zlib
from functools import cache

import numpy as np
from PIL import Image

FORMATS: tuple[tuple[str, str, str], ...] = (
    *((".png", "PNG", mode) for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16")),
    *((".jpg", "JPEG", mode) for mode in ("RGB", "L", "CMYK")),
    *((".webp", "WEBP", mode) for mode in ("RGB", "RGBA")),
    *((".tif", "TIFF", mode) for mode in ("RGB", "RGBA", "L", "P", "1", "I;16", "F", "CMYK", "LAB")),
    *((".bmp", "BMP", mode) for mode in ("RGB", "L", "P", "1")),
    *((".gif", "GIF", mode) for mode in ("P", "L")),
    *((".ppm", "PPM", mode) for mode in ("RGB", "L", "1")),
)
"""Suffix, Pillow's format and mode."""


@cache
def portrait(side: int) -> Image.Image:
    """Square around the face of the photograph that scikit-image carries."""
    from skimage.data import astronaut

    return Image.fromarray(astronaut()).crop((96, 0, 352, 256)).resize((side, side))


@cache
def picture_bytes(kind: int, side: int) -> bytes:
    """File of one of `FORMATS`, with EXIF where the format has it."""
    _, name, mode = FORMATS[kind]
    shown = portrait(side)
    if mode in ("I;16", "F"):
        grey = np.asarray(shown.convert("L"))
        shown = Image.fromarray(grey.astype(np.uint16) * 257 if mode == "I;16" else grey.astype(np.float32) / 255)
    elif mode != "LAB":
        shown = shown.convert(mode)
    else:
        shown = Image.merge("LAB", shown.split())
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter
    exif[0x010E] = "drawn"
    file = io.BytesIO()
    shown.save(file, name, **({"exif": exif} if name in ("JPEG", "PNG", "WEBP") else {}))
    return file.getvalue()


def odd_png(width: int, height: int) -> bytes:
    """PNG of the portrait, squeezed to a size."""
    file = io.BytesIO()
    portrait(16).resize((width, height)).save(file, "PNG")
    return file.getvalue()


def huge_png(width: int, height: int) -> bytes:
    """PNG that announces a size and holds one row."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(width)))]
    parts = (struct.pack(">I", len(c)) + kind + c + struct.pack(">I", zlib.crc32(kind + c)) for kind, c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def repaired_png(data: bytes) -> bytes:
    """PNG whose chunks have right checksums again as far as their lengths are right, so that damage gets further."""
    parts, place = [data[:8]], 8
    while place + 12 <= len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        end = place + 8 + length
        if end + 4 > len(data):
            break
        parts += [data[place:end], struct.pack(">I", zlib.crc32(data[place + 4 : end]))]
        place = end + 4
    return b"".join(parts) + data[place:]
