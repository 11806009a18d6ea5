"""From the bytes of an image file to the samples in it: first frame, upright, RGB or RGBA, 8 or 16 bits.

`faceops.images.readers` says who reads which. Colours stay in the file's own profile; `faceops.images.files` brings
them to sRGB.
"""

import io
import threading
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from faceops.images.coded_colours import coded_profile, outranks_profile
from faceops.images.errors import (
    DamagedImageError,
    EmptyImageError,
    ImageFileError,
    NotAnImageError,
    TooLargeImageError,
    UnsupportedImageError,
)
from faceops.images.foreign_formats import foreign_format
from faceops.images.headers import (
    BOX_ORIENTATION,
    ORIENTATIONS,
    TIFF_MAGIC,
    TURNED,
    open_unusual,
    own_exif,
    read_own_exif,
)
from faceops.images.heic import is_heic, open_heic
from faceops.images.memory_budget import check_memory
from faceops.images.metadata import METADATA_ERRORS, exif_block
from faceops.images.png_exif import read_png_exif
from faceops.images.readers import Reader, reader_of
from faceops.images.sample_layout import SampleLayout, sample_layout
from faceops.images.wide_samples import Samples, wide_samples

MAX_PIXELS = 200_000_000
"""An image that announces more is refused before anything is decoded."""

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF", "JPEG2000")
"""Formats that are looked for; the others of Pillow are no photographs, and some start programs."""

CONVERTED = ("CMYK", "CIELab", "ICCLab")
"""Colours that are brought to sRGB for good when they are decoded."""

_PILLOW_LIMIT = threading.Lock()


@dataclass(frozen=True, eq=False)
class EncodedImage:
    """An image file in memory whose header is opened, once for all that is asked of it."""

    data: bytes
    """The whole file."""
    name: str
    """What to call it in an error."""
    header: ImageFile.ImageFile


@dataclass(frozen=True)
class Raster:
    """Decoded samples of an image file."""

    samples: Samples
    """(h, w, 3) RGB, or (h, w, 4) with straight alpha; the dtype says whether the file has 8 or 16 bits."""
    grey: bool
    """True if the file is grey; the three channels are then equal."""
    cmyk: bool
    """True if the file is CMYK; the samples are then a conversion to sRGB."""
    icc_profile: bytes | None
    """Colour profile embedded in the file, or made of what else the file says of its colours."""
    exif: bytes | None
    """EXIF block with orientation one and without the pixel dimensions, which a resized image would belie."""


def decode_raster(data: bytes, name: str) -> Raster:
    """Decode an image file.

    Args:
        data: The whole file.
        name: What to call it in an error.

    Raises:
        ImageFileError: If it is empty, no image, damaged, too large, or of a pixel kind that is not handled. What is
            too large, `faceops.images.memory_budget.memory_budget` says.
    """
    return decode_samples(open_image(data, name))


def open_image(data: bytes, name: str) -> EncodedImage:
    """Open the header of an image file that is in memory.

    Raises:
        ImageFileError: See `open_header`.
    """
    return EncodedImage(data, name, open_header(io.BytesIO(data), name))


def decode_samples(file: EncodedImage) -> Raster:
    """Decode an image file whose header is opened.

    Raises:
        ImageFileError: See `decode_raster`.
    """
    check_memory(file.name, file.header.size)
    try:
        return _decoded(file)
    except (ImageFileError, MemoryError):
        raise
    except Exception as error:  # decoders raise whatever there is on damaged data
        raise DamagedImageError(f"{file.name} is damaged or cut short: {error}.") from error


def _decoded(file: EncodedImage) -> Raster:
    image, data, name = file.header, file.data, file.name
    if image.format == "TIFF":
        read_own_exif(image)
    layout = sample_layout(image, data)
    reader = reader_of(layout)
    if reader is None:
        raise UnsupportedImageError(
            f"{name} is {layout}, which is not read; export it as RGB of 8 or 16 bits, together, PNG for example."
        )
    grey = layout.colours.endswith("grey")
    profile = None if layout.colours in CONVERTED else _profile(image, data, grey, name)
    # both before the samples: Pillow changes what it knows of a file when it decodes it
    exif = exif_block(image)
    orientation = 1 if image.format == "TIFF" and reader == "Pillow" else _orientation(image)  # Pillow turns a TIFF
    samples = upright(_samples(image, data, layout, reader, name), orientation)
    return Raster(samples, grey, layout.colours == "CMYK", profile, exif)


def open_header(file: io.BytesIO | io.BufferedReader, name: str) -> ImageFile.ImageFile:
    """Open an image without decoding it.

    Raises:
        ImageFileError: If it is empty, no image, or larger than `MAX_PIXELS`.
        OSError: If the system cannot read the file on.
    """
    if not file.read(1):
        raise EmptyImageError(f"{name} is empty, an image was wanted.")
    file.seek(0)
    try:
        with _PILLOW_LIMIT:  # Pillow warns at 89 megapixels and refuses at 179; ours is the only limit
            before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            try:
                image = Image.open(file, formats=_known_formats())
            finally:
                Image.MAX_IMAGE_PIXELS = before
    except UnidentifiedImageError as error:
        image = _open_otherwise(file, name, error)
    except MemoryError:
        raise
    except Exception as error:  # plug-ins raise whatever there is on damaged data
        if isinstance(error, OSError) and error.errno is not None:  # the system's: the file could not be read on
            raise
        raise DamagedImageError(f"{name} has a damaged header: {error}.") from error
    if image.format == "PNG":
        read_png_exif(image, file)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise TooLargeImageError(
            f"{name} announces {width} x {height} pixels; images of up to {MAX_PIXELS // 10**6} megapixels are read."
        )
    return image


