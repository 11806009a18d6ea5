"""What the builder does with more rows than fit into memory, on few."""

import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portraitdata.builder.config import BuildConfig, DuplicateSettings, LocalSource, PairSettings
from portraitdata.builder.config_file import changes, write_config
from portraitdata.builder.layout import (
    DEDUPLICATE,
    DROPPED,
    FACES,
    FACES_IMAGES,
    FACES_SCHEMA,
    IMAGES_SCHEMA,
    KEPT,
    PAIRS,
    SINGLE_FILE,
    part_path,
    read_pair_facts,
    read_stage,
    write_rows,
)
from portraitdata.builder.part_names import numbered, refuse_unsorted
from portraitdata.builder.stages import deduplicate as deduplicating
from portraitdata.builder.stages import repeated_keys as repeating
from portraitdata.builder.stages.alike_hashes import compared_hashes, sorted_hashes
from portraitdata.builder.stages.deduplicate import deduplicate
from portraitdata.builder.stages.mine_pairs import mine_pairs
from portraitdata.builder.table_ranges import TableRanges
from portraitdata.restoration.index.face_cells import similar_faces_by_cells
from portraitdata.restoration.index.similar_faces import similar_faces

IN_PART = 40


def test_ranges_of_a_table_are_read_forwards_without_beginning_again(tmp_path, monkeypatch):
    table = pa.table({"number": np.arange(1000), "word": [f"w{number}" for number in range(1000)]})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=300)
    begun = []
    begin = TableRanges._begin
    monkeypatch.setattr(TableRanges, "_begin", lambda self, group: (begun.append(group), begin(self, group))[1])
    ranges = TableRanges(tmp_path / "t.parquet", ["number"], 70)
    for start in range(0, 1000, 70):
        assert ranges.read(start, 70)["number"].to_pylist() == list(range(start, min(start + 70, 1000)))
    assert begun == [0]
    assert ranges.read(610, 3)["number"].to_pylist() == [610, 611, 612]
    assert ranges.read(5, 2)["number"].to_pylist() == [5, 6]
    assert ranges.read(905, 500)["number"].to_pylist() == list(range(905, 1000))
    assert begun == [0, 2, 0, 3]
    assert ranges.read(1000, 5).num_rows == 0


def test_names_of_parts_sort_as_their_numbers(tmp_path):
    numbers = [0, 9, 10, 99_998, 99_999, 100_000, 100_001, 999_999, 1_000_000, 2**31 - 1]
    names = [numbered(number) for number in numbers]
    assert sorted(names) == names
    assert part_path(tmp_path, FACES, 12).name == "part-00012.parquet"
    for name in ("part-99999.parquet", "part-a100000.parquet"):
        (tmp_path / name).touch()
    refuse_unsorted(tmp_path)
    (tmp_path / "part-100000.parquet").touch()
    with pytest.raises(ValueError, match=r"part-100000\.parquet was written by an earlier version"):
        refuse_unsorted(tmp_path)


def random_rows(random, count):
    """Candidates, some dropped before, of which many share uid, file or look with another."""
    rows = []
    for number in range(count):
        # Different within a partition, as the first stage sees to.
        uid, file = number % IN_PART * 50 + int(random.integers(50)), int(random.integers(count * 2))
        phash = int(random.integers(6)) << 40 | int(random.integers(2**4))
        rows.append(
            {
                "partition": number // IN_PART,
                "uid": f"{uid:016x}",
                "sha256": f"{file:064x}",
                "phash": phash * 0x0101 % 2**63,
                "width": 100 + int(random.integers(3)),
                "height": 100,
                "url": f"https://example.org/{number}" if number % 2 else None,
                "path": f"{number}.jpg",
                "status": DROPPED if number % 7 == 0 else KEPT,
                "takedown": number % 31 == 0,
            }
        )
    return rows


