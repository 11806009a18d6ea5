"""Samples that Pillow does not read whole, as RGB(A) of 8 or 16 bits: by OpenCV, tifffile, imagecodecs and others."""

import io
import warnings

import numpy as np
from numpy.typing import NDArray

from faceops.images.bands import in_bands
from faceops.images.errors import UnsupportedImageError
from faceops.images.lab_colours import lab_to_srgb, stored_lab
from faceops.images.readers import Reader
from faceops.images.sample_layout import COLOUR_COUNTS, SampleLayout, pnm_header

Samples = NDArray[np.uint8] | NDArray[np.uint16]
"""Samples of an image, (h, w, c)."""

NEAR = 0.5
"""Floats this far outside [0, 1] are clipped; beyond, the picture is no photograph as screens show it."""


def wide_samples(reader: Reader, data: bytes, layout: SampleLayout, name: str) -> Samples:
    """Read the samples of a file with the reader that the table says.

    Args:
        reader: Which; not Pillow.
        data: The whole file.
        layout: Its layout.
        name: What to call it.

    Returns:
        (h, w, 3) RGB or (h, w, 4) with straight alpha; of CMYK (h, w, 4) the inks, 8 bits.

    Raises:
        UnsupportedImageError: If the samples are floats far outside [0, 1].
    """
    if reader == "OpenCV":
        return _with_opencv(data)
    if reader == "tifffile":
        return _with_tifffile(data, layout, name)
    if reader == "pi-heif":
        return _with_pi_heif(data)
    if reader == "NumPy":
        return _as_rgb(scaled(_pnm(data), pnm_header(data)[2]))
    return _as_rgb(scaled(_with_imagecodecs(data, layout), _largest(layout)))


def scaled(samples: NDArray, largest: int) -> Samples:
    """Samples in [0, largest] as 8 bits if they have no more, else as 16.

    Example:
        >>> scaled(np.array([[[0, 15]]], np.uint8), 15).tolist(), scaled(np.array([[[1023]]], np.uint16), 1023).tolist()
        ([[[0, 255]]], [[[65535]]])
    """
    full = 255 if largest <= 255 else 65535
    if largest != full:
        samples = np.rint(np.minimum(samples, largest) * (full / largest))
    return samples.astype(np.uint8, copy=False) if full == 255 else samples.astype(np.uint16, copy=False)


def straight(samples: Samples) -> Samples:
    """Divide colours (h, w, 4) by the opacity that they are multiplied by; what is quite transparent becomes black."""
    return in_bands(_straight, samples, 4, samples.dtype)


def _straight(samples: NDArray) -> NDArray[np.float64]:
    full = np.iinfo(samples.dtype).max
    opacity = samples[..., 3:].astype(np.float64)
    colours = np.divide(
        samples[..., :3] * float(full), opacity, out=np.zeros(samples[..., :3].shape), where=opacity > 0
    )
    return np.concatenate([np.rint(colours.clip(0, full)), opacity], axis=2)


def _largest(layout: SampleLayout) -> int:
    # libpng widens grey of 1, 2 and 4 bits itself
    return 2 ** (max(layout.bits, 8) if layout.format == "PNG" else layout.bits) - 1


def _as_rgb(samples: NDArray) -> NDArray:
    """RGB or RGBA, from (h, w), or (h, w, c) of grey or colour with or without opacity."""
    if samples.ndim == 2:
        samples = samples[..., None]
    return samples[..., [0, 0, 0, 1][: samples.shape[2] + 2]] if samples.shape[2] < 3 else samples[..., :4]


def _with_opencv(data: bytes) -> Samples:
    import cv2

    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16:
        raise ValueError("OpenCV does not decode it")
    if decoded.ndim == 2:
        return np.repeat(decoded[..., None], 3, axis=2)
    return decoded[..., [2, 1, 0, 3][: decoded.shape[2]]]


def _with_imagecodecs(data: bytes, layout: SampleLayout) -> NDArray:
    import imagecodecs

    if layout.format == "PNG":
        return imagecodecs.png_decode(data)
    if layout.format == "JPEG":
        return imagecodecs.jpeg8_decode(data)
    if layout.format == "AVIF":
        return imagecodecs.avif_decode(data, index=0)
    return imagecodecs.jpeg2k_decode(data)


