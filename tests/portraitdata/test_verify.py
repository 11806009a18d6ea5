import re
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from faceops.images.files import Picture, save_picture
from portraitdata.builder.checks.people_checks import nearest_faces
from portraitdata.builder.checks.verification import verify_index
from portraitdata.commands.build_options import VerifyOptions
from portraitdata.commands.index_options import PortraitIndexOptions
from portraitdata.commands.portrait_index import run_portrait_index
from portraitdata.commands.verify import run_verify
from portraitdata.exemplars.index import ExemplarIndex
from portraitdata.restoration.index.portrait_index import PortraitIndex
from tests.support.synthetic_build import write_synthetic_build


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Path:
    return write_synthetic_build(tmp_path_factory.mktemp("pristine") / "build")


@pytest.fixture
def index(pristine, tmp_path) -> Path:
    return shutil.copytree(pristine, tmp_path / "build") / "shards"


def change(path: Path, column: str, row: int, value) -> None:
    table = pq.read_table(path)
    place = table.schema.get_field_index(column)
    values = table[column].to_pylist()
    values[row] = value
    changed = table.set_column(place, table.schema.field(column), pa.array(values, table.schema.field(column).type))
    pq.write_table(changed, path)


def problems(index: Path, deep: bool = False) -> tuple[str, ...]:
    return verify_index(index, deep).problems


