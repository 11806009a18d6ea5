"""Images that are listed to be taken down after the stage that would have dropped them."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from portraitdata.builder.config import BuildConfig, LocalSource, ShardSettings
from portraitdata.builder.layout import DEDUPLICATE, KEPT, PAIRS, SHARDS, SPLIT, read_stage
from portraitdata.builder.stages.mine_pairs import kept_faces, mine_pairs
from portraitdata.builder.stages.split_people import split_images
from portraitdata.builder.stages.write_shards import write_shards
from portraitdata.exemplars.sources.tars import tar_members
from portraitdata.restoration.index.portrait_index import PortraitIndex
from tests.support.synthetic_build import write_synthetic_build


@pytest.fixture
def config(tmp_path: Path) -> BuildConfig:
    """A build whose shards an interrupted run has left without their index."""
    folder = write_synthetic_build(tmp_path / "build")
    for path in (folder / SHARDS).glob("*.parquet"):
        path.unlink()
    return BuildConfig(output=folder, sources=(LocalSource("local", tmp_path),), shards=ShardSettings(images=5))


def list_one(config: BuildConfig, column: str) -> str:
    """List an image that is in a pair; its uid."""
    rows = {row["uid"]: row for row in read_stage(config.output, DEDUPLICATE).to_pylist()}
    (pair, *_) = (row for row in read_stage(config.output, PAIRS).to_pylist() if row["status"] == KEPT)
    uid = pair["face_b"].rpartition(":")[0]
    (config.output / "takedown.txt").write_text(f"{rows[uid][column]}\n")
    return uid


def owners(pairs: pa.Table) -> set[str]:
    return {name.rpartition(":")[0] for side in ("face_a", "face_b") for name in pairs[side].to_pylist()}


@pytest.mark.parametrize("column", ["uid", "url", "sha256"])
def test_before_the_shards_they_are_in_no_archive_and_no_table(config, column):
    before = {path.name: path.read_bytes() for path in (config.output / SHARDS).glob("*.tar")}
    write_shards(config)
    assert {path.name: path.read_bytes() for path in (config.output / SHARDS).glob("*.tar")} == before
    assert len(PortraitIndex.read(config.output / SHARDS)) == 15
    uid = list_one(config, column)
    write_shards(config)
    index = PortraitIndex.read(config.output / SHARDS)
    assert len(index) == 14
    assert uid not in index.images["uid"].to_pylist() + index.faces["uid"].to_pylist()
    assert uid not in owners(index.pairs)
    packed = [member.path for path in (config.output / SHARDS).glob("*.tar") for member in tar_members(path)]
    assert sorted(packed) == sorted(index.images["path"].to_pylist())
    assert all(index.read_bytes(number) for number in range(14))


def test_an_archive_that_is_no_longer_needed_goes(config):
    config = replace(config, shards=ShardSettings(images=14))
    write_shards(config)
    assert {path.name for path in (config.output / SHARDS).glob("*.tar")} == {"images-00000.tar", "images-00001.tar"}
    list_one(config, "uid")
    write_shards(config)
    assert [path.name for path in (config.output / SHARDS).glob("*.tar")] == ["images-00000.tar"]


def test_before_the_pairs_and_before_the_split(config):
    uid = list_one(config, "url")
    assert uid in owners(read_stage(config.output, PAIRS))
    split_images(config)
    assert uid not in read_stage(config.output, SPLIT)["uid"].to_pylist()
    mine_pairs(config)
    assert uid not in owners(read_stage(config.output, PAIRS))
    assert uid not in kept_faces(config, ["uid"])["uid"].to_pylist()
