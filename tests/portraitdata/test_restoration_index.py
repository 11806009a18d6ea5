import json
import re
import shutil
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from faceops.images.files import Picture, load_picture, save_picture
from portraitdata.restoration.index.portrait_index import METADATA_KEY, PortraitIndex
from portraitdata.restoration.index.schemas import FACES, IMAGES, PAIRS
from portraitdata.restoration.index.synthetic_index import draw_scene, write_synthetic_portrait_index
from portraitdata.restoration.index.takedown_list import LIST_FILE, TakenDown, extend_takedown_list


def images(*uids: str, split: str = "train", **columns: list) -> pa.Table:
    rows = [
        {"uid": uid, "path": f"{uid}.png", "archive": None, "offset": 0, "size": 9, "width": 6, "height": 4}
        | {"split": split}
        for uid in uids
    ]
    table = pa.Table.from_pylist(rows, IMAGES)
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values))
    return table


def faces(*owners: tuple[str, int]) -> pa.Table:
    rows = [
        {
            "uid": uid,
            "number": number,
            "box": [number, 1, 2 + number, 3],
            "score": 0.5,
            "landmarks": list(range(10)),
            "eye_distance": 2.0,
            "matrix": [1, 0, number, 0, 1, 0],
        }
        for uid, number in owners
    ]
    return pa.Table.from_pylist(rows, FACES)


def pairs(*rows: tuple[str, str, float]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(PAIRS.names, row, strict=True)) for row in rows], PAIRS)


@pytest.fixture
def index(tmp_path) -> PortraitIndex:
    return PortraitIndex(
        tmp_path / "photographs",
        images("a", "b", "c"),
        faces(("b", 1), ("a", 0), ("b", 0)),
        pairs(("a:0", "b:1", 0.75), ("b:0", "a:0", 0.875)),
    )


def test_faces_and_partners_are_found_by_number(index):
    assert [index.faces_of(number).tolist() for number in range(3)] == [[1], [0, 2], []]
    assert [index.photograph_of(face) for face in range(3)] == [1, 0, 1]
    assert index.partners(1) == ((2, 0.875), (0, 0.75))
    assert (index.partners(0), index.partners(2)) == (((1, 0.75),), ((1, 0.875),))
    geometry = index.geometry(np.array([0, 2]))
    assert geometry.boxes.tolist() == [[1, 1, 3, 3], [0, 1, 2, 3]]
    assert geometry.landmarks[0].tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    assert index.matrix(0).tolist() == [[1, 0, 1], [0, 1, 0]]


def test_what_has_been_taken_down_is_not_read(index, tmp_path):
    index.root.mkdir()
    index.write(tmp_path / "portraits")
    extend_takedown_list(tmp_path / "portraits" / LIST_FILE, [TakenDown("b", reason="asked to")])
    again = PortraitIndex.read(tmp_path / "portraits")
    assert again.images["uid"].to_pylist() == ["a", "c"]
    assert (len(again.faces_of(0)), again.pairs.num_rows) == (1, 0)
    assert again.partners(0) == ()


def test_written_and_read_again(index, tmp_path):
    index.root.mkdir()
    index.write(tmp_path / "indexes" / "portraits")
    again = PortraitIndex.read(tmp_path / "indexes" / "portraits")
    assert again.images.equals(index.images)
    assert (again.faces.equals(index.faces), again.pairs.equals(index.pairs)) == (True, True)
    assert again.root == index.root


def test_index_and_photographs_move_together(index, tmp_path):
    (tmp_path / "all").mkdir()
    moved = PortraitIndex(tmp_path / "all" / "photographs", index.images, index.faces, index.pairs)
    moved.root.mkdir()
    moved.write(tmp_path / "all" / "index")
    (tmp_path / "all").rename(tmp_path / "elsewhere")
    assert PortraitIndex.read(tmp_path / "elsewhere" / "index").root == tmp_path / "elsewhere" / "photographs"
    shutil.rmtree(tmp_path / "elsewhere" / "photographs")
    with pytest.raises(FileNotFoundError, match="which is not there; give their folder as `root`"):
        PortraitIndex.read(tmp_path / "elsewhere" / "index")
    assert PortraitIndex.read(tmp_path / "elsewhere" / "index", tmp_path).root == tmp_path


def test_photographs_without_faces(tmp_path):
    bare = PortraitIndex(tmp_path, images("a", "b"))
    bare.write(tmp_path / "index")
    for name in ("faces", "pairs"):
        (tmp_path / "index" / f"{name}.parquet").unlink()
    again = PortraitIndex.read(tmp_path / "index")
    assert (len(again), len(again.faces_of(0)), len(again.geometry(again.faces_of(1)))) == (2, 0, 0)


def test_unknown_columns_travel_along(tmp_path):
    quality = images("a", "b", quality=[3.5, 4.0], licence=["CC0", None])
    PortraitIndex(tmp_path, quality, faces(("a", 0)).append_column("blur", pa.array([0.25]))).write(tmp_path / "index")
    again = PortraitIndex.read(tmp_path / "index").select("train")
    assert again.images["quality"].to_pylist() == [3.5, 4.0]
    assert again.images["licence"].to_pylist() == ["CC0", None]
    assert again.faces["blur"].to_pylist() == [0.25]


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({}, ""),
        ({"tags": [["man", "hat"]]}, "man, hat"),
        ({"prompt": ["a man"], "tags": [["hat"]]}, "a man"),
        ({"prompt": pa.array([None], pa.string()), "tags": [["hat"]]}, "hat"),
    ],
)
def test_prompts(tmp_path, columns, text):
    assert PortraitIndex(tmp_path, images("a", **columns)).prompt(0) == text


