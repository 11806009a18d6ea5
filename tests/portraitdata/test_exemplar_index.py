import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portraitdata.exemplars.index import METADATA_KEY, ExemplarIndex, Photograph, identity_counts

ADA, BEN = (
    Photograph("ada/1.jpg", None, 0, 3, "ada", "train", 90, 80),
    Photograph("ben/1.jpg", None, 0, 3, "ben", "test", 70, 60),
)


@pytest.fixture
def written(tmp_path) -> Path:
    (tmp_path / "photos" / "ada").mkdir(parents=True)
    (tmp_path / "photos" / "ada" / "1.jpg").write_bytes(b"abc")
    (tmp_path / "photos" / "all.tar").write_bytes(b"0123456789")
    rows = (BEN._replace(archive="all.tar", offset=4, size=3), ADA)
    ExemplarIndex(tmp_path / "photos", rows, "folders", 7, "first").write(tmp_path / "index.parquet")
    return tmp_path / "index.parquet"


def test_round_trip(written):
    index = ExemplarIndex.read(written)
    assert (index.source, index.seed, index.note) == ("folders", 7, "first")
    assert index.root == written.parent / "photos"
    assert index.photographs == (ADA, BEN._replace(archive="all.tar", offset=4, size=3))
    assert [file.name for file in written.parent.iterdir() if file.is_file()] == ["index.parquet"]


def test_bytes_of_files_and_archive_members(written):
    index = ExemplarIndex.read(written)
    assert [index.read_bytes(row) for row in index.photographs] == [b"abc", b"456"]
    with pytest.raises(OSError, match=r"all\.tar ends within ben/1\.jpg; it has changed"):
        index.read_bytes(index.photographs[1]._replace(size=30))


def test_columns_can_be_read_by_anyone(written):
    table = pq.read_table(written)
    assert table.column_names == ["path", "archive", "offset", "size", "identity", "split", "width", "height"]
    assert table.column("archive").to_pylist() == [None, "all.tar"]


def test_the_folder_may_move_with_its_index(written, tmp_path_factory):
    there = tmp_path_factory.mktemp("elsewhere") / "moved"
    written.parent.rename(there)
    assert ExemplarIndex.read(there / "index.parquet").root == there / "photos"
    (there / "photos").rename(there / "pictures")
    with pytest.raises(FileNotFoundError, match="which is not there; give their folder as `root`"):
        ExemplarIndex.read(there / "index.parquet")
    assert ExemplarIndex.read(there / "index.parquet", there / "pictures").root == there / "pictures"


def test_a_root_that_shares_nothing_with_the_index_stays_absolute(tmp_path):
    ExemplarIndex(Path("/proc"), (ADA,)).write(tmp_path / "index.parquet")
    assert json.loads(pq.read_schema(tmp_path / "index.parquet").metadata[METADATA_KEY])["root"] == "/proc"


def test_selection_and_identities():
    rows = (ADA._replace(path="ada/2.jpg"), BEN, ADA)
    index = ExemplarIndex(Path("photos"), rows)
    assert [row.path for row in index.photographs] == ["ada/1.jpg", "ada/2.jpg", "ben/1.jpg"]
    assert index.select("test").photographs == (BEN,)
    assert {identity: len(group) for identity, group in index.by_identity.items()} == {"ada": 2, "ben": 1}
    assert identity_counts(rows) == {"ada": 2, "ben": 1}
    assert {row.split for row in index.with_splits({"ada": "test"}).select("unused").photographs} == {"unused"}
    assert index.with_splits({"ada": "test"}).select("test").by_identity.keys() == {"ada"}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ((ADA, ADA), r"1 photographs are listed more than once, the first is ada/1\.jpg"),
        ((ADA, ADA._replace(path="x", split="test")), "Photographs of ada are in both 'train' and 'test'"),
        ((ADA._replace(split="dev"),), r"The split of ada/1\.jpg is 'dev'; it must be train, test or unused"),
    ],
)
def test_inconsistent_rows(tmp_path, rows, message):
    table = pa.Table.from_pylist([row._asdict() for row in rows], schema=pq_schema())
    pq.write_table(table.replace_schema_metadata(metadata(tmp_path)), tmp_path / "index.parquet")
    with pytest.raises(ValueError, match=r"index\.parquet is inconsistent: " + message):
        ExemplarIndex.read(tmp_path / "index.parquet")


def pq_schema() -> pa.Schema:
    from portraitdata.exemplars.index import SCHEMA

    return SCHEMA


def metadata(root: Path, version: int = 1) -> dict[bytes, bytes]:
    return {
        METADATA_KEY: json.dumps(
            {"version": version, "root": str(root), "source": "", "seed": None, "note": ""}
        ).encode()
    }


def test_other_files(tmp_path):
    path = tmp_path / "index.parquet"
    with pytest.raises(FileNotFoundError, match=r"There is no exemplar index .*portraitdata exemplar-index SOURCE"):
        ExemplarIndex.read(path)
    path.write_text("identity,path\n")
    with pytest.raises(ValueError, match="is not a parquet file, an exemplar index was wanted"):
        ExemplarIndex.read(path)
    table = pa.Table.from_pylist([ADA._asdict()], schema=pq_schema())
    pq.write_table(table.drop_columns(["size", "split"]), path)
    with pytest.raises(ValueError, match="lacks the columns size, split, which an exemplar index must have"):
        ExemplarIndex.read(path)
    pq.write_table(table, path)
    with pytest.raises(ValueError, match="does not say where its photographs lie"):
        ExemplarIndex.read(path)
    pq.write_table(table.replace_schema_metadata(metadata(tmp_path, 99)), path)
    with pytest.raises(ValueError, match="has version 99 of the index format, newer than 1; update portraitdata"):
        ExemplarIndex.read(path)
    pq.write_table(table.slice(0, 0).replace_schema_metadata(metadata(tmp_path)), path)
    with pytest.raises(ValueError, match="lists no photographs"):
        ExemplarIndex.read(path)
    wrong = table.set_column(3, "size", pa.array(["many"])).replace_schema_metadata(metadata(tmp_path))
    pq.write_table(wrong, path)
    with pytest.raises(ValueError, match="has columns of another type than an exemplar index"):
        ExemplarIndex.read(path)


def test_an_empty_index_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="without a single photograph"):
        ExemplarIndex(tmp_path, ()).write(tmp_path / "index.parquet")
    assert not list(tmp_path.iterdir())
