"""Objects of a store behave as the files that a build takes them for, and one run keeps others out."""

import os
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from faceops.atomic_files import machine_name
from portraitdata.storage import single_run
from portraitdata.storage.object_path import ObjectPath
from portraitdata.storage.parquet_tables import read_schema, read_table, row_count
from portraitdata.storage.places import place_of, read_range
from portraitdata.storage.single_run import LOCK_FILE, only_run
from portraitdata.storage.writing import make_folder, remove_file, remove_folder, write_text, writing
from tests.support.local_s3 import local_s3


@pytest.fixture(scope="module")
def _store():
    with local_s3():
        yield


@pytest.fixture(params=["file", "s3"])
def folder(request, tmp_path):
    if request.param == "file":
        return place_of(f"file://{tmp_path}")
    request.getfixturevalue("_store")
    return ObjectPath(f"s3://bucket/{tmp_path.name}")


def test_what_is_written_is_there_and_what_is_removed_is_not(folder):
    make_folder(folder / "a")
    assert not (folder / "a/one.txt").exists()
    write_text(folder / "a/one.txt", "ünë")
    with writing(folder / "a" / "two.bin") as file:
        file.write(bytes(range(256)))
    assert (folder / "a/one.txt").read_text(encoding="utf-8") == "ünë"
    assert (folder / "a/two.bin").read_bytes() == bytes(range(256))
    assert (folder / "a/two.bin").stat().st_size == 256
    assert (folder / "a").is_dir()
    assert not (folder / "a").is_file()
    assert (folder / "a/one.txt").is_file()
    assert sorted(path.name for path in (folder / "a").iterdir()) == ["one.txt", "two.bin"]
    assert [path.name for path in (folder / "a").glob("*.bin")] == ["two.bin"]
    assert list((folder / "b").glob("*")) == []
    assert read_range(folder / "a/two.bin", 250, 10) == bytes(range(250, 256))
    with (folder / "a/two.bin").open("rb", buffering=16) as file:
        file.seek(100)
        assert file.read(3) == b"def"
    remove_file(folder / "a/one.txt")
    remove_file(folder / "a/one.txt")
    assert [path.name for path in (folder / "a").iterdir()] == ["two.bin"]
    remove_folder(folder / "a")
    remove_folder(folder / "a")
    assert not (folder / "a").exists()
    with pytest.raises(FileNotFoundError):
        (folder / "a/two.bin").read_bytes()


def test_a_folder_that_is_a_link_is_emptied(tmp_path):
    inner = tmp_path / "disk/stage/inner"
    inner.mkdir(parents=True)
    for folder in (inner, inner.parent, tmp_path):
        (folder / "a.txt").write_text("a")
    (inner.parent / "b").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "stage").symlink_to(inner.parent, target_is_directory=True)
    remove_folder(tmp_path / "stage")
    assert list((tmp_path / "stage").iterdir()) == []
    assert (tmp_path / "a.txt").is_file()  # a link within it is no way out
    inner.parent.rmdir()
    remove_folder(tmp_path / "stage")