def drop_one_by_one(rows, axes, settings, listed):
    """Reason and sentence of each row, by the rules of the stage, one row after the other."""
    said = {}
    kept = [number for number, row in enumerate(rows) if row["status"] == KEPT]
    place = [row["url"] or row["path"] for row in rows]
    for number in kept:
        if rows[number]["takedown"] or rows[number]["uid"] in listed:
            said[number] = "taken down", ""
    for column, reason in (("uid", "listed twice"), ("sha256", "equal file")):
        first = {}
        for number in kept:
            if number not in said and (same := first.setdefault(rows[number][column], number)) != number:
                said[number] = reason, f"{place[number]} is the same as {place[same]}."
    left = sorted(
        (number for number in kept if number not in said),
        key=lambda number: (-rows[number]["width"] * rows[number]["height"], number),
    )
    for position, one in enumerate(left):
        for other in left[position + 1 :]:
            bits = (rows[one]["phash"] ^ rows[other]["phash"]).bit_count()
            alike = bits <= settings.hamming_at_most and axes[one] == axes[other]
            if alike and one not in said and other not in said:
                said[other] = "near-duplicate", f"{place[other]} looks like {place[one]}: {bits} of 64 bits differ."
    return [said.get(number, ("", "")) for number in range(len(rows))]


def test_deduplicating_in_parts_is_as_row_after_row(tmp_path, monkeypatch):
    """With shards of few keys and tables of few rows."""
    monkeypatch.setattr(repeating, "SHARD", 50)
    monkeypatch.setattr(deduplicating, "ROW_GROUP", 90)
    random = np.random.default_rng(0)
    rows = random_rows(random, 9 * IN_PART + 7)
    axes = random.integers(2, size=len(rows)).tolist()
    settings = DuplicateSettings(hamming_at_most=3)
    config = BuildConfig(
        output=tmp_path / "build",
        sources=(LocalSource("local", tmp_path),),
        duplicates=settings,
        takedown=tmp_path / "gone.txt",
    )
    listed = {rows[5]["uid"], rows[100]["uid"]}
    (tmp_path / "gone.txt").write_text("\n".join(listed))
    text = dict.fromkeys(("source", "stage", "reason", "detail"), "")
    blank = text | {"offset": 0, "size": 0, "opt_out": False}
    face = {"number": 0, "box": [0.0] * 4, "score": 1.0, "landmarks": [0.0] * 10, "eye_distance": 9.0}
    for start in range(0, len(rows), IN_PART):
        some, number = rows[start : start + IN_PART], start // IN_PART
        write_rows(
            pa.Table.from_pylist([blank | row for row in some], IMAGES_SCHEMA),
            part_path(config.output, FACES_IMAGES, number),
        )
        faces = [
            face
            | {"partition": number, "uid": row["uid"], "matrix": [0.0] * 6}
            | {"embedding": np.eye(2)[axis].astype(np.float16)}
            for row, axis in zip(some, axes[start : start + IN_PART], strict=True)
        ]
        write_rows(pa.Table.from_pylist(faces, FACES_SCHEMA), part_path(config.output, FACES, number))
    deduplicate(config)
    wanted = drop_one_by_one(rows, axes, settings, listed)
    got = read_stage(config.output, DEDUPLICATE).to_pylist()
    assert [(row["reason"], row["detail"]) for row in got] == wanted
    assert {reason for reason, _ in wanted} == {"", "taken down", "listed twice", "equal file", "near-duplicate"}
    for row, before, (reason, _) in zip(got, rows, wanted, strict=True):
        assert (row["status"], row["stage"]) == ((DROPPED, "deduplicate") if reason else (before["status"], ""))
        assert row["takedown"] == (before["takedown"] or reason == "taken down")
        assert {name: row[name] for name in ("uid", "path", "phash")} == {
            name: before[name] for name in ("uid", "path", "phash")
        }
    assert pq.ParquetFile(config.output / DEDUPLICATE / SINGLE_FILE[DEDUPLICATE]).num_row_groups == 4


