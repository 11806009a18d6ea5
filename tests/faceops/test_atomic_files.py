"""Files that are there whole or not at all."""

import errno
import os
import platform
import signal
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from faceops.atomic_files import LONGEST_NAME, machine_name, replacing
from faceops.error_sentences import as_sentence


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def stopped_half_way() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("named", [True, False])
def test_errors_name_the_file_that_was_wanted(tmp_path: Path, named: bool) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(OSError, match="No space left") as caught, replacing(path) as temporary:
        raise OSError(errno.ENOSPC, "No space left on device", *([temporary] if named else []))
    assert as_sentence(caught.value) == f"{path}: No space left on device."


def test_errors_about_other_files_stay_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, replacing(tmp_path / "a.txt"):
        (tmp_path / "other").read_text()
    assert caught.value.filename == str(tmp_path / "other")
    with pytest.raises(OSError, match=r"^in words$"), replacing(tmp_path / "a.txt"):
        raise OSError("in words")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(FileNotFoundError, match=r"The folder .*absent that a\.txt is to be written to does not exist"),
        replacing(tmp_path / "absent/a.txt"),
    ):
        pass


def test_a_name_as_long_as_names_can_be_is_written(tmp_path: Path) -> None:
    for name in ("a" * 251 + ".png", "日" * 83 + ".png"):
        assert LONGEST_NAME - 2 <= len(os.fsencode(name)) <= LONGEST_NAME
        with replacing(tmp_path / name) as temporary:
            assert temporary.suffix == ".png"
            temporary.write_text("whole")
        assert (tmp_path / name).read_text() == "whole"


def test_a_name_that_is_too_long_is_named(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 300)
    with pytest.raises(OSError, match="File name too long") as caught, replacing(path) as temporary:
        temporary.write_text("whole")
    assert as_sentence(caught.value) == f"{path}: File name too long."
    assert list(tmp_path.iterdir()) == []


def test_the_error_of_the_writing_is_the_one_that_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(ValueError, match="no such picture"), replacing(tmp_path / "a.txt"):
        raise ValueError("no such picture")


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store/blob").write_text("old")
    link = tmp_path / "a.txt"
    link.symlink_to("store/blob")
    with replacing(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert (tmp_path / "store/blob").read_text() == "new"


def test_a_killed_process_leaves_nothing_for_long(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    others = {f".b.{machine_name()}-{os.getppid()}.txt", f".c.other{machine_name()}-{child}.txt", f".d.{child}.txt"}
    (tmp_path / f".e.{machine_name()}-{child}.txt").touch()  # as they were called before
    for name in others:
        (tmp_path / name).touch()
    assert len(list(tmp_path.iterdir())) == 5
    with replacing(tmp_path / "b.txt") as temporary:
        temporary.write_text("whole")
    assert {path.name for path in tmp_path.iterdir()} == others | {"b.txt"}


def test_machines_that_share_a_folder_have_names_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for node in ("gke-cluster-1-default-pool-a", "gke-cluster-1-default-pool-b", "ip-10-0-12-34", "ip-10-0-1-234", ""):
        monkeypatch.setattr(platform, "node", lambda node=node: node)
        machine_name.cache_clear()
        found.add(machine_name())
        assert machine_name().isalnum()
    machine_name.cache_clear()
    assert len(found) == 5


def test_bytes_are_on_the_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    replace, fsync = os.replace, os.fsync

    def seen_replace(*places: Path) -> None:
        calls.append("replace")
        replace(*places)

    def seen_fsync(descriptor: int) -> None:
        calls.append("folder" if os.path.isdir(f"/dev/fd/{descriptor}") else "file")
        fsync(descriptor)

    monkeypatch.setattr(os, "replace", seen_replace)
    monkeypatch.setattr(os, "fsync", seen_fsync)
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    assert calls == ["file", "replace", "folder"]


def test_threads_that_write_one_file(tmp_path: Path) -> None:
    def write(number: int) -> None:
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.write_text(f"{number}")
            together.wait()

    together = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() in "0123"


def test_what_only_its_owner_may_read_stays_so(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    for mode in (0o600, 0o644):
        path.chmod(mode)
        with replacing(path) as temporary:
            temporary.write_text("new")
        assert stat.S_IMODE(path.stat().st_mode) == mode
