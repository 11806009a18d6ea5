"""Writing of image files: what each format keeps of a picture that has everything, as it is read again."""

import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image

from benchmarks.measures.drawn_files import drawn_samples
from benchmarks.measures.image_reading import apart
from benchmarks.reporting.table import Cell, Suite, Table
from faceops.images.coded_colours import PRIMARIES, SRGB_CURVE, icc_profile
from faceops.images.description import Description
from faceops.images.files import Picture, load_picture, save_picture

COLUMNS = (
    *("file", "bits kept", "opacity", "profile", "EXIF", "XMP", "IPTC", "captions", "pixels per inch"),
    "off what was written",
)

SUFFIXES = (".png", ".tif", ".jpg", ".webp", ".avif")
BITS: Sequence[int] = (8, 16)

CAPTION = b"\x1c\x02\x78\x00\x04Lake"
"""Record of IPTC: a caption."""


def measure(suite: Suite) -> list[Table]:
    """One table of all formats that are written; the suite makes no difference."""
    rows = tuple(row(suffix, bits) for suffix in SUFFIXES for bits in BITS)
    note = (
        "Differences are the largest of any channel, in levels of 8 bits, at the quality that is used: of the sRGB as "
        "read again from the sRGB that was written; JPEG has been written without opacity."
    )
    return [Table("image_writing", "A picture that has everything, written and read again", COLUMNS, rows, note=note)]


def picture(bits: int) -> Picture:
    """A smooth picture with opacity, a profile of Display P3 and all kinds of metadata."""
    drawn = np.rint(drawn_samples() * (2**bits - 1)) / (2**bits - 1)
    values = torch.from_numpy(drawn).float().permute(2, 0, 1)
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Zoe"
    return Picture(
        values[:3],
        values[3:],
        bits=8 if bits == 8 else 16,
        icc_profile=icc_profile(PRIMARIES[12], SRGB_CURVE, False),
        exif=exif.tobytes(),
        description=Description(b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", CAPTION, (300.0, 300.0)),
    )


def row(suffix: str, bits: int) -> tuple[Cell, ...]:
    """A row of the table."""
    whole = picture(bits)
    if suffix == ".jpg":
        whole = replace(whole, alpha=None)
    again = written_and_read(whole, suffix)
    told, wanted = again.description, whole.description
    captions = Description(captions=(("Title", "Lake"),))
    captioned = written_and_read(replace(whole, description=captions), suffix).description
    return (
        f"{suffix}, {bits} bits",
        again.bits,
        kept(again.alpha is not None),
        kept(again.icc_profile == whole.icc_profile),
        kept(artist(again) == "Zoe"),
        kept(told.xmp == wanted.xmp),
        kept(told.iptc == wanted.iptc),
        "as XMP" if captioned.xmp is not None else kept(captioned == captions),
        kept(told.density == wanted.density),
        apart(seen(again), seen(whole)),
    )


def written_and_read(whole: Picture, suffix: str) -> Picture:
    """A picture after a file of it has been written and read."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what has no place is what the table says
        path = Path(folder) / f"a{suffix}"
        save_picture(whole, path)
        return load_picture(path)


def artist(shown: Picture) -> str | None:
    """Who made a picture, by its EXIF."""
    exif = Image.Exif()
    if shown.exif is not None:
        exif.load(shown.exif)
    return exif.get(ExifTags.Base.Artist)


def seen(shown: Picture) -> np.ndarray:
    """Colours and opacity in [0, 1], (c, h, w)."""
    parts = [shown.pixels] if shown.alpha is None else [shown.pixels, shown.alpha]
    return torch.cat(parts).double().numpy()


def kept(whether: bool) -> str:
    """Word of the table."""
    return "kept" if whether else "left out"
