import json
import os
import shutil
import signal
import tarfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from faceops.images.files import Picture, load_picture, save_picture
from portraitdata.builder.build import build as run_build
from portraitdata.builder.build import start_again
from portraitdata.builder.checks.verification import verify_index
from portraitdata.builder.config_file import read_config
from portraitdata.builder.engines import InThisProcess
from portraitdata.builder.layout import funnel, read_stage
from portraitdata.builder.takedown.archive_rewriting import blank_members, rewrite_without
from portraitdata.builder.takedown.removal import JOURNAL_FILE, finish
from portraitdata.builder.takedown.selection import known_faces
from portraitdata.commands.build_options import TakedownOptions, VerifyOptions
from portraitdata.commands.index_options import PortraitIndexOptions
from portraitdata.commands.portrait_index import run_portrait_index
from portraitdata.commands.takedown import run_takedown
from portraitdata.commands.verify import run_verify
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.index.tables import read_index_tables
from portraitdata.restoration.index.takedown_list import (
    TakenDown,
    extend_takedown_list,
    read_takedown_list,
    without_taken_down,
)
from tests.support.synthetic_build import write_synthetic_build


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Path:
    return write_synthetic_build(tmp_path_factory.mktemp("pristine") / "build")


@pytest.fixture
def build(pristine, tmp_path) -> Path:
    return shutil.copytree(pristine, tmp_path / "build")


def contents(index: Path) -> dict[str, bytes]:
    read = PortraitIndex.read(index)
    return {read.uid(number): read.read_bytes(number) for number in range(len(read))}


