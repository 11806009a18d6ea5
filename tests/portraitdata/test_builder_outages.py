"""What is out of reach for a while ends a build and loses nothing; what is wrong with one file drops that file."""

import errno
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from faceops.images.files import Picture, save_picture
from portraitdata.builder.candidates import Batch, candidates
from portraitdata.builder.config import BuildConfig, LocalSource, SizeRule
from portraitdata.builder.engines import InThisProcess
from portraitdata.builder.layout import FOLDER_OF, INDEX, part_path, read_stage
from portraitdata.builder.plan import plan
from portraitdata.builder.stages.index_stage import Index
from portraitdata.builder.stages.quality_stage import Quality
from portraitdata.storage.object_path import ObjectPath
from portraitdata.storage.places import Place
from portraitdata.storage.writing import writing
from tests.support.local_s3 import local_s3


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "disk" / "photographs"
    folder.mkdir(parents=True)
    for number in range(3):
        save_picture(Picture(torch.full((3, 30, 30), number / 4)), folder / f"{number}.png")
    return folder


def planned(photographs: Place, output: Path) -> tuple[BuildConfig, Batch]:
    """A build and its only partition."""
    size = SizeRule(longer_above=10, shorter_from=10)
    config = BuildConfig(output=output, sources=(LocalSource("local", photographs),), size=size)
    (part,) = plan(config).to_pylist()
    return config, candidates(part, config.sources[0])


def test_a_file_that_is_gone_is_dropped(photographs, tmp_path):
    config, batch = planned(photographs, tmp_path / "build")
    (photographs / "1.png").unlink()
    assert Index(config)(batch)["reason"] == ["", "missing file", ""]


@pytest.mark.parametrize("left", ["an empty folder", "nothing", "nothing but its parent"])
@pytest.mark.parametrize("already", [False, True])
def test_a_disk_that_is_not_mounted_ends_the_run_and_the_same_call_goes_on(photographs, tmp_path, left, already):
    """Whether it was there when the stage was begun, or not."""
    config, batch = planned(photographs, tmp_path / "build")
    stage = Index(config)
    if already:
        stage({name: values[:1] for name, values in batch.items()})
    away = tmp_path / "away"
    (photographs if left != "nothing" else photographs.parent).rename(away)
    if left == "an empty folder":
        photographs.mkdir()
    with pytest.raises(FileNotFoundError, match=r"photographs is not there or empty, but images were listed in it"):
        stage(batch)
    if left == "an empty folder":
        photographs.rmdir()
    away.rename(photographs if left != "nothing" else photographs.parent)
    assert stage(batch)["status"] == ["kept"] * 3


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_a_failing_disk_ends_the_run(photographs, tmp_path, monkeypatch, number):
    config, _ = planned(photographs, tmp_path / "build")
    engine = InThisProcess()
    read = Path.read_bytes

    def fail(path: Path) -> bytes:
        if path.suffix == ".png":
            raise OSError(number, "the disk fails", str(path))
        return read(path)

    list(engine.run("index", config, [0]))
    download = part_path(config.output, FOLDER_OF["download"], 0)
    download.parent.mkdir()
    download.write_bytes(part_path(config.output, INDEX, 0).read_bytes())
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", fail)
        with pytest.raises(OSError, match="the disk fails"):
            list(engine.run("quality", config, [0]))
    assert not part_path(config.output, FOLDER_OF["quality"], 0).exists()
    list(engine.run("quality", config, [0]))
    assert read_stage(config.output, FOLDER_OF["quality"])["status"].to_pylist() == ["kept"] * 3


def test_a_disk_that_fails_within_a_header_ends_the_run(photographs, tmp_path, monkeypatch):
    config, batch = planned(photographs, tmp_path / "build")

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("PIL.Image.open", fail)
    with pytest.raises(OSError, match="Input/output error"):
        Index(config)(batch)


def test_an_archive_that_has_changed_drops_what_it_lacks(photographs, tmp_path):
    archives = tmp_path / "archives"
    archives.mkdir()
    with tarfile.open(archives / "a.tar", "w") as tar:
        for number in range(3):
            tar.add(photographs / f"{number}.png", f"{number}.png")
    config, batch = planned(archives, tmp_path / "build")
    whole = (archives / "a.tar").read_bytes()
    (archives / "a.tar").write_bytes(whole[: batch["offset"][2] + 5])
    assert Index(config)(batch)["reason"] == ["", "", "unreadable"]


def test_a_damaged_row_group_drops_its_pictures(photographs, tmp_path):
    folder = tmp_path / "tables"
    folder.mkdir()
    names = [f"{number}.png" for number in range(3)]
    pictures = [{"bytes": (photographs / name).read_bytes(), "path": name} for name in names]
    pq.write_table(pa.table({"image": pictures}), folder / "a.parquet", row_group_size=1, compression="zstd")
    config, batch = planned(folder, tmp_path / "build")
    data = bytearray((folder / "a.parquet").read_bytes())
    start = pq.read_metadata(folder / "a.parquet").row_group(1).column(0).data_page_offset
    data[start : start + 20] = b"\xff" * 20
    (folder / "a.parquet").write_bytes(data)
    assert Quality(config)(batch)["reason"] == ["", "unreadable", ""]


def test_a_store(photographs, tmp_path, monkeypatch):
    """What it no longer has is dropped, as is what is empty there; credentials that are refused end the run."""
    with local_s3():
        place = ObjectPath("s3://bucket/photographs")
        for path in (*photographs.iterdir(), tmp_path / "empty.png"):
            with writing(place / path.name) as file:
                file.write(path.read_bytes() if path.exists() else b"")
        config, batch = planned(place, tmp_path / "build")
        stage = Index(config)
        (place / "1.png").unlink()

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError("The provided token has expired")

        with monkeypatch.context() as patched:
            patched.setattr(place.filesystem, "cat_file", refuse)
            with pytest.raises(PermissionError, match=r"photographs/0\.png may not be used: The provided token"):
                stage({name: list(values) for name, values in batch.items()})
        found = stage(batch)
        assert dict(zip(found["path"], found["reason"], strict=True)) == {
            "0.png": "",
            "1.png": "missing file",
            "2.png": "",
            "empty.png": "empty file",
        }