def test_what_cannot_be_removed_is_said(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("not yours")

    (tmp_path / "stage").mkdir()
    monkeypatch.setattr("os.rmdir", refuse)
    with pytest.raises(PermissionError):
        remove_folder(tmp_path / "stage")


@pytest.mark.parametrize("size", [10, 60 << 20])
def test_what_fails_while_it_is_written_leaves_the_old_one(folder, size):
    """Long ones too, of which a store has parts already."""
    write_text(folder / "kept.txt", "old")
    with pytest.raises(ZeroDivisionError), writing(folder / "kept.txt") as file:
        file.write(bytes(size // (size - file.write(bytes(size)))))
    assert (folder / "kept.txt").read_text() == "old"
    assert [path.name for path in folder.iterdir()] == ["kept.txt"]
    if isinstance(folder, ObjectPath):
        uploads = folder.filesystem.call_s3("list_multipart_uploads", Bucket="bucket")
        assert uploads.get("Uploads", []) == []


def test_long_files_are_whole(folder):
    with writing(folder / "long.bin") as file:
        for number in range(60):
            file.write(bytes([number]) * (1 << 20))
    assert (folder / "long.bin").stat().st_size == 60 << 20
    assert read_range(folder / "long.bin", (59 << 20) - 1, 2) == bytes([58, 59])


def test_parquet_files_are_read_from_anywhere(folder):
    table = pa.table({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    with writing(folder / "table.parquet") as file:
        pq.write_table(table, file)
    assert read_table(folder / "table.parquet") == table
    assert read_table(folder / "table.parquet", ["b"]) == table.select(["b"])
    assert read_schema(folder / "table.parquet").names == ["a", "b"]
    assert row_count(folder / "table.parquet") == 3
    write_text(folder / "none.parquet", "none")
    with pytest.raises(pa.ArrowInvalid):
        read_table(folder / "none.parquet")


@pytest.mark.usefixtures("_store")
def test_objects_at_any_depth_with_their_sizes():
    folder = ObjectPath("s3://bucket/deep")
    for name, text in (("b.txt", "12"), ("a/b.txt", "123"), ("a.txt", "1"), ("a/c/d.txt", "")):
        write_text(folder / name, text)
    found = folder.sizes()
    assert {path.relative_to(folder).as_posix(): size for path, size in found.items()} == {
        "a/b.txt": 3,
        "a/c/d.txt": 0,
        "a.txt": 1,
        "b.txt": 2,
    }
    # as paths of this machine are sorted
    assert [path.relative_to(folder) for path in sorted(found)] == sorted(path.relative_to(folder) for path in found)


def test_addresses_that_are_none():
    for text in ("s3://", "s3:///", "ftp://host/folder", "S3://bucket"):
        with pytest.raises(ValueError, match="An address such as s3://bucket/folder and gs://bucket/folder was wanted"):
            ObjectPath(text)
    with pytest.raises(ValueError, match="got ftp://host/folder"):
        place_of("ftp://host/folder")


@pytest.fixture
def _no_known_clients():
    clients = pytest.importorskip("s3fs", reason="needs s3fs, of the extra s3").S3FileSystem
    clients.clear_instance_cache()
    yield
    clients.clear_instance_cache()


@pytest.mark.usefixtures("_no_known_clients")
def test_a_store_that_is_not_there(monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(OSError, match=r"s3://bucket/a cannot be reached: .*Unable to locate credentials"):
        ObjectPath("s3://bucket/a").read_bytes()


def test_a_store_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(
        ImportError, match=r"reached by gcsfs, which is not installed; `pip install 'portraitdata\[gs\]'"
    ):
        ObjectPath("gs://bucket/a").exists()


def test_one_run_keeps_others_out(folder):
    make_folder(folder)
    with only_run(folder):
        with pytest.raises(OSError, match="Another run works at"), only_run(folder):
            pass
        assert len([path for path in folder.iterdir() if path.name.startswith(LOCK_FILE)]) == 1
    with only_run(folder):
        pass


ENDED = subprocess.Popen([sys.executable, "-c", ""])
"""A process that is no more."""
ENDED.wait()


@pytest.mark.usefixtures("_store")
@pytest.mark.parametrize(
    ("name", "age", "free"),
    [
        (f"{LOCK_FILE}.{machine_name()}-{ENDED.pid}.1f", 0, True),
        (f"{LOCK_FILE}.{machine_name()}-{os.getpid()}.1f", 0, False),
        (f"{LOCK_FILE}.another-{ENDED.pid}.1f", 0, False),
        (f"{LOCK_FILE}.another-{ENDED.pid}.1f", 3, True),
        (f"{LOCK_FILE}.{machine_name()}-{os.getpid()}.1f", 3, True),
    ],
    ids=["ended", "at work", "elsewhere", "elsewhere and old", "old"],
)
def test_runs_that_are_no_more_keep_nobody_out(tmp_path, monkeypatch, name, age, free):
    """Killed on this machine, or not renewed for long on another."""
    monkeypatch.setattr(single_run, "KEPT", 2.0)
    folder = ObjectPath(f"s3://bucket/{tmp_path.name}")
    write_text(folder / name, "")
    time.sleep(age)
    if free:
        with only_run(folder):
            assert not (folder / name).exists()
    else:
        with pytest.raises(OSError, match="Another run works at"), only_run(folder):
            pass
        assert [path.name for path in folder.iterdir()] == [name]


@pytest.mark.usefixtures("_store")
def test_a_long_run_is_renewed(tmp_path, monkeypatch):
    monkeypatch.setattr(single_run, "KEPT", 2.0)
    monkeypatch.setattr(single_run, "RENEWED", 0.5)
    folder = ObjectPath(f"s3://bucket/{tmp_path.name}")
    with only_run(folder):
        time.sleep(3.5)
        with pytest.raises(OSError, match="Another run works at"), only_run(folder):
            pass
    assert list(folder.iterdir()) == []
