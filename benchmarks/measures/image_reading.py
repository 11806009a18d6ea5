"""Reading of image files: what is read, kept and converted, and how far that is from what was drawn and from libvips.

libvips decodes with libpng, libtiff, OpenJPEG and libheif of its own, and converts colours with LittleCMS.
"""

import io
import warnings

import numpy as np
from numpy.typing import NDArray

from benchmarks.measures.drawn_files import DrawnFile, drawn_files
from benchmarks.reporting.table import Cell, LeftOutError, Suite, Table
from faceops.images.decoding import decode_raster, open_header
from faceops.images.errors import ImageFileError
from faceops.images.files import decode_picture
from faceops.images.readers import reader_of
from faceops.images.sample_layout import sample_layout

COLUMNS = ("file", "reader", "bits kept", "opacity", "colours", "off what was drawn", "off libvips")


def measure(suite: Suite) -> list[Table]:
    """One table of all kinds of files; the suite makes no difference."""
    try:
        import pyvips
    except (ImportError, OSError) as error:
        raise LeftOutError("needs libvips: pip install pyvips pyvips-binary") from error
    rows = tuple(row(file) for file in drawn_files())
    note = (
        "Differences are the largest of any channel, in levels of 8 bits: of the samples from what was drawn, of the "
        "sRGB from libvips. Where they are large, libvips does otherwise: it ignores cICP, gAMA and nclx, takes floats "
        "for linear light, Lab for one under D65 and CMYK without a profile for that of a press, and keeps a channel "
        "without a meaning. The wheel of libvips lacks readers for some formats."
    )
    title = f"Image files drawn for the purpose, read and compared with libvips {pyvips.version(0)}.{pyvips.version(1)}"
    return [Table("image_reading", title, COLUMNS, rows, note=note)]


def row(file: DrawnFile) -> tuple[Cell, ...]:
    """A row of the table."""
    name = file.name
    layout = sample_layout(open_header(io.BytesIO(file.data), name), file.data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            picture = decode_picture(file.data, name)
            samples = decode_raster(file.data, name).samples
        except ImageFileError:
            return (name, str(reader_of(layout)), "refused", "", "", "", "")
    ours = picture.pixels.permute(1, 2, 0).numpy().astype(np.float64)
    if picture.alpha is not None:
        ours = np.concatenate([ours, picture.alpha.permute(1, 2, 0).numpy()], axis=2)
    stored = samples / float(np.iinfo(samples.dtype).max)
    return (
        name,
        str(reader_of(layout)),
        picture.bits,
        "none" if picture.alpha is None else "kept",
        "sRGB" if picture.icc_profile is None and file.truth is not None else colours(picture.icc_profile),
        "" if file.truth is None else apart(stored, file.truth),
        libvips_difference(file.data, ours),
    )


def colours(profile: bytes | None) -> str:
    """What becomes of colours that are not sRGB."""
    return "converted to sRGB" if profile is None else "kept by profile"


def libvips_difference(data: bytes, ours: NDArray[np.float64]) -> Cell:
    """Largest difference from libvips, or why there is none.

    Args:
        data: The file.
        ours: RGB or RGBA as read here, sRGB in [0, 1].
    """
    import pyvips

    try:
        image = pyvips.Image.new_from_buffer(data, "", access="random").autorot()
        if image.get_typeof("icc-profile-data"):
            image = image.icc_transform("srgb", embedded=True, depth=16)
        deep = image.format in ("ushort", "uint", "float", "double")
        image = image.colourspace("rgb16" if deep else "srgb")
        values = np.asarray(image.numpy(), np.float64) / (65535 if deep else 255)
    except pyvips.Error:
        return "not read"
    return apart(ours, values) if values.shape == ours.shape else f"{values.shape[2]} channels"


def apart(first: NDArray[np.float64], second: NDArray[np.float64]) -> Cell:
    """Largest difference in levels of 8 bits.

    Example:
        >>> apart(np.zeros((1, 1, 3)), np.full((1, 1, 3), 2 / 255))
        2.0
    """
    if first.shape != second.shape:
        return "another shape"
    return round(float(np.abs(first - second).max()) * 255, 2)
