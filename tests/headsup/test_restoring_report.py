"""The report of many pictures is written now and then, and surely at the end."""

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faceops.images.jobs import Job
from headsup.restoring import report as report_module
from headsup.restoring.files import run_jobs
from headsup.restoring.options import RestoreOptions
from headsup.restoring.report import PAUSE, PictureRecord, Report, RunRecord

RUN = RunRecord("guided", "random:tiny", "cpu", "float32", "", (), RestoreOptions())


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files that are written, once for each time."""
    real, seen = report_module.replacing, []

    @contextmanager
    def noted(path: Path) -> Iterator[Path]:
        seen.append(path)
        with real(path) as temporary:
            yield temporary

    monkeypatch.setattr(report_module, "replacing", noted)
    return seen


def planned(folder: Path, count: int) -> list[Job]:
    return [Job(folder / f"{n}.png", folder / f"out/{n}.png", f"{n}.png") for n in range(count)]


def restored(job: Job) -> PictureRecord:
    return PictureRecord(str(job.source), str(job.output), "restored")


def statuses(path: Path) -> list[str]:
    return [entry["status"] for entry in json.loads(path.read_text())["pictures"]]


def test_resuming_thousands_writes_what_is_there_once(
    tmp_path: Path, written: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, compared, real = planned(tmp_path, 1000), [], Job.__eq__

    def counted(self: Job, other: object) -> bool:
        compared.append(other)
        return real(self, other)

    monkeypatch.setattr(Job, "__eq__", counted)
    report = Report(tmp_path / "r.json", RUN, Clock())
    assert run_jobs(jobs, jobs[500:], restored, report) == 0
    assert len(written) == 2  # at first and at the end
    assert len(compared) < 2000
    assert statuses(tmp_path / "r.json") == ["there already"] * 500 + ["restored"] * 500


def test_it_is_written_every_few_seconds(tmp_path: Path, written: list[Path]) -> None:
    clock, jobs = Clock(), planned(tmp_path, 40)
    report = Report(tmp_path / "r.json", RUN, clock)
    for job in jobs:
        report.add(restored(job))
        clock.now += PAUSE / 4
    assert len(written) == 10
    assert len(statuses(tmp_path / "r.json")) == 37
    assert report.finish()
    assert len(statuses(tmp_path / "r.json")) == 40
    assert report.finish()
    assert len(written) == 11  # nothing was new


def test_writing_a_long_one_takes_a_small_share_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, times = Clock(), []

    @contextmanager
    def slow(path: Path) -> Iterator[Path]:
        clock.now += 3.0
        times.append(clock.now)
        yield path

    monkeypatch.setattr(report_module, "replacing", slow)
    report = Report(tmp_path / "r.json", RUN, clock)
    for job in planned(tmp_path, 100):
        report.add(restored(job))
        clock.now += 1.0
    assert len(times) == 4


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(1)])
def test_whatever_ends_the_run_the_report_says_all(tmp_path: Path, stop: BaseException) -> None:
    jobs = planned(tmp_path, 4)

    def stopping(job: Job) -> PictureRecord:
        if job is jobs[3]:
            raise stop
        return restored(job)

    report = Report(tmp_path / "r.json", RUN, Clock())
    with pytest.raises(type(stop)):
        run_jobs(jobs, jobs, stopping, report)
    assert statuses(tmp_path / "r.json") == ["restored"] * 3


def test_a_report_that_cannot_be_finished_is_said_and_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs, path = planned(tmp_path, 3), tmp_path / "r.json"

    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    def filling(job: Job) -> PictureRecord:
        if job is jobs[1]:
            monkeypatch.setattr(report_module, "replacing", full)
        if job is stops_at:
            raise KeyboardInterrupt
        return restored(job)

    stops_at = None
    assert run_jobs(jobs, jobs, filling, Report(path, RUN, Clock())) == 1
    assert f"{path}: No space left on device." in capsys.readouterr().err
    assert statuses(path) == ["restored"]
    monkeypatch.undo()
    stops_at = jobs[2]
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, jobs, filling, Report(path, RUN, Clock()))
    assert f"{path}: No space left on device." in capsys.readouterr().err


def test_a_result_is_one_entry_however_its_path_is_spelt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for output, status in (("out/0.png", "restored"), (f"{tmp_path}/out/0.png", "there already")):
        report = Report(Path("r.json"), RUN, Clock())
        report.add(PictureRecord("0.png", output, status))
    assert statuses(tmp_path / "r.json") == ["restored"]
    report.add(PictureRecord("0.png", "./out/../out/0.png", "failed"))
    assert report.finish()
    assert statuses(tmp_path / "r.json") == ["failed"]


def test_what_is_piped_on_is_known_by_its_input(tmp_path: Path) -> None:
    for source in ("a.png", "b.png", "./a.png"):
        Report(tmp_path / "r.json", RUN, Clock()).add(PictureRecord(source, "-", "restored"))
    entries = json.loads((tmp_path / "r.json").read_text())["pictures"]
    assert [entry["input"] for entry in entries] == ["./a.png", "b.png"]
