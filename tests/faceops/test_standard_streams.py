"""Pictures that are piped in and on."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from faceops.images.errors import MissingImageError, TooLargeImageError
from faceops.images.files import Picture, decode_picture, encode_picture, save_picture
from faceops.images.job_files import pipe_on, read_source
from faceops.images.jobs import Job, missing_jobs, plan_jobs
from faceops.images.memory_budget import memory_budget

DASH = Path("-")
PICTURE = Picture(torch.arange(60).reshape(3, 4, 5) / 255)


def pipe_in(monkeypatch: pytest.MonkeyPatch, data: bytes, terminal: bool = False) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data), isatty=lambda: terminal))


def test_jobs_of_a_pipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pipe_in(monkeypatch, b"")
    into = tmp_path / "o.jpg"
    assert plan_jobs([DASH], into, streams=True) == [Job(Path("stdin"), into, "stdin", from_stdin=True)]
    assert plan_jobs([DASH], tmp_path, streams=True)[0].output == tmp_path / "stdin.png"
    (job,) = plan_jobs([DASH], DASH, tmp_path / "sheet.png", streams=True)
    assert job.to_stdout
    assert job.targets == (tmp_path / "sheet.png",)
    # a file of the name that a pipe is given, and one that has the name of stdout
    monkeypatch.chdir(tmp_path)
    for name in ("stdin", "-"):
        (tmp_path / name).touch()
    assert plan_jobs([Path("stdin")], into, streams=True) == [Job(Path("stdin"), into, "stdin")]
    with pytest.raises(ValueError, match=r"stdin\.png would be written twice"):
        plan_jobs([DASH, Path("stdin")], tmp_path / "out", streams=True)
    assert missing_jobs([job], overwrite=False) == [job]


def test_without_streams_a_dash_is_a_name(tmp_path: Path) -> None:
    (job,) = plan_jobs([DASH], tmp_path / "o.png")
    assert (job.source, job.from_stdin) == (DASH, False)
    with pytest.raises(MissingImageError, match="There is no file -"):
        read_source(job)


def test_a_terminal_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pipe_in(monkeypatch, b"", terminal=True)
    with pytest.raises(ValueError, match="- is a picture from a pipe, but stdin is a terminal"):
        plan_jobs([DASH], tmp_path / "o.png", streams=True)
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ValueError, match="but stdin is a terminal"):
        plan_jobs([DASH], tmp_path / "o.png", streams=True)
    for name in ("a.png", "b.png"):
        save_picture(PICTURE, tmp_path / name)
    with pytest.raises(ValueError, match="--output - is for one picture, and there are 2"):
        plan_jobs([tmp_path], DASH, streams=True)
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: True))
    with pytest.raises(ValueError, match="--output - writes PNG to a pipe, but stdout is a terminal"):
        plan_jobs([tmp_path / "a.png"], DASH, streams=True)


def test_what_is_piped_on_is_a_png(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture) -> None:
    pipe_in(monkeypatch, encode_picture(PICTURE, Path("a.tif")))
    pipe_on(decode_picture(read_source(Job(Path("stdin"), DASH, "stdin", from_stdin=True)), "stdin"))
    written = capsysbinary.readouterr().out
    assert written.startswith(b"\x89PNG")
    torch.testing.assert_close(decode_picture(written, "stdout").pixels, PICTURE.pixels)


def test_a_pipe_without_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(Path("stdin"), DASH, "stdin", from_stdin=True)
    with memory_budget(0.003):
        pipe_in(monkeypatch, bytes(3_000_000))
        assert len(read_source(job)) == 3_000_000
        pipe_in(monkeypatch, bytes(20_000_000))
        with pytest.raises(TooLargeImageError, match=r"stdin has more than 0\.003 GB"):
            read_source(job)
        assert sys.stdin.buffer.tell() < 5_000_000
