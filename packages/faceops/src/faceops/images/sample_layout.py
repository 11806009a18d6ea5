"""How the samples of an image file lie in it, from its header: what decides who may read it."""

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from PIL import Image
from PIL.ImageFile import ImageFile

from faceops.images.headers import AnyTiff
from faceops.images.iso_boxes import primary_properties

Extra = Literal["none", "straight", "associated", "unspecified"]
"""What samples beside the colours are: opacity, opacity that the colours are multiplied by, something else."""

TIFF_COLOURS = {
    **{0: "inverted grey", 1: "grey", 2: "RGB", 3: "palette", 4: "mask", 5: "CMYK", 6: "YCbCr", 8: "CIELab"},
    **{9: "ICCLab", 10: "ITULab", 32803: "raw", 32844: "LogL", 32845: "LogLuv", 34892: "raw"},
}
"""Photometric interpretations of TIFF."""

COLOUR_COUNTS = {"RGB": 3, "CMYK": 4, "YCbCr": 3, "CIELab": 3, "ICCLab": 3, "ITULab": 3}
"""Samples of a colour, where there is more than one."""

TIFF_KINDS = {1: "unsigned", 2: "signed", 3: "float", 4: "unsigned", 5: "complex", 6: "complex"}
EXTRA_SAMPLES: dict[int, Extra] = {0: "unspecified", 1: "associated", 2: "straight"}
PNG_COLOURS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey", 6: "RGB"}
PNG_FIRST_CHUNK = 8


@dataclass(frozen=True)
class SampleLayout:
    """How samples lie in a file."""

    format: str
    """As Pillow calls it."""
    bits: int = 8
    """Of a sample, as stored."""
    colours: str = "RGB"
    """What the samples are of, such as ``grey``, ``inverted grey`` (0 is white), ``RGB``, ``CMYK``, ``CIELab``."""
    kind: str = "unsigned"
    """``unsigned``, ``signed``, ``float``, ``complex``, or ``mixed`` if the channels differ."""
    planes: Literal["together", "apart"] = "together"
    """Whether the samples of a pixel are neighbours, or each channel is stored for itself."""
    extra: Extra = "none"
    colour_key: bool = False
    """True if one grey or colour is named as transparent (PNG tRNS)."""
    animated: bool = False
    pillow: bool = True
    """True if Pillow opens the file."""

    def __str__(self) -> str:
        """Words for a sentence.

        Example:
            >>> str(SampleLayout("TIFF", 16, "grey", "signed", extra="straight"))
            'a TIFF of 16-bit signed grey with straight extra samples'
        """
        kind = "" if self.kind == "unsigned" else f" {self.kind}"
        extra = "" if self.extra == "none" else f" with {self.extra} extra samples"
        planes = ", plane by plane" if self.planes == "apart" else ""
        return f"a {self.format} of {self.bits}-bit{kind} {self.colours}{extra}{planes}"


def sample_layout(image: ImageFile, data: bytes) -> SampleLayout:
    """Read from an opened image and the whole file how its samples lie."""
    name = str(image.format)
    if name == "TIFF":
        return _tiff_layout(image)
    if name == "PNG":
        return _png_layout(data)
    if name in ("JPEG", "MPO"):
        return SampleLayout("JPEG", getattr(image, "bits", 8), _pillow_colours(image), pillow=bool(image.tile))
    if name == "PPM":
        return _pnm_layout(image, data)
    if name == "JPEG2000":
        return _jpeg2000_layout(data)
    if name in ("AVIF", "HEIF"):
        return SampleLayout(name, _iso_bits(data), _pillow_colours(image))
    return SampleLayout(name, 8, _pillow_colours(image))


