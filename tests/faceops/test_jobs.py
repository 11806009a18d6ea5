"""What there is to do for files, folders and patterns, and a batch of it that goes on after a failure."""

import errno
import gc
import os
import pty
import subprocess
import sys
import warnings
import weakref
from pathlib import Path
from typing import TextIO

import pytest

from faceops.images import one_file
from faceops.images.batch import Batch, Outcome, attempt, run_batch
from faceops.images.jobs import Job, check_targets, fitting, input_files, missing_jobs, plan_jobs
from faceops.images.picture_files import find_pictures, left_out, tell_left_out


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    folder.mkdir()
    for name in ("b.jpg", "a.png", "c.gif", "notes.txt", ".hidden.png"):
        (folder / name).touch()
    return folder


def test_one_file_to_a_file_or_into_a_folder(album: Path, tmp_path: Path) -> None:
    source = album / "b.jpg"
    assert plan_jobs([source], tmp_path / "new.png") == [Job(source, tmp_path / "new.png", "b.jpg")]
    assert plan_jobs([source], tmp_path / "out") == [Job(source, tmp_path / "out/b.jpg", "b.jpg")]
    (tmp_path / "dir.png").mkdir()
    assert plan_jobs([source], tmp_path / "dir.png")[0].output == tmp_path / "dir.png/b.jpg"


def test_a_folder_and_a_pattern(album: Path, tmp_path: Path) -> None:
    names = ["a.png", "b.jpg", "c.gif.png"]
    assert [job.output.name for job in plan_jobs([album], tmp_path / "out")] == names
    assert list(input_files([album / "*.??g"])) == [album / "a.png", album / "b.jpg"]
    assert list(input_files([album, album / "b.jpg", album / "*.png"])) == [
        album / name for name in ("a.png", "b.jpg", "c.gif")
    ]
    # a file whose name looks like a pattern is that file
    (album / "d[1].png").touch()
    assert list(input_files([album / "d[1].png"])) == [album / "d[1].png"]


@pytest.mark.parametrize("folder", ["album [2020]", "[a-z]*", "what?"])
def test_signs_of_patterns_in_names_of_folders(tmp_path: Path, folder: str) -> None:
    for place in (tmp_path / folder, tmp_path / "b"):
        place.mkdir()
        (place / "IMG[1].jpg").touch()
        (place / "IMG2.jpg").touch()
    for pattern, names in (
        ("*.jpg", ["IMG2.jpg", "IMG[1].jpg"]),
        ("IMG[0-9].jpg", ["IMG2.jpg"]),
        ("I*[1].*", ["IMG[1].jpg"]),
    ):
        assert list(input_files([tmp_path / folder / pattern])) == [tmp_path / folder / name for name in names]


def test_names_of_results_fit(tmp_path: Path) -> None:
    long = "日" * 83 + ".gif"  # 253 bytes, and .png would make 257
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / long).touch()
    (job,) = plan_jobs([tmp_path / "album"], tmp_path / "out", tmp_path / "sheets")
    assert job.output.name == job.sheet.name == "日" * 83 + ".g.png"
    assert not job.output.exists()  # would raise an error if it were too long
    assert fitting("deep/" + long) == "deep/" + long


def test_all_suffixes_of_pictures_are_pictures(tmp_path: Path) -> None:
    names = [f"a.{suffix}" for suffix in ("APNG", "dib", "j2k", "jfif", "jpx", "pbm", "pnm")]
    for name in (*names, "a.psd"):
        (tmp_path / name).touch()
    assert [path.name for path in find_pictures(tmp_path)] == names
    assert left_out(tmp_path) == f"{tmp_path}: left out are 1 file that by its name is no picture, a.psd."