def test_a_whole_index_has_no_problem(index, capsys):
    assert run_verify(VerifyOptions(index, deep=True)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "15 photographs" in out
    assert "in 3 archives, 15 faces, 15 pairs" in out
    assert "no problem found" in out
    found = verify_index(index)
    assert found.size == sum(pq.read_table(index / "images.parquet")["size"].to_pylist())
    # rows of the faces that are for testing and for training, normalised in float64
    faces, splits = pq.read_table(index / "faces.parquet"), pq.read_table(index / "images.parquet")["split"]
    vectors = np.array(faces["embedding"].to_pylist(), np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    side = np.array(splits.to_pylist())
    expected = (vectors[side == "test"] @ vectors[side == "train"].T).max()
    assert found.largest_cross_similarity == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("table", "column", "row", "value", "sentence"),
    [
        ("images", "offset", 1, 999, r"\.jpg is not at 999 of images-00000\.tar; it is at \d+\.$"),
        ("images", "size", 1, 10, r"has \d+ bytes in images-00000\.tar, not 10\.$"),
        ("images", "path", 1, "who.jpg", r"who\.jpg is not at .*; the archive does not hold it\.$"),
        ("images", "archive", 1, "other.tar", r"^other\.tar is not there; 1 photographs are in it\.$"),
        ("images", "sha256", 1, "ab" * 32, r"has the SHA-256 [0-9a-f]{16}\.\.\., not abababababababab\.\.\.$"),
        ("images", "split", 1, "trial", r"has the split 'trial', which is none\.$"),
        ("images", "width", 1, 0, r"has 0 x 144 pixels\.$|has 0 x 120 pixels\.$"),
        ("faces", "uid", 1, "nobody", r"^The face nobody:0 is of a photograph that is not listed\.$"),
        ("pairs", "face_a", 0, "nobody:0", r"names nobody:0, which is no listed face\.$"),
    ],
)
def test_one_wrong_value_is_found(index, table, column, row, value, sentence):
    change(index / f"{table}.parquet", column, row, value)
    assert any(re.search(sentence, line) for line in problems(index)), problems(index)


def test_faces_and_photographs_are_listed_once(index):
    for name in ("images", "faces"):
        table = pq.read_table(index / f"{name}.parquet")
        pq.write_table(pa.concat_tables([table, table.slice(0, 1)]), index / f"{name}.parquet")
    uid = pq.read_table(index / "images.parquet")["uid"][0].as_py()
    assert f"{uid} is listed 2 times." in problems(index)
    assert f"The face {uid}:0 is listed 2 times." in problems(index)


def test_a_person_on_both_sides(index, capsys):
    """One of three photographs of a person moves to the other side: two pairs are torn, and its embedding tells."""
    change(index / "images.parquet", "split", 0, "test")
    uid = pq.read_table(index / "images.parquet")["uid"][0].as_py()
    lines = problems(index)
    assert sum("has one face in" in line for line in lines) == 2
    assert sum(line.startswith(f"The test face {uid}:0 is 0.") for line in lines) == 1
    pq.write_table(pq.read_table(index / "pairs.parquet").slice(0, 0), index / "pairs.parquet")
    assert run_verify(VerifyOptions(index)) == 1
    err = capsys.readouterr().err
    assert "above 0.45: one person on both sides." in err
    assert "--from-stage split` makes the split again" in err


def test_people_are_told_apart_as_by_the_run_that_made_the_index(index, tmp_path):
    """An index that is of no build says itself above which similarity a split parts nobody."""
    alone = shutil.copytree(index, tmp_path / "alone")
    table = pq.read_table(alone / "faces.parquet")
    vectors = np.array(table["embedding"].to_pylist(), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    other = vectors[-1] - (vectors[-1] @ vectors[0]) * vectors[0]
    vectors[-1] = 0.7 * vectors[0] + 0.51**0.5 * other / np.linalg.norm(other)
    column = pa.array([row.astype(np.float16) for row in vectors], table.schema.field("embedding").type)
    table = table.set_column(table.column_names.index("embedding"), "embedding", column)
    pq.write_table(table, alone / "faces.parquet")
    read = PortraitIndex.read(alone)
    assert (read.images["split"][0].as_py(), read.images["split"][-1].as_py()) == ("train", "test")
    for threshold, expected in ((None, 1), (0.6, 1), (0.8, 0)):
        replace(read, split_threshold=threshold).write(alone)
        assert PortraitIndex.read(alone).split_threshold == threshold
        assert sum("one person on both sides" in line for line in problems(alone)) == expected


def test_problems_are_printed_as_they_are_found_and_bytes_are_read_last(index, monkeypatch, capsys):
    """A run that ends by force while it reads has said by then what tables, faces and archives told."""
    change(index / "images.parquet", "split", 0, "test")
    change(index / "images.parquet", "offset", 1, 999)
    second, third = (row["uid"] for row in pq.read_table(index / "images.parquet").to_pylist()[1:3])
    read_bytes = ExemplarIndex.read_bytes

    def read_two(places, photograph):
        if photograph.path.startswith(third):
            raise MemoryError
        return read_bytes(places, photograph)

    monkeypatch.setattr(ExemplarIndex, "read_bytes", read_two)
    with pytest.raises(MemoryError):
        run_verify(VerifyOptions(index))
    lines = capsys.readouterr().err.splitlines()
    places = [
        next(number for number, line in enumerate(lines) if sentence in line)
        for sentence in ("one face in", "one person on both sides", "is not at 999", f"{second}.jpg has the SHA-256")
    ]
    assert places == sorted(places)
    assert len(lines) == 5


def test_pairs_within_a_photograph(index):
    uid = pq.read_table(index / "images.parquet")["uid"][0].as_py()
    change(index / "pairs.parquet", "face_a", 0, f"{uid}:0")
    change(index / "pairs.parquet", "face_b", 0, f"{uid}:0")
    assert problems(index) == (f"The pair {uid}:0, {uid}:0 lies within one photograph.",)


def test_without_embeddings_it_says_so(index):
    faces = pq.read_table(index / "faces.parquet").drop_columns(["embedding"])
    pq.write_table(faces, index / "faces.parquet")
    found = verify_index(index)
    assert found.problems == ()
    assert found.largest_cross_similarity is None
    assert any("there are no embeddings" in line for line in found.notes)


def test_without_hashes_it_says_so(index):
    path = index / "images.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["sha256"]), path)
    # these uids look like hashes of the files, which they are not
    assert len(problems(index)) == 15
    change(path, "uid", 0, "one")
    notes = verify_index(index).notes
    assert "The content of 15 photographs was not compared: the index holds no hash of them." in notes


def test_changed_bytes_and_archives(index):
    archive = index / "images-00001.tar"
    row = pq.read_table(index / "images.parquet").to_pylist()[6]
    data = bytearray(archive.read_bytes())
    data[row["offset"] + row["size"] // 2] ^= 1
    archive.write_bytes(data)
    assert next(line for line in problems(index) if row["uid"] in line).startswith(
        f"{row['uid']}: {row['path']} has the"
    )
    archive.write_bytes(data[: row["offset"] + 100])
    assert any(
        "images-00001.tar is no tar archive that can be read (unexpected end of data)" in line
        for line in problems(index)
    )
    last = pq.read_table(index / "images.parquet").to_pylist()[9]
    archive.write_bytes(data[: last["offset"] + 100])
    assert any(
        line == f"images-00001.tar is cut off within {last['path']}." or "unexpected end" in line
        for line in problems(index)
    )
    archive.write_bytes(b"no archive" * 100)
    assert any("images-00001.tar is no tar archive" in line for line in problems(index))


def test_deep_decodes(index):
    change(index / "images.parquet", "height", 2, 77)
    assert problems(index) == ()
    (line,) = problems(index, deep=True)
    assert line.endswith("pixels, not 120 x 77.") or line.endswith("pixels, not 144 x 77.")


def test_what_the_index_does_not_list(index):
    with tarfile.open(index / "images-00000.tar", "a") as tar:
        tar.add(index / "pairs.parquet", "stranger.jpg")
    shutil.copy(index / "images-00000.tar", index / "images-00009.tar")
    assert problems(index) == (
        "images-00000.tar holds stranger.jpg, which the index does not list.",
        "images-00009.tar is an archive that the index does not use.",
    )


def photographs(folder: Path) -> dict[str, bytes]:
    """Files in a new folder."""
    folder.mkdir()
    for number, name in enumerate(("a.png", "deep/b.png")):
        (folder / name).parent.mkdir(exist_ok=True)
        save_picture(Picture(torch.full((3, 20, 30), number / 2)), folder / name)
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*.png"))}


def indexed(source: Path, output: Path) -> Path:
    run_portrait_index(PortraitIndexOptions(source, output=output, no_faces=True))
    return output


def test_an_archive_of_a_folder_from_within(tmp_path):
    photographs(tmp_path / "photographs")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(tmp_path / "photographs", ".")
        assert "./a.png" in tar.getnames()
    index = indexed(tmp_path / "a.tar", tmp_path)
    assert problems(index, deep=True) == ()
    change(index / "images.parquet", "offset", 0, 7)
    assert any(re.search(r"a\.png is not at 7 of a\.tar; it is at \d+\.$", line) for line in problems(index))


def test_parquet_files_are_checked_by_their_pictures(tmp_path):
    files = photographs(tmp_path / "photographs")
    source = tmp_path / "b.parquet"
    pq.write_table(pa.table({"image": [{"bytes": data, "path": name} for name, data in files.items()]}), source)
    index = indexed(source, tmp_path / "index")
    assert problems(index, deep=True) == ()
    pq.write_table(pa.table({"image": [{"bytes": files["a.png"], "path": "a.png"}] * 2}), source)
    (line,) = problems(index)
    assert "b/1/b.png has the SHA-256" in line or "ends within b/1/b.png" in line
    source.write_bytes(b"no archive")
    assert all("is not a parquet file" in line for line in problems(index))
    source.unlink()
    assert "b.parquet is not there; 2 photographs are in it." in problems(index)


def test_what_was_taken_down_must_not_be_there(index):
    first, second = pq.read_table(index / "images.parquet").to_pylist()[:2]
    (index.parent / "takedown.csv").write_text(
        f"uid,sha256,phash,url_sha256,reason,date\n{first['uid']},,,,,\nelse,{second['sha256']},,,,\n"
    )
    assert problems(index) == (
        f"{first['uid']} has been taken down and is listed.",
        f"{second['uid']}: {second['path']} has been taken down and is there again.",
    )


def test_no_index(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a portrait index is a folder with images\.parquet"):
        run_verify(VerifyOptions(tmp_path))


@pytest.fixture
def blocks_of_three(monkeypatch):
    monkeypatch.setattr("portraitdata.builder.checks.people_checks.BLOCK", 3)


def test_nearest_in_blocks(blocks_of_three):
    random = np.random.default_rng(0)
    rows = random.normal(size=(17, 4))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    faces, others = np.arange(0, 17, 2), np.arange(1, 17, 2)
    cosine = unit[faces] @ unit[others].T
    found = nearest_faces(rows, faces, others)
    assert found.other.tolist() == others[cosine.argmax(axis=1)].tolist()
    assert found.cosine == pytest.approx(cosine.max(axis=1), abs=1e-6)
    assert len(nearest_faces(rows, faces[:0], others).other) == 0
    with pytest.raises(ValueError, match="no faces to compare with"):
        nearest_faces(rows, faces, others[:0])


class LargestTensor(TorchDispatchMode):
    """Notes how many numbers the largest tensor has that is made."""

    numbers = 0

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        made = function(*arguments, **(named or {}))
        for tensor in made if isinstance(made, tuple | list) else [made]:
            self.numbers = max(self.numbers, tensor.numel())
        return made


def test_memory_for_comparing_does_not_grow_with_the_faces(blocks_of_three):
    rows = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float16)
    with LargestTensor() as made:
        nearest_faces(rows, np.arange(40), np.arange(40, 80))
    assert made.numbers <= 3 * 4