def png_chunks(data: bytes, behind_pixels: bool = False) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of the chunks of a PNG before its pixels, or of all but these."""
    return chunks_of(io.BytesIO(data), behind_pixels)


def chunks_of(file: io.BytesIO | io.BufferedReader, behind_pixels: bool = False) -> Iterator[tuple[bytes, bytes]]:
    """Chunks likewise, of a file, of which the pixels are not read."""
    end, at = file.seek(0, io.SEEK_END), PNG_FIRST_CHUNK
    while at + 8 <= end:
        file.seek(at)
        size, kind = struct.unpack(">I4s", file.read(8))
        if kind == b"IEND" or (kind == b"IDAT" and not behind_pixels):
            return
        if kind not in (b"IDAT", b"fdAT"):
            yield kind, file.read(min(size, end - at - 8))
        at += size + 12


def _tiff_layout(image: ImageFile) -> SampleLayout:
    tags = image.tag_v2  # type: ignore[attr-defined]
    bits, kinds = _several(tags.get(258, 1)), _several(tags.get(339, 1))
    colours = TIFF_COLOURS.get(tags.get(262, 0), "unknown colours")
    # a thumbnail first, or a DNG's version: the picture itself is the raw data of a sensor
    if 50706 in tags or (tags.get(254, 0) & 1 and 330 in tags):
        colours = "raw"
    if colours == "CMYK" and tags.get(332, 1) != 1:
        colours = "inks other than CMYK"
    alike = len(set(bits)) == 1 and len(set(kinds)) == 1
    return SampleLayout(
        "TIFF",
        max(bits),
        colours,
        TIFF_KINDS.get(kinds[0], "unknown") if alike else "mixed",
        "apart" if tags.get(284, 1) == 2 and tags.get(277, 1) > 1 else "together",
        _tiff_extra(tags.get(277, 1) - COLOUR_COUNTS.get(colours, 1), _several(tags.get(338, ()))),
        pillow=not isinstance(image, AnyTiff),
    )


def _several(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)


def _tiff_extra(count: int, said: tuple[int, ...]) -> Extra:
    if count < 1:
        return "none"
    if not said:  # a tag that some writers leave out; what they add is opacity
        return "straight"
    kinds = [EXTRA_SAMPLES.get(value, "straight") for value in said]  # Corel Draw says 999
    return next((kind for kind in kinds if kind != "unspecified"), "unspecified")


def _png_layout(data: bytes) -> SampleLayout:
    bits, colour = data[24], data[25]
    kinds = {kind for kind, _ in png_chunks(data)}
    return SampleLayout(
        "PNG",
        bits,
        PNG_COLOURS.get(colour, "unknown colours"),
        extra="straight" if colour >= 4 else "none",
        colour_key=b"tRNS" in kinds and colour != 3,
        animated=b"acTL" in kinds,
    )


def _pnm_layout(image: ImageFile, data: bytes) -> SampleLayout:
    if image.mode == "F":
        return SampleLayout("PPM", 32, "grey", "float")
    return SampleLayout("PPM", 16 if pnm_header(data)[2] > 255 else 8, _pillow_colours(image))


def pnm_header(data: bytes) -> tuple[int, int, int, int]:
    """Width, height, largest value and length of the header of a PNM file; the largest value of a bitmap is 1."""
    number = rb"(?:\s|#[^\n]*\n)+(\d+)"
    found = re.match(rb"P[14]" + number * 2 + rb"\s", data) or re.match(rb"P[2356]" + number * 3 + rb"\s", data)
    if found is None:
        raise ValueError("its header is none of a PNM file")
    width, height, *largest = (int(value) for value in found.groups())
    return width, height, largest[0] if largest else 1, found.end()


def _jpeg2000_layout(data: bytes) -> SampleLayout:
    start = data.find(b"\xff\x4f\xff\x51")
    (count,) = struct.unpack_from(">H", data, start + 40)
    depths = [data[start + 42 + 3 * i] for i in range(count)]
    steps = {data[start + 43 + 3 * i : start + 45 + 3 * i] for i in range(count)}
    coded = data.find(b"colr", 0, start)
    space = int.from_bytes(data[coded + 7 : coded + 11], "big") if coded >= 0 and data[coded + 4] == 1 else 0
    unlike = len(set(depths)) > 1 or steps != {b"\1\1"}
    colours = "YCbCr" if space == 18 else "palette" if b"pclr" in data[:start] else "RGB" if count >= 3 else "grey"
    kind = "mixed" if unlike else "signed" if depths[0] & 128 else "unsigned"
    extra: Extra = "none" if count in (1, 3) else "straight"
    return SampleLayout("JPEG2000", (depths[0] & 127) + 1, colours, kind, extra=extra)


def _iso_bits(data: bytes) -> int:
    """Bits of a sample from the configuration of AV1, or from the pixel information that HEIC has."""
    properties = dict(primary_properties(data))
    if len(properties.get(b"av1C", b"")) > 2:
        deep, deeper = properties[b"av1C"][2] & 64, properties[b"av1C"][2] & 32
        return 12 if deep and deeper else 10 if deep else 8
    return max(properties.get(b"pixi", b"\0\0\0\0\1\x08")[5:], default=8)


def _pillow_colours(image: Image.Image) -> str:
    if image.mode.startswith(("1", "L", "I;16", "I")):
        return "grey"
    return {"P": "palette", "PA": "palette", "CMYK": "CMYK"}.get(image.mode, "RGB")