def test_what_is_left_out_of_a_folder_is_said_once(
    album: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("deep", "deep/er", "out", ".hidden"):
        (album / folder).mkdir()
    (album / "deep/b.txt").touch()
    plan_jobs([album], album / "out")
    told = f"{album}: left out are 1 folder in it and 1 file that by its name is no picture, notes.txt."
    assert capsys.readouterr().err.splitlines() == [told]
    plan_jobs([album], album / "out", subfolders=True)
    told = f"{album}: left out are 2 files that by their names are no picture, such as b.txt."
    assert capsys.readouterr().err.splitlines() == [told]
    tell_left_out([album / "a.png", album / "out"])
    assert capsys.readouterr().err == ""


def test_sheets(album: Path, tmp_path: Path) -> None:
    assert plan_jobs([album / "b.jpg"], tmp_path / "o", tmp_path / "s.png")[0].sheet == tmp_path / "s.png"
    assert plan_jobs([album], tmp_path / "o", tmp_path / "s")[0].sheet == tmp_path / "s/a.png.png"


@pytest.mark.parametrize(
    ("inputs", "output", "sentence"),
    [
        (["a.png", "b.jpg"], "out.png", "There are 2 pictures, so --output must be a folder"),
        (["a.png"], "out.gif", "must end in one of .png, .jpg"),
        (["a.png"], "out.pgn", "must end in one of .png, .jpg, .*got '.pgn'"),
        (["a.png", "b.jpg"], "notes.txt", "notes.txt is a file, but a folder is needed"),
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


def test_an_input_under_another_spelling_is_no_target(album: Path) -> None:
    os.link(album / "b.jpg", album / "B.JPG")  # as if upper and lower case were one
    with pytest.raises(ValueError, match=r"B\.JPG is an input and would be replaced"):
        plan_jobs([album / "b.jpg"], album / "B.JPG")


def test_results_that_differ_in_case_only(album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (album / "deep").mkdir()
    (album / "deep/A.png").touch()
    inputs = [album / "a.png", album / "deep/A.png"]
    monkeypatch.setattr(one_file, "ignores_case", lambda folder: False)
    assert len(plan_jobs(inputs, tmp_path / "out")) == 2
    monkeypatch.setattr(one_file, "ignores_case", lambda folder: True)
    with pytest.raises(ValueError, match="would be one file, since upper and lower case are the same there"):
        plan_jobs(inputs, tmp_path / "out")


def test_whether_a_folder_ignores_case_is_tried(tmp_path: Path) -> None:
    (tmp_path / "Probe").touch()
    wanted = (tmp_path / "pROBE").exists()
    assert one_file.ignores_case(tmp_path / "not there yet") == wanted
    assert [path.name for path in tmp_path.iterdir()] == ["Probe"]


def test_a_sheet_that_is_the_result_is_refused(album: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="written twice"):
        plan_jobs([album / "a.png"], tmp_path / "o.png", tmp_path / "o.png")
    with pytest.raises(ValueError, match="must end in one of"):
        plan_jobs([album / "a.png"], tmp_path / "o.png", tmp_path / "o.txt")


def test_folders_in_folders_keep_their_names(album: Path, tmp_path: Path) -> None:
    for folder in ("deep/er", ".hidden"):
        (album / folder).mkdir(parents=True)
        (album / folder / "e.png").touch()
    jobs = plan_jobs([album], tmp_path / "out", tmp_path / "sheets", subfolders=True)
    assert [job.name for job in jobs] == ["a.png", "b.jpg", "c.gif", "deep/er/e.png"]
    assert jobs[-1].targets == (tmp_path / "out/deep/er/e.png", tmp_path / "sheets/deep/er/e.png.png")
    with pytest.raises(ValueError, match="There are 3 pictures, so --compare must be a folder"):
        plan_jobs([album], tmp_path / "out", tmp_path / "s.png")


def test_results_in_a_folder_that_is_read_are_no_inputs(album: Path) -> None:
    (album / "deep").mkdir()
    (album / "deep/e.png").touch()
    for _ in range(2):
        jobs = plan_jobs([album], album / "deep/lq", subfolders=True)
        assert [job.name for job in jobs] == ["a.png", "b.jpg", "c.gif", "deep/e.png"]
        for job in jobs:
            job.output.parent.mkdir(parents=True, exist_ok=True)
            job.output.touch()
    assert len(plan_jobs([album], album.parent, subfolders=True)) == 8  # this folder is not in the one that is read
    with pytest.raises(ValueError, match="is an input and would be replaced"):
        plan_jobs([album], album, subfolders=True)


def test_sheets_and_maps_in_a_folder_that_is_read_are_no_inputs(
    album: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        jobs = plan_jobs(
            [album], album / "out", album / "sheets", subfolders=True, more_results=album / "deep" / "maps"
        )
        assert [job.name for job in jobs] == ["a.png", "b.jpg", "c.gif"]
        assert "2 files" not in capsys.readouterr().err
        for made in (
            *(target for job in jobs for target in job.targets),
            album / "deep/maps/a.png",
            album / "out/o.txt",
        ):
            made.parent.mkdir(parents=True, exist_ok=True)
            made.touch()
    plan_jobs([album], album / "out", album / "sheets")
    assert "left out are 1 folder in it and 1 file" in capsys.readouterr().err
    # what lies around the folder holds nothing back
    plan_jobs([album / "deep" / "maps"], album / "out", album)
    (album / "deep/maps/inner").mkdir()
    plan_jobs([album / "deep" / "maps"], album / "out", album)
    assert "maps: left out are 1 folder in it." in capsys.readouterr().err


def test_results_that_a_pattern_matches_are_no_inputs(album: Path) -> None:
    (album / "deep").mkdir()
    (album / "deep/e.png").touch(), (album / "deep/f.jpg").touch()
    out, sheets = album / "out", album / "sheets"
    for _ in range(2):
        jobs = plan_jobs([album / "*/*.*g"], out, sheets)
        assert [job.source for job in jobs] == [album / "deep/e.png", album / "deep/f.jpg"]
        for target in (target for job in jobs for target in job.targets):
            target.parent.mkdir(exist_ok=True)
            target.touch()
    with pytest.raises(ValueError, match=r"out/e\.png is an input and would be replaced"):
        plan_jobs([out / "*.png"], out)
    # a file that is to be written is no folder of results
    with pytest.raises(ValueError, match=r"b\.jpg is a file, but a folder is needed there"):
        plan_jobs([album / "*.*g"], album / "b.jpg")


def test_missing_sheets_of_what_is_there_are_said(
    album: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = plan_jobs([album], tmp_path / "out", tmp_path / "sheets")
    for made in (*(job.output for job in jobs[:2]), tmp_path / "sheets/a.png.png"):
        made.parent.mkdir(exist_ok=True)
        made.touch()
    assert missing_jobs(jobs, overwrite=False) == jobs[2:]
    sentence = "b.jpg.png is not there: sheets are made with their results, which --overwrite makes again."
    assert sentence in capsys.readouterr().err
    (tmp_path / "sheets/b.jpg.png").touch()
    missing_jobs(jobs, overwrite=False)
    assert "sheets are made" not in capsys.readouterr().err


def test_results_of_another_format(album: Path, tmp_path: Path) -> None:
    def as_png(inputs: list[Path], output: Path) -> list[Job]:
        return plan_jobs(
            inputs, output, suffixes=(".png",), result_name=lambda name: Path(name).with_suffix(".png").as_posix()
        )

    assert [job.output.name for job in as_png([album], tmp_path / "out")] == ["a.png", "b.png", "c.png"]
    with pytest.raises(ValueError, match=r"new\.jpg must end in \.png, got '\.jpg'"):
        as_png([album / "b.jpg"], tmp_path / "new.jpg")
    (album / "b.gif").touch()
    with pytest.raises(ValueError, match=r"out/b\.png would be written twice, for .*b\.gif and for .*b\.jpg"):
        as_png([album], tmp_path / "out")


def test_further_files_are_checked_too(album: Path, tmp_path: Path) -> None:
    jobs = plan_jobs([album / "a.png"], tmp_path / "o.png")
    check_targets(jobs, {album / "a.png": [tmp_path / "map.png"]}, kept=[album / "b.jpg"])
    with pytest.raises(ValueError, match="written twice"):
        check_targets(jobs, {album / "a.png": [tmp_path / "o.png"]}, kept=[])
    with pytest.raises(ValueError, match="is an input and would be replaced"):
        check_targets(jobs, {album / "a.png": [album / "b.jpg"]}, kept=[album / "b.jpg"])
    with pytest.raises(ValueError, match=r"o\.png would be a file and a folder of others"):
        check_targets(jobs, {album / "a.png": [tmp_path / "o.png/deep/map.png"]}, kept=[])


def test_what_is_there_is_skipped_and_said(album: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = plan_jobs([album], tmp_path)
    (tmp_path / "b.jpg").touch()
    assert [job.name for job in missing_jobs(jobs, False)] == ["a.png", "c.gif"]
    assert "1 of 3 pictures are there already; --overwrite makes them again." in capsys.readouterr().err
    assert missing_jobs(jobs[1:2], False) == []
    assert f"{tmp_path / 'b.jpg'} is there already; --overwrite makes it again." in capsys.readouterr().err
    assert missing_jobs(jobs, True) == jobs
    assert not capsys.readouterr().err


def spoilt_by(error: BaseException, name: str = "b.jpg") -> Batch:
    """Copies pictures, warns of each, and fails at one."""

    def copy(job: Job) -> str:
        if job.name == name:
            raise error
        warnings.warn("It is dark.", UserWarning, stacklevel=1)
        job.output.parent.mkdir(exist_ok=True)
        job.output.touch()
        return job.name

    def work(job: Job) -> Outcome[str]:
        return attempt(job, copy, "the memory ran out; take less.")

    return Batch(work, "copying", "copied")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("It is too dark."), "b.jpg: It is too dark."),
        (PermissionError(errno.EACCES, "Permission denied", "b.jpg"), "b.jpg: Permission denied."),
        (MemoryError(), "b.jpg: the memory ran out; take less."),
        (RuntimeError("CUDA out of memory."), "b.jpg: the memory ran out; take less."),
    ],
)
def test_a_bad_picture_does_not_stop_the_others(
    album: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Exception, reason: str
) -> None:
    jobs = plan_jobs([album], tmp_path / "out")
    assert run_batch(jobs, spoilt_by(error)) == 1
    told = capsys.readouterr()
    assert told.out.split() == [str(tmp_path / "out/a.png"), str(tmp_path / "out/c.gif.png")]
    assert f"{album / 'a.png'}: It is dark." in told.err
    assert "1 of 3 pictures could not be copied; the others are done:" in told.err
    assert told.err.count(reason) == 2  # when it happened, and in the summary
    with pytest.raises(type(error)):
        run_batch(jobs[1:2], spoilt_by(error), alone=True)


def test_what_a_bad_picture_held_is_free_before_the_next(album: Path, tmp_path: Path) -> None:
    """An error holds its traceback, and that the frames with the tensors of its picture."""

    class Pixels:
        pass

    held: list[weakref.ref[Pixels]] = []
    alive: list[int] = []

    def fail(job: Job) -> None:
        gc.collect()  # the checks of types that tests add make cycles
        alive.append(sum(each() is not None for each in held))
        pixels = Pixels()
        held.append(weakref.ref(pixels))
        raise ValueError("It is too dark.")

    jobs = plan_jobs([album], tmp_path / "out")
    assert run_batch(jobs, Batch(lambda job: attempt(job, fail), "copying", "copied")) == 3
    assert alive == [0, 0, 0]


def test_what_stops_every_picture_ends_the_batch(
    album: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs, full = plan_jobs([album], tmp_path / "out"), OSError(errno.ENOSPC, "No space left on device", "b.jpg")
    assert run_batch(jobs, spoilt_by(full)) == 2
    told = capsys.readouterr().err
    assert "1 of 3 pictures are done; the same command goes on with the rest." in told
    assert "b.jpg: No space left on device." in told
    with pytest.raises(OSError, match="No space left"):
        run_batch(jobs, spoilt_by(full, "a.png"))
    with pytest.raises(KeyboardInterrupt):
        run_batch(jobs, spoilt_by(KeyboardInterrupt()))


def test_a_folder_that_cannot_be_written_to(album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # the super-user may write anywhere
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(PermissionError, match="cannot be written to; name another, or change its permissions"):
        plan_jobs([album], tmp_path / "not there yet")


NAMES = """
import os
from faceops.command_line import run_command
def run():
    for name in (b"Zo\\xeb.png", "日é:smile:.png".encode()):
        print(os.fsdecode(name))
        say_failure(os.fsdecode(name))
from faceops.progress.verbosity import say_failure
run_command("names", run)
"""


@pytest.mark.parametrize(
    ("encoding", "wanted"),
    [
        ("utf-8", (b"Zo\xeb.png", "日é:smile:.png".encode())),
        ("cp1252", (b"Zo\xeb.png", b"\\u65e5\xe9:smile:.png")),
        ("ascii:strict", (b"Zo\xeb.png", b"\\u65e5\\xe9:smile:.png")),
    ],
)
def test_any_name_on_any_terminal(encoding: str, wanted: tuple[bytes, ...]) -> None:
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", NAMES], capture_output=True, env=environment)
    assert done.returncode == 0
    assert done.stdout.splitlines() == list(wanted)
    assert b":smile:.png" in done.stderr


LISTING = """
from pathlib import Path
from typing import TextIO
from faceops.images.batch import Batch, attempt, run_batch
from faceops.images.jobs import Job
jobs = [Job(Path(name), Path("out") / name, name) for name in ("a.png", "b.png")]
run_batch(jobs, Batch(lambda job: attempt(job, lambda job: None), "copying", "copied"))
"""


def test_the_list_of_files_goes_to_stdout_though_the_bar_is_on_a_terminal() -> None:
    terminal, stderr = pty.openpty()
    environment = os.environ | {"TERM": "xterm"}
    done = subprocess.run(
        [sys.executable, "-c", LISTING], stdout=subprocess.PIPE, stderr=stderr, check=True, env=environment
    )
    os.close(stderr)
    assert b"copying" in os.read(terminal, 1000)
    os.close(terminal)
    assert done.stdout.split() == [b"out/a.png", b"out/b.png"]


def test_a_reader_who_has_seen_enough(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(sentence: str, file: TextIO, flush: bool) -> None:
        if file is sys.stdout:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        file.write(f"{sentence}\n")

    jobs = plan_jobs([album], tmp_path / "out")
    monkeypatch.setattr("builtins.print", gone)
    with pytest.raises(BrokenPipeError):
        run_batch(jobs, spoilt_by(ValueError(), ""))
    assert "1 of 3 pictures are done; the same command goes on with the rest." in capsys.readouterr().err
