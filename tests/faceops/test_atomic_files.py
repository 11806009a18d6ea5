"""Files that are there whole or not at all."""

import errno
from pathlib import Path

import pytest

from faceops.atomic_files import replacing
from faceops.command_line import as_sentence


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
