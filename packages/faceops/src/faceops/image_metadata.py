"""What an image file says of itself beside its pixels: the EXIF block, which lies open in a TIFF."""

from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image, TiffImagePlugin

from faceops.image_errors import DECODING_ERRORS

METADATA_ERRORS = (*DECODING_ERRORS, TypeError, KeyError)
"""What Pillow raises on tags that are damaged."""

TIFF_TAGS = tuple(
    getattr(ExifTags.Base, name)
    for name in (
        *("DocumentName", "ImageDescription", "Make", "Model", "Software", "DateTime", "Artist", "HostComputer"),
        *("XResolution", "YResolution", "ResolutionUnit", "Copyright"),
    )
)
"""Tags of a TIFF that describe the photograph; most of the others describe how the file is laid out."""

DIRECTORIES = ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo
"""Tags that hold further tags: of the exposure, of the place."""

DIMENSIONS = ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight


def exif_block(image: Image.Image) -> bytes | None:
    """EXIF block of an opened file with orientation one and without the pixel dimensions; None if there is none.

    A resized image would belie the dimensions. A damaged block is none.
    """
    try:
        exif = image.getexif()
        if image.format == "TIFF":
            exif = _descriptive(exif)
        else:
            if ExifTags.Base.Orientation in exif:
                exif[ExifTags.Base.Orientation] = 1
            details = exif.get_ifd(ExifTags.IFD.Exif)
            for tag in DIMENSIONS:
                details.pop(tag, None)
        return exif.tobytes() if exif else None
    except METADATA_ERRORS:
        return None


def tiff_tags(exif: bytes) -> Mapping[int, Any]:
    """Tags of an EXIF block that a TIFF can have, for `PIL.TiffImagePlugin.ImageFileDirectory_v2`; none if damaged."""
    block = Image.Exif()
    try:
        block.load(exif)
        found = _descriptive(block)
        tags = {tag: found[tag] for tag in found}
        _check_writable(tags)
    except METADATA_ERRORS:
        return {}
    return tags


def _descriptive(exif: Image.Exif) -> Image.Exif:
    """The tags that describe the photograph."""
    chosen = Image.Exif()
    for tag in TIFF_TAGS:
        if tag in exif:
            chosen[tag] = exif[tag]
    for tag in DIRECTORIES:
        directory = {key: value for key, value in exif.get_ifd(tag).items() if key not in DIMENSIONS}
        if directory:
            chosen[tag] = directory
    return chosen


def _check_writable(tags: Mapping[int, Any]) -> None:
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        directory[tag] = value
    directory.tobytes()
