"""EXIF that is not as it should be: orientations that there are not, tags of another type, chunks in rare places."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, TiffImagePlugin

from faceops.images.decoding import open_header, open_image, stored_orientation, upright, upright_size
from faceops.images.deep_avif import Item, with_metadata
from faceops.images.files import Picture, decode_picture

WIDTH, HEIGHT = 9, 6
MAKE, DATE, RESOLUTION = ExifTags.Base.Make, ExifTags.Base.DateTimeOriginal, ExifTags.Base.XResolution
HEAD, START = b"Exif\0\0II*\0\x08\0\0\0", 8
"""How a block begins, and where its first directory does, counted behind the word Exif."""

TEXT, SHORT, FLOAT = 2, 3, 11
"""Types of a tag."""


def encoded(kind: str, exif: Image.Exif | bytes, **options: object) -> bytes:
    """A picture of `WIDTH` x `HEIGHT` with an EXIF block."""
    buffer = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT)).save(buffer, kind, exif=exif, **options)
    return buffer.getvalue()


def sides(data: bytes) -> tuple[tuple[int, int], tuple[int, int]]:
    """Width and height by the header, and as decoded."""
    height, width = decode_picture(data, "a").pixels.shape[1:]
    return upright_size(open_header(io.BytesIO(data), "a")), (width, height)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", [0, 9, 90, 180, 65535])
def test_an_orientation_that_there_is_not_turns_nothing(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = encoded(kind, exif)
    assert sides(data) == ((WIDTH, HEIGHT), (WIDTH, HEIGHT))
    assert stored_orientation(open_image(data, "a").header) == 1


@pytest.mark.parametrize(
    ("code", "count", "value", "turns"),
    [(3, 1, 9, False), (3, 1, 90, False), (2, 2, "6", False), (12, 1, float("nan"), False), (5, 1, (6, 1), True)],
)
def test_header_and_samples_of_a_deep_tiff_agree(code: int, count: int, value: object, turns: bool) -> None:
    buffer = io.BytesIO()
    tag = (int(ExifTags.Base.Orientation), code, count, value, True)
    tifffile.imwrite(buffer, np.zeros((HEIGHT, WIDTH, 3), np.uint16), photometric="rgb", extratags=[tag], metadata=None)
    wanted = (HEIGHT, WIDTH) if turns else (WIDTH, HEIGHT)
    assert sides(buffer.getvalue()) == (wanted, wanted)


@pytest.mark.parametrize("orientation", [-1, 0, 9, 90])
def test_samples_stay_as_they_are_for_an_unknown_orientation(orientation: int) -> None:
    samples = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    np.testing.assert_array_equal(upright(samples, orientation), samples)


def odd_exif() -> bytes:
    """A block of camera, date and place, and in each directory a tag of another type than its name has."""
    block, details, place = (
        TiffImagePlugin.ImageFileDirectory_v2(group=group) for group in (None, ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
    )
    block[MAKE], details[DATE], place[ExifTags.GPS.GPSLatitudeRef] = "Camera", "2020:01:01 00:00:00", "N"
    put(block, RESOLUTION, TEXT, "72 dpi")
    put(details, ExifTags.Base.ExifVersion, FLOAT, 2.3)
    put(place, ExifTags.GPS.GPSAltitude, TEXT, "high")
    block[ExifTags.IFD.Exif] = block[ExifTags.IFD.GPSInfo] = START
    second = START + len(block.tobytes(START))
    third = second + len(details.tobytes(second))
    block[ExifTags.IFD.Exif], block[ExifTags.IFD.GPSInfo] = second, third
    return HEAD + block.tobytes(START) + details.tobytes(second) + place.tobytes(third)


def put(directory: TiffImagePlugin.ImageFileDirectory_v2, tag: int, kind: int, value: object) -> None:
    """Store a tag as of a type, whatever its name has."""
    directory.tagtype[tag], directory[tag] = kind, value


def kept(picture: Picture) -> tuple[dict[int, object], dict[int, object], dict[int, object]]:
    """Tags of a picture, and those of the exposure and of the place."""
    exif = Image.Exif()
    exif.load(picture.exif or b"")
    details, place = (dict(exif.get_ifd(group)) for group in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo))
    own = {tag: value for tag, value in exif.items() if tag not in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)}
    return own, details, place


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_an_odd_tag_costs_no_more_than_itself_and_is_named(kind: str) -> None:
    data = encoded(kind, odd_exif())
    with pytest.warns(UserWarning, match="so they are left out: XResolution, ExifVersion, GPSAltitude") as said:
        picture = decode_picture(data, "a")
    assert len(said) == 1
    assert kept(picture) == ({MAKE: "Camera"}, {DATE: "2020:01:01 00:00:00"}, {ExifTags.GPS.GPSLatitudeRef: "N"})


def test_an_odd_tag_of_a_tiff_is_named() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[MAKE] = "Camera"
    put(tags, ExifTags.Base.YResolution, TEXT, "72 dpi")
    buffer = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT)).save(buffer, "TIFF", tiffinfo=tags)
    with pytest.warns(UserWarning, match="so they are left out: YResolution"):
        picture = decode_picture(buffer.getvalue(), "a")
    assert kept(picture)[0] == {MAKE: "Camera"}


def test_a_tag_that_cannot_be_read_costs_no_more_than_itself() -> None:
    two_values = struct.pack("<HHIHH", ExifTags.Base.PhotometricInterpretation, SHORT, 2, 2, 2)
    make = struct.pack("<HHI4s", MAKE, TEXT, 4, b"Cam")
    exif = HEAD + struct.pack("<H", 2) + two_values + make + bytes(4)
    with pytest.warns(UserWarning, match="so they are left out: PhotometricInterpretation"):
        picture = decode_picture(encoded("JPEG", exif), "a")
    assert kept(picture)[0] == {MAKE: "Cam"}


def test_no_tag_says_the_sides_that_the_picture_had() -> None:
    exif = Image.Exif()
    exif[MAKE] = "Camera"
    exif[ExifTags.Base.ImageWidth], exif[ExifTags.Base.ImageLength] = WIDTH, HEIGHT
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[DATE] = "2020:01:01 00:00:00"
    details[ExifTags.Base.ExifImageWidth], details[ExifTags.Base.ExifImageHeight] = WIDTH, HEIGHT
    related = {ExifTags.Interop.RelatedImageWidth: WIDTH, ExifTags.Interop.RelatedImageHeight: HEIGHT}
    details[ExifTags.IFD.Interop] = {ExifTags.Interop.InteropIndex: "R98", **related}
    picture = decode_picture(encoded("JPEG", exif), "a")
    own, details, _ = kept(picture)
    assert own == {MAKE: "Camera"}
    assert set(details) == {DATE, ExifTags.IFD.Interop}
    loaded = Image.Exif()
    loaded.load(picture.exif or b"")
    assert dict(loaded.get_ifd(ExifTags.IFD.Interop)) == {ExifTags.Interop.InteropIndex: "R98"}


def test_a_damaged_block_is_left_out_and_that_is_said() -> None:
    with pytest.warns(UserWarning, match="The EXIF block is damaged, so it is left out"):
        assert decode_picture(encoded("JPEG", b"Exif\0\0rubbish"), "a").exif is None


@pytest.mark.parametrize("orientation", [1, 6])
def test_an_avif_that_a_box_turns_opens_whatever_its_exif_holds(orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    described = Item(b"Exif\0", bytes(4) + odd_exif().removeprefix(b"Exif\0\0"))
    data = with_metadata(encoded("AVIF", exif), None, [described])
    with pytest.warns(UserWarning, match="so they are left out: XResolution, ExifVersion, GPSAltitude"):
        picture = decode_picture(data, "a")
    wanted = (WIDTH, HEIGHT) if orientation == 1 else (HEIGHT, WIDTH)
    assert upright_size(open_header(io.BytesIO(data), "a")) == picture.pixels.shape[:0:-1] == wanted
    assert kept(picture)[0][MAKE] == "Camera"