def _open_otherwise(file: io.BytesIO | io.BufferedReader, name: str, error: Exception) -> ImageFile.ImageFile:
    """Open what Pillow's own plug-ins do not know.

    Raises:
        ImageFileError: If nobody reads it; the sentence says what it is, if that is known.
    """
    if is_heic(file):
        return open_heic(file, name)
    unusual = open_unusual(file)
    if unusual is not None:
        return unusual
    file.seek(0)
    start = file.read(16)
    what = foreign_format(start)
    if what is not None:
        raise NotAnImageError(f"{name} is {what}, which is not read; export it as PNG, TIFF or JPEG.") from error
    known = ", ".join(FORMATS)
    if start.startswith(TIFF_MAGIC):
        raise DamagedImageError(f"{name} has a damaged header: a TIFF begins there, its size is missing.") from error
    raise NotAnImageError(f"{name} is not an image in any of the formats {known}.") from error


def picture_size(file: EncodedImage) -> tuple[int, int]:
    """Height and width in pixels of an image file, as a viewer shows it, without decoding it."""
    width, height = upright_size(file.header)
    return height, width


def picture_count(file: EncodedImage) -> int:
    """Number of pictures in a file; 1 where what follows the first is damaged.

    Decode the first before: counting moves on to the others, and does not come back from a damaged one.
    """
    image = file.header
    try:
        # telephones put small copies behind a JPEG, which nobody misses
        return 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    except Exception:  # plug-ins raise whatever there is on damaged data
        return 1


def upright_size(image: ImageFile.ImageFile) -> tuple[int, int]:
    """Width and height in pixels, as a viewer shows the image, from its header."""
    width, height = image.size
    turned = image.format != "TIFF" and _orientation(image) in TURNED  # Pillow gives the size of a TIFF as shown
    return (height, width) if turned else (width, height)


def upright(samples: Samples, orientation: int) -> Samples:
    """Turn and mirror (h, w, c) samples as EXIF tag 0x0112 says; 1 and unknown values leave them as they are.

    Example:
        >>> upright(np.array([[[1], [2]]], np.uint8), 6).tolist()
        [[[1]], [[2]]]
    """
    if orientation in TURNED:
        samples = samples.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return samples


def _samples(image: ImageFile.ImageFile, data: bytes, layout: SampleLayout, reader: Reader, name: str) -> Samples:
    """Samples as they lie in the file, not upright yet, CMYK converted."""
    embedded = image.info.get("icc_profile") or None
    if reader != "Pillow":
        samples = wide_samples(reader, data, layout, name)
        if layout.colours != "CMYK":
            return samples
        return _converted(Image.frombytes("CMYK", samples.shape[1::-1], samples.tobytes()), embedded)
    image.load()
    return _converted(image, embedded)


def _converted(image: Image.Image, profile: bytes | None) -> NDArray[np.uint8]:
    if image.mode == "CMYK" and profile:
        from faceops.images.colour_profiles import cmyk_to_srgb

        image = cmyk_to_srgb(image, profile)
    transparent = "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa")
    return np.asarray(image.convert("RGBA" if transparent else "RGB"))


def _profile(image: ImageFile.ImageFile, data: bytes, grey: bool, name: str) -> bytes | None:
    """Profile that is embedded, or what else says which colours these are."""
    embedded = image.info.get("icc_profile") or None
    if embedded is not None and not outranks_profile(data, str(image.format)):
        return embedded
    return coded_profile(data, str(image.format), grey, name)


@cache
def _known_formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this Pillow was built with; it has had AVIF since 11.3."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def stored_orientation(image: ImageFile.ImageFile) -> int:
    """Orientation that a file says in EXIF or boxes, whether or not its reader turns the pixels; 1 if unknown."""
    if image.format == "TIFF":
        return _known(image.tag_v2.get(ExifTags.Base.Orientation))  # type: ignore[attr-defined]
    return _known(image.info.get("original_orientation") or _orientation(image))


def _orientation(image: Image.Image) -> int:
    if BOX_ORIENTATION in image.info:
        return _known(image.info[BOX_ORIENTATION])
    try:
        exif = image.getexif() if image.format == "TIFF" else own_exif(image)
        return _known(exif.get(ExifTags.Base.Orientation))
    except METADATA_ERRORS:
        return 1


def _known(orientation: object) -> int:
    """The value of an orientation tag; 1, as in viewers, if it is none of those that there are."""
    return next((number for number in ORIENTATIONS if number == orientation), 1)
