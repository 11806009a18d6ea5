"""Metadata of image files: the EXIF block, which lies open in a TIFF."""

import warnings
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

from PIL import ExifTags, Image, TiffImagePlugin

from faceops.images.errors import DECODING_ERRORS
from faceops.images.headers import TURNED, own_exif

METADATA_ERRORS = (*DECODING_ERRORS, ArithmeticError, AttributeError, LookupError, TypeError)
"""Errors of Pillow on tags that are damaged or of another type than their name has."""

TIFF_TAGS = tuple(
    getattr(ExifTags.Base, name)
    for name in (
        *("DocumentName", "ImageDescription", "Make", "Model", "Software", "DateTime", "Artist", "HostComputer"),
        *("XResolution", "YResolution", "ResolutionUnit", "Copyright"),
        # what Windows writes
        *("Rating", "RatingPercent", "XPTitle", "XPComment", "XPAuthor", "XPKeywords", "XPSubject"),
    )
)
"""Tags of a TIFF that describe the photograph; most of the others describe how the file is laid out."""

DIRECTORIES = ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo
"""Tags that hold further tags: of the exposure, of the place."""

INCH = 2
"""Unit of resolution."""

DIMENSIONS = (
    *(ExifTags.Base.ImageWidth, ExifTags.Base.ImageLength),
    *(ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight),
    *(ExifTags.Base.RelatedImageWidth, ExifTags.Base.RelatedImageLength),
)
"""Sides in pixels: of the file, of the exposure, and of the picture that a file belongs to."""


def exif_block(image: Image.Image) -> bytes | None:
    """EXIF block of an opened file with orientation one and without the pixel dimensions; None if there is none.

    A resized image would belie the dimensions. A damaged block is none.

    Warns:
        UserWarning: If it is damaged, or has tags that cannot be written.
    """
    dropped: list[str] = []
    try:
        kept = _descriptive(image.getexif(), dropped) if image.format == "TIFF" else _all_tags(own_exif(image), dropped)
        block = kept.tobytes() if kept else None
    except METADATA_ERRORS:
        warnings.warn("The EXIF block is damaged, so it is left out.", UserWarning, stacklevel=2)
        return None
    if dropped:
        warnings.warn(
            f"These tags of EXIF do not hold what they should, so they are left out: {', '.join(dropped)}.",
            UserWarning,
            stacklevel=2,
        )
    return block


def exif_within(exif: bytes, limit: int) -> tuple[bytes | None, list[str]]:
    """An EXIF block of at most `limit` bytes, without its largest tags, and the names of these.

    A damaged block that is too long is none.
    """
    if len(exif) <= limit:
        return exif, []
    block = Image.Exif()
    dropped: list[str] = []
    try:
        block.load(exif)
        while len(exif) > limit:
            directories: dict[int | None, MutableMapping[int, Any]] = {None: block}
            directories |= {group: block.get_ifd(group) for group in DIRECTORIES if group in block}
            places = [(group, tag) for group, tags in directories.items() for tag in tags if tag not in DIRECTORIES]
            if not places:
                return None, dropped
            group, tag = max(places, key=lambda place: _stored_size(directories[place[0]][place[1]]))
            del directories[group][tag]
            dropped.append(_name(tag, group))
            exif = block.tobytes()
    except METADATA_ERRORS:
        return None, dropped or ["EXIF"]
    return exif, dropped


def exif_with_density(exif: bytes | None, density: tuple[float, float]) -> bytes:
    """An EXIF block that says the pixels per inch, for formats that say them nowhere else; its own stay."""
    block = Image.Exif()
    if exif is not None:
        block.load(exif)  # from `exif_block`, so it is whole
    if ExifTags.Base.XResolution not in block:
        block[ExifTags.Base.XResolution], block[ExifTags.Base.YResolution] = density
        block[ExifTags.Base.ResolutionUnit] = INCH
    return block.tobytes()


def tiff_tags(exif: bytes) -> Mapping[int, Any]:
    """Tags of an EXIF block that a TIFF can have, for `PIL.TiffImagePlugin.ImageFileDirectory_v2`; none if damaged."""
    block = Image.Exif()
    try:
        block.load(exif)
        return dict(_descriptive(block, []))
    except METADATA_ERRORS:
        return {}


def _all_tags(exif: Image.Exif, dropped: list[str]) -> Image.Exif:
    """All tags but the dimensions, each if it can be written; the names of those that cannot are added to `dropped`."""
    orientation = ExifTags.Base.Orientation
    chosen = _chosen(exif, sorted(set(exif) - {orientation, *DIMENSIONS, *DIRECTORIES}), dropped)
    if orientation in exif:
        chosen[orientation] = 1
    interop = _directory(exif, ExifTags.IFD.Interop, dropped)
    if interop:
        chosen[ExifTags.IFD.Exif] = {**chosen.get(ExifTags.IFD.Exif, {}), ExifTags.IFD.Interop: interop}
    return chosen


def _descriptive(exif: Image.Exif, dropped: list[str]) -> Image.Exif:
    """The tags that describe the photograph, likewise."""
    return _chosen(exif, [tag for tag in TIFF_TAGS if tag in exif], dropped)


def _chosen(exif: Image.Exif, tags: Iterable[int], dropped: list[str]) -> Image.Exif:
    """Some tags, of the picture as it is shown, and the directories."""
    chosen = Image.Exif()
    for tag, value in _writable(exif, tags, None, dropped).items():
        chosen[tag] = value
    for group in DIRECTORIES:
        directory = _directory(exif, group, dropped)
        if directory:
            chosen[group] = directory
    across, down = ExifTags.Base.XResolution, ExifTags.Base.YResolution
    if exif.get(ExifTags.Base.Orientation) in TURNED and across in chosen and down in chosen:
        chosen[across], chosen[down] = chosen[down], chosen[across]
    return chosen


def _directory(exif: Image.Exif, group: ExifTags.IFD, dropped: list[str]) -> dict[int, Any]:
    """Tags of a directory, without the dimensions."""
    try:
        tags = exif.get_ifd(group)
    except METADATA_ERRORS:
        dropped.append(group.name)
        return {}
    # what points elsewhere in the old file would point nowhere in a new one
    return _writable(tags, sorted(set(tags) - {*DIMENSIONS, ExifTags.IFD.Interop}), group, dropped)


def _writable(tags: Mapping[int, Any], chosen: Iterable[int], group: int | None, dropped: list[str]) -> dict[int, Any]:
    kept = {}
    for tag in chosen:
        alone = TiffImagePlugin.ImageFileDirectory_v2(group=group)
        try:
            alone[tag] = kept[tag] = _as_stored(tags[tag])
            alone.tobytes()
        except METADATA_ERRORS:
            kept.pop(tag, None)
            dropped.append(_name(tag, group))
    return kept


def _name(tag: int, group: int | None) -> str:
    names = ExifTags.GPSTAGS if group == ExifTags.IFD.GPSInfo else ExifTags.TAGS
    return names.get(tag, f"{tag:#x}")


def _as_stored(value: Any) -> Any:  # noqa: ANN401 - whatever a tag holds
    """Text as the bytes that it was read from, as Latin-1; Pillow would write a question mark for an umlaut."""
    return value if not isinstance(value, str) or value.isascii() else value.encode("latin-1", "replace")


def _stored_size(value: Any) -> int:  # noqa: ANN401 - whatever a tag holds
    """Bytes that a value takes, about."""
    if isinstance(value, bytes | str):
        return len(value)
    return 8 * len(value) if isinstance(value, tuple) else 8
