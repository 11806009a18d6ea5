"""The benchmark of reading: what it draws is what is in its files, and a reader that is wrong shows."""

import io

import numpy as np
import pytest
from PIL import Image

from benchmarks.measures import image_reading, image_writing
from benchmarks.measures.drawn_files import DrawnFile, drawn_files, drawn_samples, png, quantised


def test_files_are_many_and_named_once() -> None:
    names = [file.name for file in drawn_files()]
    assert len(names) > 50
    assert len(set(names)) == len(names)


def test_png_is_what_was_drawn() -> None:
    samples = quantised(drawn_samples()[..., :3], 8)
    with Image.open(io.BytesIO(png(samples, 8))) as image:
        np.testing.assert_array_equal(np.asarray(image), samples)


@pytest.mark.parametrize(
    ("suffix", "bits", "opacity", "iptc", "captions"),
    [
        (".png", 16, "kept", "kept", "kept"),
        (".jpg", 8, "left out", "kept", "as XMP"),
        (".webp", 8, "kept", "left out", "as XMP"),
    ],
)
def test_rows_of_what_is_written(suffix: str, bits: int, opacity: str, iptc: str, captions: str) -> None:
    row = image_writing.row(suffix, 16)
    assert row[:-1] == (f"{suffix}, 16 bits", bits, opacity, "kept", "kept", "kept", iptc, captions, "kept")
    assert 0 <= row[-1] <= (0.02 if suffix == ".png" else 20)


def test_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_reading, "libvips_difference", lambda data, ours: 0.5)
    samples = quantised(drawn_samples()[..., :3], 16)
    right = DrawnFile("right", png(samples, 16), samples / 65535)
    assert image_reading.row(right) == ("right", "OpenCV", 16, "none", "sRGB", 0.0, 0.5)
    off = samples / 65535
    off[0, 0, 0] += 3 / 255
    assert image_reading.row(right._replace(truth=off))[5] == 3.0
    assert image_reading.row(right._replace(data=right.data[:90]))[2] == "refused"
