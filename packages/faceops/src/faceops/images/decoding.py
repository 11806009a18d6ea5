"""From the bytes of an image file to the samples in it: first frame, upright, RGB or RGBA, 8 or 16 bits.

Pillow reads everything except the lower eight bits of 16-bit colour, which OpenCV reads. Colours stay in the file's own
profile; `faceops.images.files` brings them to sRGB.
"""

import io
import threading
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from faceops.images.errors import (
    DECODING_ERRORS,
    DamagedImageError,
    EmptyImageError,
    NotAnImageError,
    TooLargeImageError,
    UnsupportedImageError,
)
from faceops.images.heic import is_heic, open_heic
from faceops.images.metadata import METADATA_ERRORS, exif_block

MAX_PIXELS = 200_000_000
"""An image that announces more is refused before anything is decoded."""

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF", "JPEG2000")
"""Formats that are looked for; the others of Pillow are no photographs, and some start programs."""

GREY_MODES = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N")
TIFF_BITS_PER_SAMPLE = 258
_PILLOW_LIMIT = threading.Lock()

Samples = NDArray[np.uint8] | NDArray[np.uint16]
"""Samples of an image, (h, w, c)."""


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
    """Colour profile embedded in the file."""
    exif: bytes | None
    """EXIF block with orientation one and without the pixel dimensions, which a resized image would belie."""


def decode_raster(data: bytes, name: str) -> Raster:
    """Decode an image file.

    Args:
        data: The whole file.
        name: What to call it in an error.

    Raises:
        ImageFileError: If it is empty, no image, damaged, too large, or of a pixel kind that is not handled.
    """
    image = open_header(io.BytesIO(data), name)
    deep = _is_deep(image)
    orientation = _orientation(image)
    grey = image.mode in GREY_MODES or _tile_mode(image).startswith("LA")
    profile = image.info.get("icc_profile") or None
    try:
        image.load()
    except DECODING_ERRORS as error:
        raise DamagedImageError(f"{name} is damaged or cut short: {error}.") from error
    cmyk = image.mode == "CMYK"
    samples: Samples = _deep_samples(data, name) if deep else _samples(image, profile, name)
    if image.format != "TIFF":  # Pillow and OpenCV turn a TIFF themselves
        samples = upright(samples, orientation)
    return Raster(samples, grey, cmyk, None if cmyk else profile, exif_block(image))


def open_header(file: io.BytesIO | io.BufferedReader, name: str) -> ImageFile.ImageFile:
    """Open an image without decoding it.

    Raises:
        ImageFileError: If it is empty, no image, or larger than `MAX_PIXELS`.
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
        if not is_heic(file):
            raise NotAnImageError(f"{name} is not an image in any of the formats {', '.join(FORMATS)}.") from error
        image = open_heic(file, name)
    except DECODING_ERRORS as error:
        raise DamagedImageError(f"{name} has a damaged header: {error}.") from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise TooLargeImageError(
            f"{name} announces {width} x {height} pixels; images of up to {MAX_PIXELS // 10**6} megapixels are read."
        )
    return image


def upright_size(image: ImageFile.ImageFile) -> tuple[int, int]:
    """Width and height in pixels, as a viewer shows the image, from its header."""
    width, height = image.size
    turned = image.format != "TIFF" and _orientation(image) >= 5  # Pillow gives the size of a TIFF as shown
    return (height, width) if turned else (width, height)


def upright(samples: Samples, orientation: int) -> Samples:
    """Turn and mirror (h, w, c) samples as EXIF tag 0x0112 says; 1 and unknown values leave them as they are.

    Example:
        >>> upright(np.array([[[1], [2]]], np.uint8), 6).tolist()
        [[[1]], [[2]]]
    """
    if orientation >= 5:
        samples = samples.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return samples


def _samples(image: Image.Image, profile: bytes | None, name: str) -> NDArray[np.uint8]:
    if image.mode in ("I", "F", "LAB", "HSV"):
        raise UnsupportedImageError(
            f"{name} has pixels of the kind {image.mode!r}; 8 and 16-bit grey, RGB, palette and CMYK images are read."
        )
    if image.mode == "CMYK" and profile:
        from faceops.images.colour_profiles import cmyk_to_srgb

        image = cmyk_to_srgb(image, profile)
    transparent = "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa")
    return np.asarray(image.convert("RGBA" if transparent else "RGB"))


def _deep_samples(data: bytes, name: str) -> NDArray[np.uint16]:
    import cv2

    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16:
        raise UnsupportedImageError(f"{name} is a 16-bit image of a kind that OpenCV does not read.")
    if decoded.ndim == 2:
        return np.repeat(decoded[..., None], 3, axis=2)
    return decoded[..., [2, 1, 0, 3][: decoded.shape[2]]]


def _is_deep(image: ImageFile.ImageFile) -> bool:
    if image.format == "TIFF":
        return max(image.tag_v2.get(TIFF_BITS_PER_SAMPLE, (8,))) == 16  # type: ignore[attr-defined]
    return image.format == "PNG" and "16" in _tile_mode(image)


@cache
def _known_formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this Pillow was built with; it has had AVIF since 11.3."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _tile_mode(image: ImageFile.ImageFile) -> str:
    arguments = image.tile[0].args if image.tile else ""
    mode = arguments if isinstance(arguments, str) else (arguments or ("",))[0]
    return mode if isinstance(mode, str) else ""


def _orientation(image: Image.Image) -> int:
    try:
        if image.format == "PNG" and "exif" not in image.info:  # here getexif would decode the image to look behind it
            return 1
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except METADATA_ERRORS:
        return 1