def test_a_part_keeps_its_faces_and_pairs(tmp_path):
    both = pa.concat_tables([images("a", "b"), images("c", "d", split="test")])
    whole = PortraitIndex(
        tmp_path, both, faces(("a", 0), ("b", 0), ("c", 0), ("d", 0)), pairs(("a:0", "b:0", 0.7), ("c:0", "d:0", 0.8))
    )
    part = whole.select("test")
    assert (part.images["uid"].to_pylist(), part.faces["uid"].to_pylist()) == (["c", "d"], ["c", "d"])
    assert part.pairs["face_a"].to_pylist() == ["c:0"]
    assert part.partners(0) == ((1, pytest.approx(0.8)),)
    assert whole.numbers("train").tolist() == [0, 1]


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        ((images("a", "a"),), "1 photographs are listed more than once, the first is a."),
        ((images("a", split="dev"),), "The split of a.png is 'dev'; it must be train, test or unused."),
        ((images("a").drop_columns(["width", "split"]),), "images.parquet lacks the columns width, split"),
        ((images("a"), faces(("b", 0))), "1 faces are of photographs that are not listed, as b."),
        ((images("a"), faces(("a", 0), ("a", 0))), "A face is listed more than once"),
        ((images("a"), faces(("a", 0)), pairs(("a:0", "a:1", 0.7))), "A pair names the face a:1, which is not listed."),
        (
            (images("a"), faces(("a", 0), ("a", 1)), pairs(("a:0", "a:1", 0.7))),
            "The pair a:0, a:1 lies within one photo",
        ),
        (
            (
                pa.concat_tables([images("a"), images("b", split="test")]),
                faces(("a", 0), ("b", 0)),
                pairs(("a:0", "b:0", 0.7)),
            ),
            "The faces a:0 and b:0 of one person are in 'train' and 'test'; a person belongs to one split.",
        ),
        ((images("a").set_column(4, "size", pa.array(["big"])),), "images.parquet has columns of another type"),
    ],
)
def test_tables_that_do_not_fit(tmp_path, tables, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        PortraitIndex(tmp_path, *tables)


def test_what_is_no_index(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"portrait-index SOURCE --output .* makes one"):
        PortraitIndex.read(tmp_path / "absent")
    (tmp_path / "images.parquet").write_bytes(b"no parquet")
    with pytest.raises(ValueError, match=r"images\.parquet is not a parquet file"):
        PortraitIndex.read(tmp_path)
    pq.write_table(images("a"), tmp_path / "images.parquet")
    with pytest.raises(ValueError, match="does not say where its photographs lie"):
        PortraitIndex.read(tmp_path)
    metadata = {METADATA_KEY: json.dumps({"version": 2, "root": ".", "note": ""})}
    pq.write_table(images("a").replace_schema_metadata(metadata), tmp_path / "images.parquet")
    with pytest.raises(ValueError, match="version 2 of the index format, newer than 1"):
        PortraitIndex.read(tmp_path)
    with pytest.raises(ValueError, match="without a single photograph"):
        PortraitIndex(tmp_path, IMAGES.empty_table()).write(tmp_path / "out")


def test_a_failed_write_leaves_the_old_index(index, tmp_path, monkeypatch):
    index.root.mkdir()
    index.write(tmp_path / "index")
    before = (tmp_path / "index" / "images.parquet").read_bytes()
    monkeypatch.setattr(pq, "write_table", lambda table, file: file.write(b"half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        index.write(tmp_path / "index")
    assert (tmp_path / "index" / "images.parquet").read_bytes() == before
    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == [
        "faces.parquet",
        "images.parquet",
        "pairs.parquet",
    ]


def test_photographs_in_an_archive(tmp_path):
    pixels = torch.rand(3, 4, 6).mul(255).round().div(255)
    save_picture(Picture(pixels), tmp_path / "a.png")
    with tarfile.open(tmp_path / "all.tar", "w") as tar:
        tar.add(tmp_path / "a.png", "deep/a.png")
    with tarfile.open(tmp_path / "all.tar") as tar:
        member = tar.getmember("deep/a.png")
    row = {"uid": "a", "path": "deep/a.png", "archive": "all.tar", "offset": member.offset_data, "size": member.size}
    table = pa.Table.from_pylist([row | {"width": 6, "height": 4, "split": "train"}], IMAGES)
    assert PortraitIndex(tmp_path, table).read_bytes(0) == (tmp_path / "a.png").read_bytes()


def test_drawn_faces_are_where_the_index_says(tmp_path):
    folder = write_synthetic_portrait_index(tmp_path, people=3, portraits=2, size=128)
    assert write_synthetic_portrait_index(tmp_path, people=3, portraits=2, size=128) == folder
    drawn = PortraitIndex.read(folder)
    assert (len(drawn), drawn.pairs.num_rows, len(drawn.numbers("test"))) == (6, 3, 2)
    for number in range(len(drawn)):
        scene, _ = draw_scene(number // 2, number % 2, 128)
        stored = load_picture(tmp_path / drawn.photograph(number).path).pixels.mul(255).round().byte()
        assert stored.permute(1, 2, 0).numpy().tolist() == scene.tolist()
        for x, y in drawn.geometry(drawn.faces_of(number)).landmarks[0, :2].round().int().tolist():
            assert scene[y, x].max() <= 30  # the pupils are drawn nearly black


def test_what_cannot_be_drawn(tmp_path):
    with pytest.raises(ValueError, match="two people of two portraits at least, got 1 of 4"):
        write_synthetic_portrait_index(tmp_path, people=1)
