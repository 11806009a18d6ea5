"""The one door for image files: whatever the file holds, inside it is RGB in sRGB, in [0, 1].

`load_picture` applies EXIF orientation and colour profile; `save_picture` gives the colours, also those outside sRGB,
the bit depth and the metadata of the original back.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float16
from numpy.typing import NDArray
from torch import Tensor

from faceops.atomic_files import replacing
from faceops.images.bands import bands
from faceops.images.colour_profiles import has_way_back, is_srgb, usable_profile
from faceops.images.decoding import EncodedImage, Raster, decode_samples, open_image
from faceops.images.description import UNDESCRIBED, Description, read_description
from faceops.images.encoding import DEEP_SUFFIXES, WRITABLE_SUFFIXES, Embedded, encode_samples
from faceops.images.errors import MissingImageError, UnsupportedImageError
from faceops.images.format_limits import check_sides
from faceops.images.luma import BT601_LUMA
from faceops.images.regular_files import check_regular
from faceops.images.working_colours import clipped_part, own_values, resized_part, srgb_values

LUMA = torch.tensor(BT601_LUMA).reshape(3, 1, 1)
"""`BT601_LUMA` as a factor of images."""


@dataclass(frozen=True)
class Picture:
    """An image and what has to be remembered to save it the way it came."""

    pixels: Float[Tensor, "3 h w"]
    """RGB in sRGB, in [0, 1], float32."""
    alpha: Float[Tensor, "1 h w"] | None = None
    """Opacity in [0, 1], not multiplied into the pixels; None for an opaque image."""
    bits: Literal[8, 16] = 8
    """Bits of a sample in the file."""
    grey: bool = False
    """True if the file has one channel; saved as one again."""
    icc_profile: bytes | None = None
    """Profile of the file's colours; the pixels are converted back into it when saved. None means sRGB."""
    exif: bytes | None = None
    """EXIF block, orientation one."""
    description: Description = UNDESCRIBED
    """XMP, IPTC, captions and the density of the pixels."""
    outside_srgb: Float16[Tensor, "3 _ _"] | None = None
    """What clipping to sRGB took from the file's colours, in those of `icc_profile`, in [-1, 1]; None for nothing.

    It is of the whole picture, at any size, and is added when the pixels are saved in that profile: a part of the
    picture, or pixels of another, should have none.
    """

    @property
    def has_metadata(self) -> bool:
        """Whether something may say when and where the picture was taken, or of whom: EXIF, XMP, IPTC or captions."""
        told = self.description
        return bool(told.captions) or any(part is not None for part in (self.exif, told.xmp, told.iptc))

    def without_metadata(self) -> "Picture":
        """The picture without EXIF, XMP, IPTC and captions: place, date, camera, names. The density of pixels stays."""
        return replace(self, exif=None, description=Description(density=self.description.density))


def load_picture(path: Path | str) -> Picture:
    """Read an image file.

    Raises:
        ImageFileError: With a sentence that names the file, if it is missing, a folder, a pipe or device, empty, no
            image, damaged, or larger than 200 megapixels or than memory allows (`memory_budget`).
    """
    path = Path(path)
    return decode_picture(read_image_file(path), str(path))


def read_image_file(path: Path) -> bytes:
    """Bytes of a file that should be an image.

    Raises:
        MissingImageError: If there is no file at `path`, or something that is no regular file.
    """
    check_regular(path)
    return path.read_bytes()


def decode_picture(data: bytes, name: str) -> Picture:
    """Decode the bytes of an image file.

    Of an animation this is the first frame. CMYK, Lab and colours whose profile has no way back become sRGB for good:
    their profile is not kept.

    Raises:
        ImageFileError: See `load_picture`.

    Example:
        >>> white = decode_picture(b"P6 2 1 255 " + bytes([255] * 6), "white.ppm")
        >>> white.pixels.shape, white.pixels.min().item()
        (torch.Size([3, 1, 2]), 1.0)
    """
    return decode_image(open_image(data, name))


