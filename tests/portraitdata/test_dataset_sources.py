"""WebDataset archives, and folders and parquet files of Hugging Face's `datasets`, indexed and read where they lie."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lightning.pytorch.callbacks import ModelCheckpoint
from PIL import Image

from portraitdata.commands.index_options import PortraitIndexOptions
from portraitdata.commands.portrait_index import run_portrait_index
from portraitdata.exemplars.index import ExemplarIndex
from portraitdata.exemplars.sets import TrainingExemplarSets
from portraitdata.exemplars.sources.annotations import Annotation, of_folder, of_tar
from portraitdata.exemplars.sources.folders import scan_folders
from portraitdata.exemplars.sources.layouts import recognised_layout, scan_layout
from portraitdata.exemplars.sources.parquets import parquet_members, scan_parquets
from portraitdata.exemplars.sources.tars import scan_tars
from portraitdata.loading.parquet_pictures import read_picture
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.training_pairs import RestorationPairs
from tests.portraitdata.test_restoration_datamodule import Recorder, data, trainer

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*callbacks used to create the checkpoint"),
    pytest.mark.filterwarnings("ignore:.*Checkpoint directory"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
]
PEOPLE = ("ada", "ada", "ben", "ben", "cyd", "cyd", "dan", "dan", "eve", "eve", "flo", "flo")


def png(number: int) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (64, 70, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


PICTURES = [png(number) for number in range(len(PEOPLE))]
SAYS = [{"identity": who, "caption": f"portrait {n}", "tags": ["face", who]} for n, who in enumerate(PEOPLE)]


def write_folder(folder: Path) -> Path:
    """Pictures with a ``metadata.jsonl``."""
    folder.mkdir()
    lines = [json.dumps({"file_name": f"{n:04d}.png", **says}) for n, says in enumerate(SAYS)]
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    for number, picture in enumerate(PICTURES):
        (folder / f"{number:04d}.png").write_bytes(picture)
    return folder


def write_webdataset(folder: Path, per_shard: int = 5) -> Path:
    """Shards with ``key.png`` and ``key.json``."""
    folder.mkdir()
    for start in range(0, len(PEOPLE), per_shard):
        with tarfile.open(folder / f"shard-{start:04d}.tar", "w") as tar:
            for number in range(start, min(start + per_shard, len(PEOPLE))):
                for suffix, content in (("png", PICTURES[number]), ("json", json.dumps(SAYS[number]).encode())):
                    member = tarfile.TarInfo(f"{number:04d}.{suffix}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
    return folder


def write_parquets(folder: Path, per_shard: int = 5, named: bool = True) -> Path:
    """Files of several row groups, snappy-compressed, with the metadata that `datasets` stores."""
    folder.mkdir()
    names = sorted(set(PEOPLE))
    features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    for start in range(0, len(PEOPLE), per_shard):
        rows = range(start, min(start + per_shard, len(PEOPLE)))
        images = [{"bytes": PICTURES[n], "path": f"{n:04d}.png" if named else None} for n in rows]
        columns = {
            "image": pa.array(images, pa.struct({"bytes": pa.binary(), "path": pa.string()})),
            "label": pa.array([names.index(PEOPLE[n]) for n in rows], pa.int64()),
            "caption": pa.array([SAYS[n]["caption"] for n in rows]),
            "tags": pa.array([SAYS[n]["tags"] for n in rows]),
        }
        table = pa.table(columns).replace_schema_metadata(metadata)
        pq.write_table(table, folder / f"train-{start:05d}.parquet", row_group_size=2)
    return folder


WRITERS = {"folders": write_folder, "tar": write_webdataset, "parquet": write_parquets}


@pytest.fixture(params=list(WRITERS))
def layout(request) -> str:
    return request.param


@pytest.fixture
def source(layout, tmp_path) -> Path:
    return WRITERS[layout](tmp_path / "source")


def index_pictures(source: Path, output: Path, **options: object) -> PortraitIndex:
    """Index without looking for faces."""
    run_portrait_index(PortraitIndexOptions(source, output=output, no_faces=True, workers=1, test_share=0.0, **options))
    return PortraitIndex.read(output)


def test_a_portrait_index_reads_in_place_and_has_the_texts(layout, source, tmp_path):
    index = index_pictures(source, tmp_path / "index")
    assert sorted(tmp_path.iterdir()) == [tmp_path / "index", tmp_path / "source"]  # nothing is unpacked
    read = {index.read_bytes(number): number for number in range(len(index))}
    assert set(read) == set(PICTURES)
    for number, picture in enumerate(PICTURES):
        row = read[picture]
        assert index.prompt(row) == f"portrait {number}"
        assert index.images["tags"][row].as_py() == ["face", PEOPLE[number]]
        assert index.size(row) == (70, 64)
    assert "licence" not in index.images.column_names
    archives = {index.photograph(number).archive for number in range(len(index))}
    assert {Path(archive).suffix for archive in archives if archive} == {
        "folders": set(),
        "tar": {".tar"},
        "parquet": {".parquet"},
    }[layout]


def test_copies_keep_the_texts(source, tmp_path):
    index = index_pictures(source, tmp_path / "index", copies=tmp_path / "copies", shorter_side=32)
    assert sorted(index.prompt(number) for number in range(len(index))) == sorted(says["caption"] for says in SAYS)
    assert {min(index.size(number)) for number in range(len(index))} == {32}


def test_exemplars_have_the_identities(layout, source, tmp_path):
    assert recognised_layout(source) == layout
    found = scan_layout(source, layout).index
    assert {found.read_bytes(row): row.identity for row in found.photographs} == dict(
        zip(PICTURES, PEOPLE, strict=True)
    )
    found.with_splits(dict.fromkeys(PEOPLE, "train")).write(tmp_path / "people.parquet")
    sets = TrainingExemplarSets(ExemplarIndex.read(tmp_path / "people.parquet"), size=16, references=1)
    assert len(sets) == len(PEOPLE)
    assert sets[3, 5].present.tolist() == [True]


def test_all_three_give_the_same_items(tmp_path):
    """Which key is which photograph depends on its place in an index; by photograph, items are the same to the bit."""
    items = []
    for layout, write in WRITERS.items():
        index = index_pictures(write(tmp_path / layout), tmp_path / f"{layout}-index")
        place = {index.read_bytes(number): number for number in range(len(index))}
        pairs = RestorationPairs(index, size=32, scale=4)
        items.append([pairs[7, place[picture]] for picture in PICTURES])
    for first, *others in zip(*items, strict=True):
        assert all((other.lq == first.lq).all() and (other.hq == first.hq).all() for other in others)
    assert len({item.hq.numpy().tobytes() for item in items[0]}) == len(PICTURES)


@pytest.mark.parametrize("stop", [3, 7])
def test_a_resumed_run_goes_on_where_it_was(source, tmp_path, stop):
    index_pictures(source, tmp_path / "index")
    folders = [tmp_path / "index"] * 2  # one index, named by two sources
    whole, first, second = Recorder(), Recorder(), Recorder()
    trainer(tmp_path).fit(whole, data(folders))
    saver = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_last=True, filename="{step}")
    trainer(tmp_path, max_steps=stop, callbacks=(saver,)).fit(first, data(folders))
    trainer(tmp_path).fit(second, data(folders), ckpt_path=tmp_path / "last.ckpt", weights_only=False)
    assert len(first.steps) == stop
    assert first.steps + second.steps == whole.steps


def test_rows_are_found_in_any_order(tmp_path):
    folder = write_parquets(tmp_path / "source", named=False)
    place = folder / "train-00000.parquet"
    assert pq.read_metadata(place).num_row_groups == 3
    for row in (4, 0, 3, 1, 2, 4):
        assert read_picture(place, row) == PICTURES[row]
    assert parquet_members(place)[3].path == "train-00000/3/picture.png"
    with pytest.raises(OSError, match="has 5 rows, no row 5; it has changed since it was indexed"):
        read_picture(place, 5)


def test_a_file_that_was_written_anew_is_read_anew(tmp_path):
    place = write_parquets(tmp_path / "source") / "train-00000.parquet"
    found = scan_parquets(place).index
    assert found.read_bytes(found.photographs[0]) == PICTURES[0]
    pq.write_table(pq.read_table(place).slice(1), place, row_group_size=2)
    assert read_picture(place, 0) == PICTURES[1]
    place.write_bytes(b"no parquet")
    with pytest.raises(OSError, match="is not a parquet file"):
        found.read_bytes(found.photographs[0])


def test_parquet_files_that_cannot_be_used(tmp_path):
    place = tmp_path / "a.parquet"
    pq.write_table(pa.table({"caption": ["x"]}), place)
    with pytest.raises(ValueError, match=r"should have one column of pictures .* of its columns caption 0 hold"):
        scan_parquets(place)
    images = pa.array(
        [{"bytes": PICTURES[0], "path": None}, None], pa.struct({"bytes": pa.binary(), "path": pa.string()})
    )
    pq.write_table(pa.table({"hq": images, "lq": images}), place)
    with pytest.raises(ValueError, match=r"of its columns hq, lq 2 hold pictures"):
        scan_parquets(place)
    pq.write_table(pa.table({"hq": images}), place)
    with pytest.raises(ValueError, match="does not say who is who: give it a column identity, person or label"):
        scan_parquets(place)
    pq.write_table(pa.table({"hq": images, "person": ["ada", "ada"]}), place)
    assert [file.reason for file in scan_parquets(place).skipped] == ["a/1/picture.jpg is empty, an image was wanted."]
    pq.write_table(pa.table({"hq": images, "cls": ["ada", None]}), place)
    found = scan_parquets(place)
    assert [row.identity for row in found.index.photographs] == ["ada"]
    assert [file.reason for file in found.skipped] == ["a/1/picture.jpg: nothing says who it shows."]
    with pytest.raises(FileNotFoundError, match="There is no parquet file"):
        scan_parquets(tmp_path / "absent.parquet")


def test_a_table_of_identities_names_pictures_of_parquet(tmp_path):
    folder = write_parquets(tmp_path / "source")
    (tmp_path / "who.csv").write_text("file,identity\n0003.png,Ada Lovelace\n")
    found = scan_parquets(folder, tmp_path / "who.csv").index
    assert [(row.path, row.identity) for row in found.photographs] == [("train-00000/3/0003.png", "Ada Lovelace")]


def pack(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_members_of_a_sample_belong_together(tmp_path):
    place = pack(
        tmp_path / "a.tar",
        {
            "x/1.face.png": PICTURES[0],
            "x/1.txt": b" a prompt\n",
            "x/1.cls": b"17",
            "x/2.png": PICTURES[1],
            "x/2.json": b'{"license": "CC0", "label": 3}',
        },
    )
    assert of_tar(place) == {"x/1": Annotation("17", "a prompt"), "x/2": Annotation(licence="CC0")}
    # A label may be anything; without an identity the folder names the person, as before.
    assert [row.identity for row in scan_tars(place).index.photographs] == ["17", "x"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("1.json", b"{", r"1\.json in .*a\.tar cannot be read as text in UTF-8, or as JSON"),
        ("1.json", b"[1]", r"1\.json in .*a\.tar should be a JSON object with fields of the sample, got list"),
        ("1.txt", b"\xff", r"1\.txt in .*a\.tar cannot be read as text in UTF-8"),
    ],
)
def test_members_that_cannot_be_read(tmp_path, name, content, message):
    with pytest.raises(ValueError, match=message):
        of_tar(pack(tmp_path / "a.tar", {"1.png": PICTURES[0], name: content}))


def test_metadata_of_folders(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "1.png").write_bytes(PICTURES[0])
    (tmp_path / "deep" / "metadata.csv").write_text("file_name,text,label\n1.png,a portrait,smiling\n2.png,gone,x\n")
    assert of_folder(tmp_path)["deep/1.png"] == Annotation(prompt="a portrait")
    assert [row.identity for row in scan_folders(tmp_path).index.photographs] == ["deep"]
    (tmp_path / "metadata.jsonl").write_text('{"text": "no name"}\n')
    with pytest.raises(ValueError, match=r'Line 1 of .*metadata\.jsonl has no file_name; it has \["text"\]'):
        of_folder(tmp_path)