def found_anywhere(folder: Path, data: bytes) -> list[str]:
    """Files that hold some bytes from the middle of an image."""
    middle = data[len(data) // 2 : len(data) // 2 + 64]
    return [path.name for path in folder.rglob("*") if path.is_file() and middle in path.read_bytes()]


def person(index: Path, number: int = 0) -> list[str]:
    """Photographs of one person; the build has three of each, one after the other."""
    return pq.read_table(index / "images.parquet")["uid"].to_pylist()[3 * number : 3 * number + 3]


def test_a_photograph_goes_everywhere(build, capsys):
    index = build / "shards"
    before = contents(index)
    uid = person(index)[1]
    data = before.pop(uid)
    assert len(found_anywhere(build, data)) == 2  # the shard, and the archive of downloads
    assert run_takedown(TakedownOptions(index, uid=[uid], reason="asked to", date="2026-02-03")) == 0
    assert "1 photographs are taken down" in capsys.readouterr().out
    assert found_anywhere(build, data) == []
    assert contents(index) == before
    assert run_verify(VerifyOptions(index, deep=True)) == 0
    read = PortraitIndex.read(index)
    assert (len(read), read.faces.num_rows, read.pairs.num_rows) == (14, 14, 13)
    assert not (index / "images-00000.tar").exists()
    (row,) = read_takedown_list(build / "takedown.csv")
    assert row == read_takedown_list(index / "takedown.csv")[0]
    assert (row.uid, row.sha256, row.reason, row.date) == (uid, sha256(data).hexdigest(), "asked to", "2026-02-03")
    assert "example.org" not in (build / "takedown.csv").read_text()
    assert not (index / JOURNAL_FILE).exists()


def test_stages_of_the_build(build):
    uid = person(build / "shards")[0]
    url = next(row["url"] for row in read_stage(build, "10_index").to_pylist() if row["uid"] == uid)
    candidates = funnel(build)[0].count
    facts = pq.read_schema(build / "70_split/splits.parquet").metadata
    run_takedown(TakedownOptions(build / "shards", uid=[uid]))
    for folder in ("10_index", "20_download", "30_quality", "40_faces", "50_deduplicate"):
        row = next(row for row in read_stage(build, folder).to_pylist() if row["uid"] == uid)
        assert (row["status"], row["stage"], row["reason"], row["takedown"]) == ("dropped", "index", "taken down", True)
        assert (row["url"], row["path"], row["archive"], row["offset"], row["size"]) == (None, None, None, 0, 0)
    assert uid not in read_stage(build, "41_faces")["uid"].to_pylist()
    assert uid not in read_stage(build, "70_split")["uid"].to_pylist()
    assert pq.read_schema(build / "70_split/splits.parquet").metadata == facts
    for path in ("60_pairs/pairs.parquet", "70_split/pairs.parquet"):
        table = pq.read_table(build / path)
        assert not any(uid in value for name in ("face_a", "face_b") for value in table[name].to_pylist())
    rows = {(row.stage, row.reason): row.count for row in funnel(build)}
    assert rows["index", "taken down"] == 1
    assert rows["index", ""] == candidates - 1
    lines = (build / "takedown.txt").read_text().splitlines()
    assert lines[0] == uid
    assert len(lines[1]) == 64
    assert not any(url.encode() in path.read_bytes() for path in build.rglob("*") if path.is_file())
    # every other download is still where the tables say
    for row in read_stage(build, "50_deduplicate").to_pylist():
        if row["status"] == "kept":
            data = (build / row["archive"]).read_bytes()[row["offset"] : row["offset"] + row["size"]]
            assert sha256(data).hexdigest() == row["sha256"]


@pytest.mark.parametrize(("settings", "bits"), [("", 0b1011), ("duplicates: {hamming_at_most: 12}\n", 0xFFF)])
def test_copies_that_the_build_dropped_go_as_well(build, settings, bits):
    with (build / "config.yaml").open("a") as file:
        file.write(settings)
    uid = person(build / "shards")[0]
    path = build / "50_deduplicate/images.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    look = next(row["phash"] for row in rows if row["uid"] == uid)
    copy = next(row for row in rows if row["reason"] == "equal file")
    copy["phash"] = look ^ bits
    copy["reason"] = "near-duplicate"
    stranger = next(row for row in rows if row["reason"] == "equal file")
    stranger["phash"] = look  # alike by chance, and the same file as a photograph of somebody else
    pq.write_table(table.from_pylist(rows, schema=table.schema), path)
    run_takedown(TakedownOptions(build / "shards", uid=[uid]))
    assert {row.uid for row in read_takedown_list(build / "takedown.csv")} == {uid, copy["uid"]}


@pytest.mark.parametrize("embeddings", [True, False])
def test_a_person_goes_by_one_face(build, embeddings, capsys):
    index = build / "shards"
    if not embeddings:  # then it is the pairs that tell
        shutil.rmtree(build / "41_faces")
        faces = pq.read_table(index / "faces.parquet").drop_columns(["embedding"])
        pq.write_table(faces, index / "faces.parquet")
    three, others = person(index, 2), person(index, 0) + person(index, 1) + person(index, 3) + person(index, 4)
    assert run_takedown(TakedownOptions(index, face=f"{three[1]}:0", dry_run=True)) == 0
    assert "3 photographs would be" in capsys.readouterr().out
    assert len(contents(index)) == 15
    assert run_takedown(TakedownOptions(index, face=f"{three[1]}:0")) == 1  # nobody to ask
    out, err = capsys.readouterr()
    assert next(line.split()[0] for line in out.splitlines()[:3]) == three[1]
    assert all(uid in out for uid in three)
    assert "--yes removes these photographs" in err
    assert len(contents(index)) == 15
    assert run_takedown(TakedownOptions(index, face=f"{three[1]}:0", yes=True)) == 0
    assert sorted(contents(index)) == sorted(others)
    assert run_verify(VerifyOptions(index)) == 0
    assert run_takedown(TakedownOptions(index, face=f"{three[1]}:0", yes=True)) == 0  # again does no harm
    assert run_takedown(TakedownOptions(index, uid=three)) == 0
    assert len(contents(index)) == 12


def test_all_of_a_shard_and_all_of_the_index(build):
    index = build / "shards"
    uids = pq.read_table(index / "images.parquet")["uid"].to_pylist()
    run_takedown(TakedownOptions(index, uid=uids[:5]))
    assert [path.name for path in sorted(index.glob("*.tar"))] == ["images-00001.tar", "images-00002.tar"]
    assert run_verify(VerifyOptions(index, deep=True)) == 0
    run_takedown(TakedownOptions(index, uid=uids[5:]))
    assert list(index.glob("*.tar")) == []
    assert len(PortraitIndex.read(index)) == 0
    assert run_verify(VerifyOptions(index)) == 0


def test_twice_from_one_shard(build):
    index = build / "shards"
    uids = person(index)
    for uid in uids:
        run_takedown(TakedownOptions(index, uid=[uid]))
        assert run_verify(VerifyOptions(index, deep=True)) == 0
    assert next(path.name for path in sorted(index.glob("*.tar"))) == "images-00000.r3.tar"
    assert len(read_takedown_list(index / "takedown.csv")) == 3


def killed_takedown(index: Path, uids: list[str], step: int) -> bool:
    """Take photographs down in a process that is killed before its `step`th change of a name; whether it was."""
    child = os.fork()
    if child == 0:
        left = [step]

        def counted(change):
            def call(*args, **kwargs):
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left[0] -= 1
                return change(*args, **kwargs)

            return call

        os.replace, os.unlink = counted(os.replace), counted(os.unlink)
        try:
            run_takedown(TakedownOptions(index, uid=uids))
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("stride", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_at_any_moment(tmp_path, stride):
    """Between any two changes of names the index reads and verifies, with the old photographs or the new ones."""
    pristine = write_synthetic_build(tmp_path / "pristine", people=4, portraits=2, size=48)
    old = contents(pristine / "shards")
    uids = [next(iter(old)), list(old)[7]]  # in two shards
    new = {uid: data for uid, data in old.items() if uid not in uids}
    seen, step = [], 0
    while True:
        build = shutil.copytree(pristine, tmp_path / f"step{step}")
        index = build / "shards"
        killed = killed_takedown(index, uids, step)
        now = contents(index)
        assert now in (old, new)
        found = verify_index(index, deep=True)
        assert found.problems == ()
        assert bool(found.notes) == (index / JOURNAL_FILE).exists()
        listed = {row.uid for place in (build, index) for row in read_takedown_list(place / "takedown.csv")}
        assert not listed or not any(found_anywhere(build, old[uid]) for uid in uids)
        seen.append("new" if now == new else "old")
        finished = (index / JOURNAL_FILE).exists() or not killed
        finish(index)
        assert contents(index) == (new if finished else old)
        if finished:
            assert not any(found_anywhere(build, old[uid]) for uid in uids)
            assert {row.uid for row in read_takedown_list(build / "takedown.csv")} == set(uids)
            assert verify_index(index).notes == ()
        shutil.rmtree(build)
        if not killed:
            break
        step += stride
    assert seen == sorted(seen, reverse=True)  # old, then new
    assert len(seen) > 20 / stride
    assert seen.count("old") > 4 / stride


def test_what_a_killed_process_left_goes_as_well(build):
    """A copy that was cut short before anything in it was overwritten, and a table."""
    uid = person(build / "shards")[0]
    data = contents(build / "shards")[uid]
    for left in (
        "20_download/.part-00000.123.tar",
        "50_deduplicate/.images.123.parquet",
        "shards/.x.123.tar",
        "shards/.x.host-12.tar",
    ):
        (build / left).write_bytes(data)
    run_takedown(TakedownOptions(build / "shards", uid=[uid]))
    assert found_anywhere(build, data) == []


def test_what_cannot_be_taken_down(build, tmp_path):
    index = build / "shards"
    with pytest.raises(ValueError, match="There is no photograph nobody in the index"):
        run_takedown(TakedownOptions(index, uid=["nobody"]))
    with pytest.raises(ValueError, match="There is no face nobody:0 in the index"):
        run_takedown(TakedownOptions(index, face="nobody:0"))
    with pytest.raises(ValueError, match="one of --uid, --face and --like"):
        run_takedown(TakedownOptions(index, uid=["x"], face="x:0"))
    with pytest.raises(ValueError, match=r"between -1 and 1; got 2\.0"):
        run_takedown(TakedownOptions(index, uid=["x"], similarity=2.0))
    with pytest.raises(FileNotFoundError, match="a portrait index is a folder"):
        run_takedown(TakedownOptions(tmp_path, uid=["x"]))
    (index / JOURNAL_FILE).write_text(json.dumps({"rows": []}))
    with pytest.raises(ValueError, match="is no journal of a takedown"):
        run_takedown(TakedownOptions(index, uid=person(index)))
    assert len(contents(index)) == 15


def test_files_of_the_user_stay(tmp_path, capsys):
    """An index of plain files elsewhere: rows go, the files are named."""
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for number in range(3):
        save_picture(Picture(torch.full((3, 20, 30), number / 10)), photographs / f"{number}.png")
    index = tmp_path / "index"
    run_portrait_index(PortraitIndexOptions(photographs, output=index, no_faces=True))
    capsys.readouterr()
    uid = pq.read_table(index / "images.parquet")["uid"][1].as_py()
    run_takedown(TakedownOptions(index, uid=[uid]))
    assert f"{photographs / '1.png'} is outside {index} and stays as it is." in capsys.readouterr().err
    assert (photographs / "1.png").exists()
    assert len(contents(index)) == 2
    assert read_takedown_list(index / "takedown.csv")[0].sha256.startswith(uid)
    assert run_verify(VerifyOptions(index, deep=True)) == 0


def test_the_reader_may_hide_by_uid_and_by_hash(pristine):
    read = PortraitIndex.read(pristine / "shards")
    first, second = read.images.to_pylist()[:2]
    rows = [TakenDown(first["uid"]), TakenDown("elsewhere", second["sha256"])]
    images, faces, pairs = without_taken_down(rows, read.images, read.faces, read.pairs)
    assert len(PortraitIndex(read.root, images, faces, pairs)) == 13
    assert (faces.num_rows, pairs.num_rows) == (13, 12)


def test_faces_of_index_and_build_together(pristine):
    """Where the index stores its embeddings otherwise, or has none for some faces."""
    tables = read_index_tables(pristine / "shards")
    expected = np.array(tables.faces["embedding"].to_pylist(), np.float32)
    some = [row if number % 2 else None for number, row in enumerate(tables.faces["embedding"].to_pylist())]
    for kind in (pa.list_(pa.float16(), 16), pa.list_(pa.float32())):
        lists = (
            pa.array(some, pa.list_(pa.float32())).cast(kind)
            if kind.value_type == pa.float32()
            else pa.array([None if row is None else np.array(row, np.float16) for row in some], kind)
        )
        faces = tables.faces.drop_columns(["embedding"]).append_column("embedding", lists)
        found = known_faces(tables._replace(faces=faces), pristine)
        assert found.names == [f"{uid}:0" for uid in tables.faces["uid"].to_pylist()] * 2
        assert found.embeddings == pytest.approx(np.concatenate((expected[1::2], expected)), abs=1e-3)
        assert found.rows.tolist() == [*range(1, 15, 2), *range(15, 30)]
    nowhere = known_faces(tables._replace(faces=tables.faces.drop_columns(["embedding"])), None)
    assert (len(nowhere.names), len(nowhere.embeddings), len(nowhere.rows)) == (15, 0, 0)


def test_rewriting_keeps_the_other_members(tmp_path):
    random = np.random.default_rng(0)
    files = {f"{'deep/' * (number % 3)}{'n' * 120}{number}.jpg": random.bytes(700 * number) for number in range(5)}
    files[next(iter(files)).replace(".jpg", ".json")] = b"{}"
    for name, data in files.items():
        (tmp_path / "raw").write_bytes(data)
        with tarfile.open(tmp_path / "a.tar", "a") as tar:
            tar.add(tmp_path / "raw", name)
    with tarfile.open(tmp_path / "a.tar") as tar:
        places = {member.name: member.offset_data for member in tar}
    gone, kept = next(iter(files)), list(files)[1:5]
    moved = rewrite_without(tmp_path / "a.tar", {places[gone]}, tmp_path / "b.tar")
    data = (tmp_path / "b.tar").read_bytes()
    assert len(moved) == 4  # without the JSON file that belonged to it
    for name in kept:
        start = moved[places[name]]
        assert data[start : start + len(files[name])] == files[name]
    blank_members(tmp_path / "a.tar", {places[kept[2]]})
    data = (tmp_path / "a.tar").read_bytes()
    for name in files:
        found = data[places[name] : places[name] + len(files[name])]
        assert found == (bytes(len(files[name])) if name == kept[2] else files[name])
    (tmp_path / "c.tar").write_bytes(b"none" * 400)
    with pytest.raises(ValueError, match="is no uncompressed tar archive"):
        rewrite_without(tmp_path / "c.tar", {0}, tmp_path / "d.tar")
    with pytest.raises(ValueError, match="is no uncompressed tar archive"):
        blank_members(tmp_path / "c.tar", {0})


def test_the_list_keeps_what_it_says(tmp_path):
    path = tmp_path / "takedown.csv"
    extend_takedown_list(path, [TakenDown("x", reason='a "quoted", reason', date="then")])
    extend_takedown_list(path, [TakenDown("x", reason="other"), TakenDown("y")])
    assert read_takedown_list(path) == [TakenDown("x", reason='a "quoted", reason', date="then"), TakenDown("y")]
    path.write_text("something,else\n")
    with pytest.raises(ValueError, match="needs the columns uid and sha256"):
        extend_takedown_list(path, [TakenDown("z")])


@pytest.mark.assets
def test_a_person_goes_by_a_photograph_of_hers(assets, tmp_path, capsys):
    """Two people twice; a third photograph's stand-in is one of them at another size."""
    source = tmp_path / "people"
    source.mkdir()
    folder = assets / "images/portraits/london_ccby4"
    for name in ("005_neutral", "006_neutral", "006_smiling", "034_neutral"):
        pixels = load_picture(folder / f"{name}.jpg").pixels
        reduced = torch.nn.functional.interpolate(pixels[None], size=(480, 480), mode="bilinear", antialias=True)
        save_picture(Picture(reduced[0]), source / f"{name}.png")
    networks = {"identity_weights": str(assets / "weights/identity/mobilefacenet_foamliu.pt")}
    options = PortraitIndexOptions(source, output=tmp_path / "index", min_eyes=40.0, duplicates=0.999, **networks)
    run_portrait_index(options)
    search = networks | {"similarity": 0.5}
    capsys.readouterr()
    assert run_takedown(TakedownOptions(tmp_path / "index", like=folder / "006_smiling.jpg", **search, yes=True)) == 0
    out = capsys.readouterr().out
    assert "006_neutral.png" in out
    assert "2 photographs are taken down" in out
    assert len(contents(tmp_path / "index")) == 2
    save_picture(Picture(torch.rand(3, 64, 64)), tmp_path / "noise.png")
    with pytest.raises(ValueError, match=r"No face was found in .*noise\.png"):
        run_takedown(TakedownOptions(tmp_path / "index", like=tmp_path / "noise.png", **search))


def test_a_takedown_that_did_not_end_is_not_forgotten_by_a_build(build):
    uid = person(build / "shards")[0]
    journal = build / "shards" / JOURNAL_FILE
    journal.write_text(json.dumps({"rows": [TakenDown(uid)._asdict()], "files": []}))
    config = replace(read_config(build / "config.yaml"), output=build)
    with pytest.raises(ValueError, match=r"A run of `portraitdata takedown .*shards` did not end .* finish it first"):
        run_build(config, InThisProcess(), "split")
    assert journal.is_file()
    assert len(contents(build / "shards")) == 15
    assert run_takedown(TakedownOptions(build / "shards")) == 0
    start_again(build, "shards")
    assert not (build / "shards").exists()
