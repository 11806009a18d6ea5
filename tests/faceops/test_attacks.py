"""Files that are meant to do harm: bombs, pipes, and those on which a decoder raises something unforeseen."""

import io
import os
import socket
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from faceops.images.batch import Batch, attempt, run_batch
from faceops.images.decoding import MAX_PIXELS, decode_raster, open_header, open_image, picture_count
from faceops.images.errors import DamagedImageError, MissingImageError, TooLargeImageError
from faceops.images.files import load_picture
from faceops.images.jobs import Job
from faceops.images.memory_budget import check_memory, default_budget, machine_memory, memory_budget
from faceops.images.opening import check_opens

TIFF_WITHOUT_A_SIZE = b"II*\0\x08\0\0\0\1\0\x06\1\3\0\1\0\0\0\2\0\0\0\0\0\0\0"


def bomb(width: int, height: int) -> bytes:
    """PNG that announces a size and holds one row."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(width)))]
    parts = (struct.pack(">I", len(c)) + kind + c + struct.pack(">I", zlib.crc32(kind + c)) for kind, c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_a_bomb_is_refused_by_its_header(monkeypatch):
    monkeypatch.setattr("faceops.images.decoding._decoded", lambda *_: pytest.fail("it was decoded"))
    with (
        memory_budget(2.0),
        pytest.raises(TooLargeImageError, match=r"bomb\.png has 10000 x 10000 .* 4 GB .* 2 GB may"),
    ):
        decode_raster(bomb(10_000, 10_000), "bomb.png")


def test_what_the_work_takes_counts():
    with memory_budget(1.0, bytes_per_pixel=90):
        check_memory("a", (3_333, 3_333))
        with pytest.raises(TooLargeImageError):
            check_memory("a", (3_334, 3_334))
    with memory_budget(1.0):
        check_memory("a", (5_000, 5_000))


@pytest.mark.parametrize("gigabytes", [0.0, -1.0, float("nan"), float("inf")])
def test_a_limit_that_is_none(gigabytes):
    with pytest.raises(ValueError, match="--max-memory is a number of gigabytes above zero"), memory_budget(gigabytes):
        pass
    with pytest.raises(ValueError, match=r"^--memory is a number"), memory_budget(gigabytes, option="--memory"):
        pass


def test_half_of_the_machine_unless_another_limit_is_given(monkeypatch):
    memory = machine_memory()
    assert memory is not None
    assert default_budget() == memory // 2
    monkeypatch.setattr("faceops.images.memory_budget.default_budget", lambda: 39)
    with pytest.raises(TooLargeImageError):
        check_memory("a", (1, 1))
    assert MAX_PIXELS == 200_000_000


def test_a_pipe_socket_or_device_is_refused_at_once(tmp_path):
    pipe, plug = tmp_path / "a.png", tmp_path / "b.png"
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(plug))
        for path, what in ((pipe, "a pipe"), (plug, "a socket"), (type(pipe)("/dev/zero"), "a device")):
            for read in (load_picture, check_opens):
                with pytest.raises(MissingImageError, match=f"{path} is {what}, an image file was wanted"):
                    read(path)


def test_a_tiff_without_a_size_is_damaged():
    for read in (open_header, lambda file, name: decode_raster(file.getvalue(), name)):
        with pytest.raises(DamagedImageError, match=r"a\.tif has a damaged header"):
            read(io.BytesIO(TIFF_WITHOUT_A_SIZE), "a.tif")


@pytest.mark.parametrize("error", [TypeError("no"), KeyError(273), ZeroDivisionError(), AssertionError()])
def test_whatever_a_decoder_raises_is_damage(monkeypatch, error):
    def raising(*_):
        raise error

    buffer = io.BytesIO()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(buffer, "PNG")
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", raising)
    with pytest.raises(DamagedImageError, match=r"a\.png is damaged or cut short"):
        decode_raster(buffer.getvalue(), "a.png")


def test_whatever_happens_to_one_picture_the_others_are_done(tmp_path, capsys):
    jobs = [Job(tmp_path / f"{name}.png", tmp_path / f"{name}.out", f"{name}.png") for name in "abc"]
    done = []

    def work(job: Job) -> None:
        if job.name == "b.png":
            raise AttributeError("nothing like that")
        done.append(job.name)

    failed = run_batch(jobs, Batch(lambda job: attempt(job, work), "reading", "read"))
    assert (failed, done) == (1, ["a.png", "c.png"])
    assert "b.png: AttributeError: nothing like that" in capsys.readouterr().err


def test_pictures_behind_a_damaged_second_one_are_not_counted(monkeypatch):
    buffer = io.BytesIO()
    frames = [Image.new("L", (4, 4), level) for level in (0, 99)]
    frames[0].save(buffer, "TIFF", save_all=True, append_images=frames[1:])
    assert picture_count(open_image(buffer.getvalue(), "a")) == 2

    def seek(image, frame):
        raise TypeError("Missing dimensions")

    monkeypatch.setattr("PIL.TiffImagePlugin.TiffImageFile.seek", seek)
    assert picture_count(open_image(buffer.getvalue(), "a")) == 1