def _with_pi_heif(data: bytes) -> Samples:
    """The primary picture of a HEIC, which libheif turns as its boxes say."""
    from pi_heif import open_heif

    pictures = open_heif(io.BytesIO(data), convert_hdr_to_8bit=False, hdr_to_16bit=False)
    picture = pictures[pictures.primary_index]
    samples = _as_rgb(scaled(np.asarray(picture), 2 ** int(picture.info["bit_depth"]) - 1))
    return straight(samples) if picture.premultiplied_alpha else samples


def _pnm(data: bytes) -> NDArray:
    """Values of a PGM or PPM whose largest value is above 255, (h, w, c)."""
    width, height, largest, start = pnm_header(data)
    channels = 3 if data[1:2] in b"36" else 1
    count = width * height * channels
    if data[1:2] in b"56":
        values = np.frombuffer(data, ">u2", count, start)
    else:
        values = np.array(data[start:].split(maxsplit=count)[:count], dtype=np.uint32)
    if values.max() > largest:
        raise ValueError(f"it holds {values.max()}, more than the {largest} that it announces")
    return values.reshape(height, width, channels)


def _with_tifffile(data: bytes, layout: SampleLayout, name: str) -> Samples:
    channels = _tiff_channels(data)
    count = COLOUR_COUNTS.get(layout.colours, 1)
    if layout.kind == "float":
        channels, bits = _bounded(channels, name), 16
    elif layout.bits > 16:
        channels, bits = channels >> (layout.bits - 16), 16
    else:
        bits = layout.bits
    if layout.colours in ("CIELab", "ICCLab"):
        signed, full = layout.colours == "CIELab", 2**bits - 1
        return in_bands(
            lambda rows: np.rint(lab_to_srgb(stored_lab(rows[..., :3], signed)) * full), channels, 3, channels.dtype
        )
    samples = scaled(channels, 2**bits - 1)
    if layout.colours == "CMYK":  # converted by its profile, as Pillow's
        return (samples[..., :4] >> (8 * samples.dtype.itemsize - 8)).astype(np.uint8)
    colours = samples[..., :count]
    if layout.colours == "inverted grey":
        colours = np.iinfo(samples.dtype).max - colours
    if layout.extra in ("none", "unspecified"):
        return _as_rgb(colours)
    whole = _as_rgb(np.concatenate([colours, samples[..., [_opacity(data, count)]]], axis=2))
    return straight(whole) if layout.extra == "associated" else whole


def _tiff_channels(data: bytes) -> NDArray:
    """All samples of the first picture of a TIFF, (h, w, c)."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        ends = [start + size for start, size in zip(page.dataoffsets, page.databytecounts, strict=True)]
        if max(ends, default=0) > len(data):
            raise ValueError("its pixels end too early")
        samples = page.asarray()
        axes = page.axes
    if axes == "SYX":
        samples, axes = samples.transpose(1, 2, 0), "YXS"
    if axes not in ("YX", "YXS"):
        raise ValueError(f"its axes are {axes}")
    return samples if axes == "YXS" else samples[..., None]


def _opacity(data: bytes, colours: int) -> int:
    """Index of the first extra sample that is opacity; the first of all if nothing is said."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        said = [int(kind) for kind in file.pages.first.extrasamples]
    return colours + next((number for number, kind in enumerate(said) if kind in (1, 2)), 0)


def _bounded(values: NDArray, name: str) -> NDArray[np.uint16]:
    """Floats in [0, 1] as 16 bits.

    Raises:
        UnsupportedImageError: If they are far outside, or not finite.

    Warns:
        UserWarning: If some had to be clipped.
    """
    low, high = float(values.min()), float(values.max())
    if not (low >= -NEAR and high <= 1 + NEAR):  # also of NaN
        raise UnsupportedImageError(
            f"{name} holds floats from {low:.3g} to {high:.3g}, and those from 0 to 1 are read; bring it there."
        )
    if low < 0 or high > 1:
        warnings.warn(f"Floats from {low:.3g} to {high:.3g} are clipped to 0 and 1.", UserWarning, stacklevel=2)
    return in_bands(lambda rows: np.rint(rows.clip(0, 1) * 65535.0), values, values.shape[2], np.uint16)