def test_alike_hashes_by_sorting_are_those_of_comparing_each_with_each():
    random = np.random.default_rng(0)
    hashes = random.integers(2**64, size=2000, dtype=np.uint64)
    flipped = hashes[:1000].copy()
    for bit in random.integers(64, size=(12, 1000)):
        flipped ^= np.where(
            random.random(1000) < np.linspace(0, 0.9, 1000), np.uint64(1) << bit.astype(np.uint64), np.uint64(0)
        )
    hashes = np.concatenate([hashes, flipped, hashes[:50]])
    found, wanted = (way(hashes, 8) for way in (sorted_hashes, compared_hashes))
    assert set(((1 - wanted.cosine) * 32).tolist()) == set(range(9))
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def people(count, length, seed=0):
    """Faces of people, three of each, half of whom have two faces in one photograph."""
    random = np.random.default_rng(seed)
    persons = random.standard_normal((count // 3, length)).repeat(3, axis=0)
    rows = persons + random.uniform(0.4, 0.8, (len(persons), 1)) * random.standard_normal(persons.shape)
    photograph = np.arange(len(rows))
    photograph[1::6] = photograph[0::6]
    return rows.astype(np.float16), photograph


@pytest.mark.parametrize("length", [128, 100])
def test_pairs_by_cells_are_almost_all_and_no_others(length):
    pytest.importorskip("faiss", reason="needs the extra faiss")
    embeddings, photograph = people(6000, length)
    wanted = similar_faces(embeddings, photograph, 0.45)
    found = similar_faces_by_cells(embeddings, photograph, 0.45, threads=2)
    numbers, others = (pairs.a * 6000 + pairs.b for pairs in (wanted, found.pairs))
    assert np.isin(others, numbers).all()
    assert len(others) / len(numbers) >= 0.99 > 0.9
    assert found.recall == pytest.approx(len(others) / len(numbers), abs=0.01)
    assert found.recall >= 0.99
    np.testing.assert_allclose(found.pairs.cosine, wanted.cosine[np.isin(numbers, others)], atol=1e-6)
    assert [column.tolist() for column in similar_faces_by_cells(embeddings, photograph, 0.45, threads=1).pairs] == [
        column.tolist() for column in found.pairs
    ]


def test_all_pairs_are_asked_for_and_found():
    """A recall of 1 widens the search until nothing of the sample is missing."""
    pytest.importorskip("faiss", reason="needs the extra faiss")
    embeddings, photograph = people(600, 64)
    found = similar_faces_by_cells(embeddings, photograph, 0.3, recall=1.0)
    wanted = similar_faces(embeddings, photograph, 0.3)
    assert found.recall == 1
    assert [column.tolist() for column in found.pairs[:2]] == [column.tolist() for column in wanted[:2]]


def write_people(config, count):
    embeddings, photograph = people(count, 64)
    text = dict.fromkeys(("source", "stage", "reason", "detail"), "")
    blank = text | {"partition": 0, "offset": 0, "size": 0, "opt_out": False, "takedown": False, "status": KEPT}
    uids = [f"{number:016x}" for number in photograph]
    images = pa.Table.from_pylist([blank | {"uid": uid} for uid in dict.fromkeys(uids)], IMAGES_SCHEMA)
    write_rows(images, config.output / DEDUPLICATE / SINGLE_FILE[DEDUPLICATE])
    face = {"box": [0.0] * 4, "score": 1.0, "landmarks": [0.0] * 10, "eye_distance": 9.0, "matrix": [0.0] * 6}
    faces = [
        face | {"partition": 0, "uid": uid, "number": number % 6, "embedding": row}
        for number, (uid, row) in enumerate(zip(uids, embeddings, strict=True))
    ]
    write_rows(pa.Table.from_pylist(faces, FACES_SCHEMA), part_path(config.output, FACES, 0))


def test_pairs_of_a_build_are_the_same_by_faiss(tmp_path):
    pytest.importorskip("faiss", reason="needs the extra faiss")
    config = BuildConfig(output=tmp_path / "build", sources=(LocalSource("local", tmp_path),))
    write_people(config, 900)
    mine_pairs(config)
    exact, facts = read_stage(config.output, PAIRS), read_pair_facts(config.output)
    assert exact.num_rows > 300
    assert (facts.faces, facts.recall) == (900, 1)
    mine_pairs(replace(config, pairs=PairSettings(exact_up_to=899, recall_at_least=1.0)))
    found = read_stage(config.output, PAIRS)
    for name in ("face_a", "face_b", "status", "reason"):
        assert found[name].to_pylist() == exact[name].to_pylist()
    np.testing.assert_allclose(found["cosine"], exact["cosine"], atol=1e-6)


def test_too_many_faces_without_faiss(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    config = BuildConfig(
        output=tmp_path / "build", sources=(LocalSource("local", tmp_path),), pairs=PairSettings(exact_up_to=20)
    )
    write_people(config, 30)
    with pytest.raises(ImportError, match=r"pip install 'portraitdata\[faiss\]'"):
        mine_pairs(config)


def test_a_build_without_a_later_setting_goes_on_with_its_default(tmp_path):
    config = BuildConfig(output=tmp_path / "build", sources=(LocalSource("local", tmp_path),))
    write_config(config)
    path = config.output / "config.yaml"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if "exact_up_to" not in line))
    assert changes(config) == ([], None)
    other = replace(config, pairs=PairSettings(exact_up_to=7))
    assert changes(other) == (["pairs.exact_up_to was 100000 and is 7"], "pairs")
