"""What there is to do for files, folders and patterns."""

import os
from pathlib import Path

import pytest

from headsup.restoring.jobs import Job, input_files, plan_jobs
from headsup.restoring.options import RestoreOptions, parse_size


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    folder.mkdir()
    for name in ("b.jpg", "a.png", "c.gif", "notes.txt", ".hidden.png"):
        (folder / name).touch()
    return folder


def test_one_file_to_a_file_or_into_a_folder(album: Path, tmp_path: Path) -> None:
    source = album / "b.jpg"
    assert plan_jobs([source], tmp_path / "new.png") == [Job(source, tmp_path / "new.png")]
    assert plan_jobs([source], tmp_path / "out") == [Job(source, tmp_path / "out/b.jpg")]
    (tmp_path / "dir.png").mkdir()
    assert plan_jobs([source], tmp_path / "dir.png")[0].output == tmp_path / "dir.png/b.jpg"


def test_a_folder_and_a_pattern(album: Path, tmp_path: Path) -> None:
    names = ["a.png", "b.jpg", "c.gif.png"]
    assert [job.output.name for job in plan_jobs([album], tmp_path / "out")] == names
    assert input_files([album / "*.??g"]) == [album / "a.png", album / "b.jpg"]
    assert input_files([album, album / "b.jpg", album / "*.png"]) == [
        album / name for name in ("a.png", "b.jpg", "c.gif")
    ]
    # a file whose name looks like a pattern is that file
    (album / "d[1].png").touch()
    assert input_files([album / "d[1].png"]) == [album / "d[1].png"]


def test_sheets(album: Path, tmp_path: Path) -> None:
    assert plan_jobs([album / "b.jpg"], tmp_path / "o", tmp_path / "s.png")[0].sheet == tmp_path / "s.png"
    assert plan_jobs([album], tmp_path / "o", tmp_path / "s")[0].sheet == tmp_path / "s/a.png.png"


@pytest.mark.parametrize(
    ("inputs", "output", "sentence"),
    [
        (["a.png", "b.jpg"], "out.png", "There are 2 pictures, so --output must be a folder"),
        (["a.png"], "out.gif", "must end in one of .png, .jpg"),
        (["*.tiff"], "out", "Nothing matches"),
        (["a.png"], "a.png", "is an input and would be replaced"),
        (["a.png", "b.jpg"], ".", "is an input and would be replaced"),
        (["a.png", "deep/a.png"], "out", "out/a.png would be written twice, for .*album/a.png and for .*deep/a.png"),
        (["a.png"], "notes.txt/out", "notes.txt is a file, but a folder is needed"),
        (["empty"], "out", "There are no pictures in"),
    ],
)
def test_what_is_refused(album: Path, inputs: list[str], output: str, sentence: str) -> None:
    (album / "deep").mkdir()
    (album / "empty").mkdir()
    (album / "deep/a.png").touch()
    with pytest.raises(ValueError, match=sentence):
        plan_jobs([album / name for name in inputs], album / output)


def test_a_sheet_that_is_the_result_is_refused(album: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="written twice"):
        plan_jobs([album / "a.png"], tmp_path / "o.png", tmp_path / "o.png")
    with pytest.raises(ValueError, match="must end in one of"):
        plan_jobs([album / "a.png"], tmp_path / "o.png", tmp_path / "o.txt")


def test_a_folder_that_cannot_be_written_to(album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # the super-user may write anywhere
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(PermissionError, match="cannot be written to; name another, or change its permissions"):
        plan_jobs([album], tmp_path / "not there yet")


def test_sizes() -> None:
    assert RestoreOptions(scale=2.5).target(11, 20) == (28, 50)
    assert RestoreOptions(size=parse_size("30X20")).target(11, 20) == (20, 30)
    with pytest.raises(ValueError, match="such as 1600x1200; got '10'"):
        parse_size("10")
    with pytest.raises(ValueError, match="at least 1 x 1"):
        RestoreOptions(size=(0, 5))
    with pytest.raises(ValueError, match="Tiles must be larger than their overlap"):
        RestoreOptions(tile=64, overlap=64)
