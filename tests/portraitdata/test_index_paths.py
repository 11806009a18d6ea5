"""Indexes that name files outside of the folder of their photographs."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portraitdata.exemplars import index as exemplar_index
from portraitdata.exemplars.index import ExemplarIndex, Photograph
from portraitdata.restoration.index import portrait_index
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.index.schemas import IMAGES

PLACES = [
    ("../key.png", None),
    ("ada/../../key.png", None),
    ("/etc/key.png", None),
    ("ada.png", "../photographs.tar"),
    ("../key.png", "photographs.tar"),
]
INSIDE = [("ada/1..png", None), ("..ada/1.png", None), ("ada.png", "photographs.tar")]


def write_exemplar_index(folder: Path, path: str, archive: str | None) -> Path:
    row = Photograph(path, archive, 0, 9, "ada", "train", 6, 4)
    metadata = {"version": 1, "root": ".", "source": "", "seed": None, "note": ""}
    table = pa.Table.from_pylist([row._asdict()], schema=exemplar_index.SCHEMA)
    file = folder / "index.parquet"
    pq.write_table(table.replace_schema_metadata({exemplar_index.METADATA_KEY: json.dumps(metadata).encode()}), file)
    return file


def write_portrait_index(folder: Path, path: str, archive: str | None) -> Path:
    row = {"uid": "a", "path": path, "archive": archive, "offset": 0, "size": 9, "width": 6, "height": 4}
    metadata = {"version": 1, "root": ".", "note": ""}
    table = pa.Table.from_pylist([row | {"split": "train"}], IMAGES)
    stored = {portrait_index.METADATA_KEY: json.dumps(metadata).encode()}
    pq.write_table(table.replace_schema_metadata(stored), folder / "images.parquet")
    return folder


@pytest.mark.parametrize(("path", "archive"), PLACES)
def test_a_path_that_leads_out_of_the_folder_is_refused_when_the_index_is_read(tmp_path, path, archive) -> None:
    sentence = r"names '\S+', outside of the folder of its photographs"
    with pytest.raises(ValueError, match=sentence):
        ExemplarIndex.read(write_exemplar_index(tmp_path, path, archive))
    with pytest.raises(ValueError, match=sentence):
        PortraitIndex.read(write_portrait_index(tmp_path, path, archive))


@pytest.mark.parametrize(("path", "archive"), INSIDE)
def test_dots_in_names_are_no_way_out(tmp_path, path, archive) -> None:
    (photograph,) = ExemplarIndex.read(write_exemplar_index(tmp_path, path, archive)).photographs
    assert (
        photograph.path == PortraitIndex.read(write_portrait_index(tmp_path, path, archive)).photograph(0).path == path
    )
