"""HEIC, the photographs of many telephones, which Pillow reads with a package beside it."""

import io
from collections.abc import Iterator

from PIL import ImageFile

from faceops.images.errors import DECODING_ERRORS, DamagedImageError, UnsupportedImageError
from faceops.images.iso_boxes import boxes

BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
"""Brands behind ``ftyp`` at the beginning of a HEIC file."""


def is_heic(file: io.BytesIO | io.BufferedReader) -> bool:
    """Tell whether a file begins as a HEIC file does."""
    file.seek(4)
    return file.read(4) == b"ftyp" and file.read(4) in BRANDS


def open_heic(file: io.BytesIO | io.BufferedReader, name: str) -> ImageFile.ImageFile:
    """Open a HEIC file without decoding it.

    Raises:
        UnsupportedImageError: If pi-heif is not installed.
        DamagedImageError: If the header is damaged.
    """
    try:
        from pi_heif import HeifImageFile
    except ImportError as error:
        raise UnsupportedImageError(
            f"{name} is a HEIC photograph; pip install pi-heif, which reads them, or export it as JPEG."
        ) from error
    file.seek(0)
    # pi-heif 1.4 takes the process down with it if one of them is no text
    if not all(kind.isascii() for kind in _kinds_of_items(file.read())):
        raise DamagedImageError(f"{name} has a damaged header: an item of no kind that there is.")
    file.seek(0)
    try:
        return HeifImageFile(file)
    except DECODING_ERRORS as error:
        raise DamagedImageError(f"{name} has a damaged header: {error}.") from error


def _kinds_of_items(data: bytes) -> Iterator[bytes]:
    """Four letters for every item of a file, from its item information entries (ISO/IEC 14496-12, 8.11.6)."""
    for kind, content in boxes(data):
        at = content.find(b"infe") if kind == b"meta" else -1
        while at >= 0:
            version = content[at + 4 : at + 5]
            start = at + (12 if version == b"\x02" else 14)
            yield content[start : start + 4]
            at = content.find(b"infe", at + 4)
