"""EXIF that is not as it should be: orientations that there are not, tags of another type, chunks in rare places."""

import io

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image

from faceops.images.decoding import open_header, open_image, stored_orientation, upright, upright_size
from faceops.images.files import decode_picture

WIDTH, HEIGHT = 9, 6


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