def decode_image(file: EncodedImage) -> Picture:
    """Decode an image file whose header is opened, see `decode_picture`.

    Raises:
        ImageFileError: See `load_picture`.
    """
    description = read_description(file)
    raster = decode_samples(file)
    full = np.float32(np.iinfo(raster.samples.dtype).max)
    colours = raster.samples[..., :3]
    profile = raster.icc_profile
    if profile is not None and usable_profile(profile, raster.grey) is None:
        profile = None
    values = colours.astype(np.float32) / full if profile is None else srgb_values(colours, profile, raster.grey)
    clipped = None if profile is None or raster.grey else clipped_part(colours, values, profile)
    alpha = None
    if raster.samples.shape[2] == 4:
        alpha = torch.from_numpy(raster.samples[..., 3].astype(np.float32) / full).unsqueeze(0)
    return Picture(
        pixels=torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1))),
        alpha=alpha,
        bits=8 if raster.samples.dtype == np.uint8 else 16,
        grey=raster.grey,
        icc_profile=profile if profile is not None and has_way_back(profile, raster.grey) else None,
        exif=raster.exif,
        description=description,
        outside_srgb=None if clipped is None else torch.from_numpy(clipped).permute(2, 0, 1),
    )


def srgb_bytes(raster: Raster, top: int, left: int, height: int, width: int) -> NDArray[np.uint8]:
    """Window of a decoded image as 8-bit sRGB, (3, height, width); what training reads, without a detour over floats.

    An alpha channel is ignored.
    """
    return np.ascontiguousarray(srgb_rows(raster, top, left, height, width).transpose(2, 0, 1))


def srgb_rows(raster: Raster, top: int, left: int, height: int, width: int) -> NDArray[np.uint8]:
    """As `srgb_bytes`, but (height, width, 3), and where nothing had to be converted a view of the samples."""
    window = raster.samples[top : top + height, left : left + width, :3]
    profile = raster.icc_profile
    if profile is not None and not is_srgb(profile, raster.grey):
        window = np.rint(srgb_values(window, profile, raster.grey) * 255).astype(np.uint8)
    elif window.dtype == np.uint16:
        window = np.rint(window / 257).astype(np.uint8)
    return window.astype(np.uint8, copy=False)


def save_picture(picture: Picture, path: Path | str, *, quality: int = 95) -> None:
    """Write an image file; the suffix says which format.

    All keep profile, EXIF, XMP and the density of pixels, TIFF what of EXIF describes the photograph; all but WebP and
    AVIF keep IPTC. PNG and TIFF keep 16 bits and alpha, AVIF 12 bits of 16 and alpha, WebP 8 bits with alpha; JPEG has
    no alpha and is flattened on white with a warning. The file is there whole or not at all.

    Args:
        picture: What to write; values outside [0, 1] are clipped.
        path: File to write, ending in .png, .jpg, .jpeg, .webp, .avif, .tif or .tiff.
        quality: 1 to 100, of JPEG, WebP and AVIF. The colours of JPEG and AVIF are not subsampled.

    Raises:
        UnsupportedImageError: If the suffix is another.
        TooLargeImageError: If a side has more pixels than the format can say.
        ValueError: If a value is not finite.
        OSError: If the file cannot be written.

    Warns:
        UserWarning: If the format has no room for the transparency, or for a part of the metadata.
    """
    path = Path(path)
    if path.suffix.lower() not in WRITABLE_SUFFIXES:
        raise UnsupportedImageError(
            f"{path} cannot be written: its suffix {path.suffix!r} is none of {', '.join(WRITABLE_SUFFIXES)}."
        )
    if path.is_dir():
        raise MissingImageError(f"{path} is a folder, an image file was to be written.")
    data = encode_picture(picture, path, quality=quality)
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def encode_picture(picture: Picture, path: Path, *, quality: int = 95) -> bytes:
    """Bytes of an image file.

    Args:
        picture: What it shows; values outside [0, 1] are clipped.
        path: What to call the file in an error; the suffix says which format, see `save_picture`.
        quality: Likewise.

    Raises:
        TooLargeImageError: If a side has more pixels than the format can say.
        ValueError: If a value is not finite.

    Warns:
        UserWarning: If the format has no room for the transparency, or for a part of the metadata.
    """
    suffix = path.suffix.lower()
    check_sides(path, *picture.pixels.shape[1:])
    check_finite(picture, path)
    if picture.alpha is not None and suffix in (".jpg", ".jpeg"):
        warnings.warn(f"JPEG has no transparency: {path} is flattened on white.", UserWarning, stacklevel=2)
        picture = _flattened(picture, picture.alpha.clamp(0, 1))
    if picture.grey and (suffix == ".webp" or (suffix in (".tif", ".tiff", ".avif") and picture.alpha is not None)):
        # These have no grey, or none with alpha that readers know: three equal channels in sRGB say the same.
        picture = replace(picture, pixels=greyed(picture.pixels), grey=False, icc_profile=None)
    bits = picture.bits if suffix in DEEP_SUFFIXES else 8
    samples, profile = _file_samples(picture, bits)
    embedded = Embedded(profile, picture.exif, picture.description)
    return encode_samples(samples, suffix, quality=quality, embedded=embedded)


