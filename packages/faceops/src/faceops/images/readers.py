"""Which reader may be given which image: what is not in the table is refused.

Pillow reads what has eight bits. Of more it keeps eight, scrambles or refuses; OpenCV scrambles planes, takes
associated alpha for straight and inverted grey for grey. So each gets what it is known to read right, the first
row that fits counts, and tifffile and imagecodecs get the rest.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from faceops.images.sample_layout import SampleLayout

Reader = Literal["Pillow", "OpenCV", "tifffile", "imagecodecs", "NumPy", "pi-heif"]

FEW_BITS = range(1, 9)
MANY_BITS = range(9, 17)
COLOURS_OF_PNG = ("grey", "RGB", "palette")


@dataclass(frozen=True)
class Row:
    """Layouts that a reader is given: all those whose properties are among the named ones; None names all."""

    reader: Reader
    format: str
    bits: Collection[int] = FEW_BITS
    colours: Collection[str] | None = None
    kind: str = "unsigned"
    planes: Collection[str] = ("together",)
    extra: Collection[str] | None = None
    colour_key: bool | None = None
    animated: bool | None = None

    def fits(self, layout: SampleLayout) -> bool:
        """Tell whether a layout is in this row."""
        return (
            (self.reader != "Pillow" or layout.pillow)
            and self.format == layout.format
            and layout.bits in self.bits
            and (self.colours is None or layout.colours in self.colours)
            and self.kind == layout.kind
            and layout.planes in self.planes
            and (self.extra is None or layout.extra in self.extra)
            and self.colour_key in (None, layout.colour_key)
            and self.animated in (None, layout.animated)
        )


ROWS = (
    # one colour as transparent: Pillow compares it with samples that it has scaled, OpenCV with none
    Row("imagecodecs", "PNG", FEW_BITS, ("grey",), colour_key=True),
    Row("Pillow", "PNG", FEW_BITS, COLOURS_OF_PNG),
    Row("OpenCV", "PNG", (16,), ("grey", "RGB"), colour_key=False, animated=False),
    Row("imagecodecs", "PNG", (16,), ("grey", "RGB")),
    Row("Pillow", "JPEG"),
    Row("imagecodecs", "JPEG", (12,), ("grey", "RGB")),
    Row("Pillow", "JPEG2000", (8,), ("grey", "RGB", "palette", "YCbCr")),
    Row("Pillow", "JPEG2000", (8,), ("YCbCr",), "mixed"),
    Row("imagecodecs", "JPEG2000", (*range(1, 8), *MANY_BITS), ("grey", "RGB")),
    Row("Pillow", "TIFF", (1, 2, 4, 8), ("grey", "inverted grey", "palette", "YCbCr"), extra=("none",)),
    Row("Pillow", "TIFF", (8,), ("grey",), extra=("none", "straight", "unspecified")),
    Row("Pillow", "TIFF", (8,), ("RGB", "CMYK")),
    Row("Pillow", "TIFF", (8,), ("palette",), extra=("straight", "unspecified")),
    Row("tifffile", "TIFF", range(1, 33), ("grey", "inverted grey", "RGB", "CMYK"), planes=("together", "apart")),
    Row("tifffile", "TIFF", (8, 16), ("CIELab", "ICCLab"), planes=("together", "apart")),
    Row("tifffile", "TIFF", (16, 32, 64), ("grey", "RGB"), "float", ("together", "apart")),
    Row("Pillow", "PPM"),
    Row("NumPy", "PPM", (16,), ("grey", "RGB")),
    Row("Pillow", "AVIF", (8,)),
    Row("imagecodecs", "AVIF", (10, 12)),
    # through Pillow, pi-heif makes more bits eight
    Row("Pillow", "HEIF", (8,)),
    Row("pi-heif", "HEIF", MANY_BITS),
    Row("Pillow", "WEBP"),
    Row("Pillow", "BMP"),
    Row("Pillow", "GIF"),
)
"""The table."""


def reader_of(layout: SampleLayout) -> Reader | None:
    """Reader of a layout; None if nobody reads it right.

    Example:
        >>> reader_of(SampleLayout("TIFF", 16, "RGB", planes="apart")), reader_of(SampleLayout("TIFF", 16, "YCbCr"))
        ('tifffile', None)
    """
    return next((row.reader for row in ROWS if row.fits(layout)), None)
