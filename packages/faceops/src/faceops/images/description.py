"""What a file says of its picture beside EXIF: captions, keywords, people (XMP, IPTC, PNG), the density of pixels."""

import math
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from PIL import ExifTags, Image, ImageFile

from faceops.images.decoding import EncodedImage, stored_orientation
from faceops.images.extended_xmp import whole_xmp
from faceops.images.face_regions import turned_regions
from faceops.images.headers import TURNED, own_exif
from faceops.images.metadata import METADATA_ERRORS
from faceops.images.png_texts import Captions, captions_among, png_texts, raw_profile

Part = TypeVar("Part")

XMP_TAG, IPTC_TAG = 700, 33723
"""Tags of a TIFF."""

CENTIMETRE = 3
"""Unit of resolution in EXIF; the other is the inch."""

IPTC_RESOURCE = 0x0404
"""Number of the IPTC record among Photoshop's image resources."""

XMP_KEYWORD = "XML:com.adobe.xmp"
"""Keyword of the text in which PNG files hold XMP."""

RAW_IPTC = "Raw profile type iptc"
"""Keyword of the text in which PNG files hold the IPTC record, in hexadecimal, after ImageMagick's custom."""

ORIENTATION = re.compile(rb"(?<=tiff:Orientation)(\s*=\s*[\"']|>\s*)[2-8](?=\s*[\"'<])")
"""An orientation that is not one, as an attribute or an element of XMP."""

DIMENSION_NAMES = rb"(?:exif:Pixel[XY]Dimension|tiff:Image(?:Width|Length))"
DIMENSIONS = re.compile(
    rb"\s+" + DIMENSION_NAMES + rb"\s*=\s*([\"'])\d*\1|<(" + DIMENSION_NAMES + rb")>\s*\d*\s*</\2>\s*"
)
"""Sides in pixels, as attributes and as elements of XMP."""


@dataclass(frozen=True)
class Description:
    """Description of a picture, as it is kept in the result."""

    xmp: bytes | None = None
    """XMP packet, in UTF-8, orientation one and without the pixel dimensions, which a resized image would belie."""
    iptc: bytes | None = None
    """Record of IPTC's Information Interchange Model."""
    density: tuple[float, float] | None = None
    """Pixels per inch across and down, both above zero."""
    captions: Captions = ()
    """Texts of a PNG."""


UNDESCRIBED = Description()
"""No description."""


def read_description(file: EncodedImage) -> Description:
    """Description in an image file; what is damaged or missing is None.

    Read it before the pixels: Pillow changes the XMP of a picture that it turns.
    """
    image = file.header
    texts = png_texts(file.data) if image.format == "PNG" else {}
    return Description(
        whole(partial(read_xmp, texts=texts), image),
        whole(partial(read_iptc, texts=texts), image),
        whole(read_density, image),
        captions_among(texts),
    )


def whole(read: Callable[[ImageFile.ImageFile], Part], image: ImageFile.ImageFile) -> Part | None:
    """A part of the description; None if it is damaged."""
    try:
        return read(image)
    except METADATA_ERRORS:
        return None


def read_xmp(image: ImageFile.ImageFile, texts: Mapping[str, str]) -> bytes | None:
    """XMP packet of an opened file.

    Args:
        texts: Those of a PNG, where it may stand behind the pixels.
    """
    packet = image.info.get("xmp") or texts.get(XMP_KEYWORD)
    if packet is None and image.format == "TIFF":
        packet = image.tag_v2.get(XMP_TAG)  # type: ignore[attr-defined]
    if isinstance(packet, str):
        packet = packet.encode()
    if not packet:
        return None
    segments = [content for marker, content in getattr(image, "applist", ()) if marker == "APP1"]
    packet = whole_xmp(bytes(packet), segments)
    return upright_xmp(turned_regions(packet, stored_orientation(image)))


def upright_xmp(packet: bytes) -> bytes:
    """The packet with orientation one, as pixels are turned when they are read, and without sides in pixels.

    Example:
        >>> upright_xmp(b'<a tiff:Orientation="6" tiff:ImageWidth="40" dc:title="x"/>')
        b'<a tiff:Orientation="1" dc:title="x"/>'
    """
    return DIMENSIONS.sub(b"", ORIENTATION.sub(rb"\g<1>1", packet))


def read_iptc(image: Image.Image, texts: Mapping[str, str]) -> bytes | None:
    """IPTC record of an opened file: a JPEG, a TIFF, or a PNG with `RAW_IPTC`.

    Args:
        texts: Those of a PNG.
    """
    if image.format == "TIFF":
        return _tiff_bytes(image, IPTC_TAG)
    if RAW_IPTC in texts:
        stored = raw_profile(texts[RAW_IPTC])
        return iptc_of_resources(stored) if stored.startswith(b"8BIM") else stored or None
    resources = image.info.get("photoshop")
    found = resources.get(IPTC_RESOURCE) if isinstance(resources, dict) else None
    return found if isinstance(found, bytes) and found else None


def iptc_of_resources(resources: bytes) -> bytes | None:
    """IPTC record among Photoshop's image resources; None if there is none.

    Example:
        >>> iptc_of_resources(iptc_resource(b"record"))
        b'record'
    """
    at = 0
    while resources[at : at + 4] == b"8BIM":
        number, name_length = struct.unpack_from(">HB", resources, at + 4)
        at += 6 + name_length + 1 + (name_length + 1) % 2
        (size,) = struct.unpack_from(">I", resources, at)
        if number == IPTC_RESOURCE:
            return resources[at + 4 : at + 4 + size]
        at += 4 + size + size % 2
    return None


def iptc_resource(record: bytes) -> bytes:
    """An IPTC record as one of Photoshop's image resources."""
    return struct.pack(">4sHHI", b"8BIM", IPTC_RESOURCE, 0, len(record)) + record + b"\0" * (len(record) % 2)


def read_density(image: ImageFile.ImageFile) -> tuple[float, float] | None:
    """Pixels per inch of an opened file, across and down as it is shown."""
    if image.format == "TIFF" and ExifTags.Base.XResolution not in image.tag_v2:  # type: ignore[attr-defined]
        return None  # where it says nothing, Pillow says 1
    # PNG stores whole pixels per metre: 300 per inch come back as 299.9994
    across, down = (round(float(value), 2) for value in image.info.get("dpi") or exif_density(image))
    if not (math.isfinite(across) and math.isfinite(down) and min(across, down) > 0):
        return None
    return (down, across) if stored_orientation(image) in TURNED else (across, down)


def exif_density(image: Image.Image) -> tuple[float, float]:
    """Pixels per inch that an EXIF block says, in formats that say them nowhere else; zeros if it does not."""
    exif = own_exif(image)
    inches = 2.54 if exif.get(ExifTags.Base.ResolutionUnit) == CENTIMETRE else 1
    across, down = exif.get(ExifTags.Base.XResolution, 0), exif.get(ExifTags.Base.YResolution, 0)
    return float(across) * inches, float(down) * inches


def _tiff_bytes(image: Image.Image, tag: int) -> bytes | None:
    tags = image.tag_v2  # type: ignore[attr-defined]
    value = tags.get(tag)
    if isinstance(value, int):
        value = (value,)
    if isinstance(value, tuple):  # libtiff writes bytes as whole numbers of 32 bits, in the order of the file
        order = "<" if tags.prefix == b"II" else ">"
        value = struct.pack(f"{order}{len(value)}I", *value)
    return value if isinstance(value, bytes) and value else None
