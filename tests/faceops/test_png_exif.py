"""EXIF of PNG files: behind the pixels, which the standard allows, and in texts, where older programs put it."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from faceops.images.decoding import open_header, open_image, picture_size, upright_size
from faceops.images.files import Picture, decode_picture
from faceops.images.png_exif import png_exif

WIDTH, HEIGHT = 9, 6
DEEP = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH, 3), dtype=np.uint16)
QUARTER = 6
"""Orientation of a picture that is turned clockwise to be upright."""

HEADER_END, END = 33, 12
"""Where the chunk of sides ends, and the length of the last chunk."""


def exif_content(artist: str = "Zoe") -> bytes:
    """A block of a turned picture."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Artist] = QUARTER, artist
    exif[ExifTags.Base.XResolution] = exif[ExifTags.Base.YResolution] = 300.0
    return exif.tobytes().removeprefix(b"Exif\0\0")


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def text_chunk(kind: str, content: bytes) -> bytes:
    """A text of bytes in hexadecimal, as ImageMagick stores them."""
    text = f"\n{kind}\n{len(content):8d}\n{content.hex()}\n".encode()
    return chunk(b"zTXt", f"Raw profile type {kind}".encode() + b"\0\0" + zlib.compress(text))


def png(bits: int, before: bytes = b"", behind: bytes = b"") -> bytes:
    """A PNG of random levels with chunks before and behind its pixels."""
    samples = DEEP if bits == 16 else (DEEP >> 8).astype(np.uint8)
    data = cv2.imencode(".png", samples)[1].tobytes()
    return data[:HEADER_END] + before + data[HEADER_END:-END] + behind + data[-END:]


def check_turned(data: bytes, bits: int) -> Picture:
    """Check that header and samples are turned alike, and that EXIF is kept; the picture."""
    file = open_image(data, "a")
    assert picture_size(file) == (WIDTH, HEIGHT)
    picture = decode_picture(data, "a")
    wanted = np.rot90(DEEP[..., ::-1] if bits == 16 else DEEP[..., ::-1] >> 8, -1)
    found = picture.pixels.permute(1, 2, 0).double().numpy() * (2**bits - 1)
    np.testing.assert_array_equal(found.round(), wanted)
    kept = Image.Exif()
    kept.load(picture.exif or b"")
    assert (kept[ExifTags.Base.Orientation], kept[ExifTags.Base.Artist]) == (1, "Zoe")
    return picture


@pytest.mark.parametrize("bits", [8, 16])
def test_exif_behind_the_pixels_counts_as_before_them(tmp_path: Path, bits: int) -> None:
    data = png(bits, behind=chunk(b"eXIf", exif_content()))
    assert check_turned(data, bits).description.density == (300, 300)
    (tmp_path / "a.png").write_bytes(data)
    with (tmp_path / "a.png").open("rb") as file:
        assert upright_size(open_header(file, "a")) == (HEIGHT, WIDTH)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("place", ["before", "behind"])
def test_exif_in_a_text_of_imagemagick(bits: int, place: str) -> None:
    check_turned(png(bits, **{place: text_chunk("exif", b"Exif\0\0" + exif_content())}), bits)


@pytest.mark.parametrize("bits", [8, 16])
def test_of_several_blocks_one_counts_for_header_and_samples(bits: int) -> None:
    upright = Image.Exif()
    upright[ExifTags.Base.Orientation] = 1
    second = chunk(b"eXIf", upright.tobytes().removeprefix(b"Exif\0\0"))
    check_turned(png(bits, chunk(b"eXIf", exif_content()), second), bits)
    check_turned(png(bits, text_chunk("exif", exif_content("another")), chunk(b"eXIf", exif_content())), bits)


def test_what_is_no_exif_turns_nothing() -> None:
    no_hexadecimal = chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 3\nno hexadecimal\n")
    for behind in (no_hexadecimal, chunk(b"tEXt", b"Raw profile type exif\0"), chunk(b"eXIf", b"")):
        picture = decode_picture(png(8, behind=behind), "a")
        assert (picture.pixels.shape, picture.exif) == ((3, HEIGHT, WIDTH), None)


def test_pixels_are_skipped_when_exif_is_looked_for() -> None:
    class Counting(io.BytesIO):
        count = 0

        def read(self, size: int | None = -1) -> bytes:
            content = super().read(size)
            self.count += len(content)
            return content

    pixels = chunk(b"IDAT", bytes(1 << 20)) + chunk(b"IDAT", bytes(1 << 20))
    file = Counting(png(8, behind=pixels + chunk(b"eXIf", exif_content())))
    assert png_exif(file) == exif_content()
    assert file.count < 1000


def test_a_length_beyond_the_end_is_read_no_further() -> None:
    cut = png(8)[:-END] + struct.pack(">I4s", 2**31 - 1, b"eXIf") + b"II*\0"
    assert png_exif(io.BytesIO(cut)) == b"II*\0"


def test_iptc_behind_the_pixels_is_kept() -> None:
    record = b"\x1c\x02\x78\x00\x03Zoe"
    for place in ("before", "behind"):
        assert decode_picture(png(8, **{place: text_chunk("iptc", record)}), "a").description.iptc == record