def _flattened(picture: Picture, alpha: Float[Tensor, "1 h w"]) -> Picture:
    """The picture on white."""
    clipped = picture.outside_srgb
    if clipped is not None:
        clipped = (resized_part(clipped, *alpha.shape[1:]) * alpha.cpu()).half()
    return replace(picture, pixels=picture.pixels.clamp(0, 1) * alpha + (1 - alpha), alpha=None, outside_srgb=clipped)


def check_finite(picture: Picture, path: Path) -> None:
    """Refuse a picture with values that are not finite, which would be written as black or white dots.

    Raises:
        ValueError: If there are some.
    """
    for values in (picture.pixels, picture.alpha):
        if values is not None and not values.isfinite().all():
            share = 1 - values.isfinite().float().mean().item()
            raise ValueError(
                f"{path} is not written: {share:.2%} of its values are not finite, so what computed them went wrong; "
                "use other weights or float32."
            )


def _file_samples(picture: Picture, bits: int) -> tuple[NDArray, bytes | None]:
    """Samples (h, w, c) in the colours of the picture's profile, and that profile if it is of any use."""
    pixels = picture.pixels.detach().float().cpu().clamp(0, 1)
    if picture.grey:
        pixels = greyed(pixels)
    values = pixels.permute(1, 2, 0).numpy()
    profile = picture.icc_profile
    if profile is None or not has_way_back(profile, picture.grey):
        profile = None
    else:
        clipped = picture.outside_srgb
        if clipped is not None:
            clipped = resized_part(clipped, *values.shape[:2]).permute(1, 2, 0)
        values = own_values(values, profile, picture.grey, None if clipped is None else clipped.numpy())
    channels = [values[..., :1] if picture.grey else values]
    if picture.alpha is not None:
        channels.append(picture.alpha.detach().float().cpu().clamp(0, 1).permute(1, 2, 0).numpy())
    return _rounded(channels, bits), profile


def _rounded(channels: Sequence[NDArray[np.floating]], bits: int) -> NDArray:
    """Samples of parts of the channels in [0, 1], some rows at a time: as float64 the whole would take much memory."""
    height, width = channels[0].shape[:2]
    count = sum(part.shape[2] for part in channels)
    samples = np.empty((height, width, count), np.uint8 if bits == 8 else np.uint16)
    for rows in bands(height, width):
        band = np.concatenate([part[rows] for part in channels], axis=2)
        samples[rows] = np.rint(band.astype(np.float64) * (2**bits - 1))
    return samples


def greyed(pixels: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 h w"]:
    """Three equal channels: the luma of RGB, in [0, 1]."""
    return (pixels * LUMA.to(pixels)).sum(dim=0, keepdim=True).clamp(0, 1).repeat(3, 1, 1)
