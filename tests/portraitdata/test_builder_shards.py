"""The last stage of a build."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from faceops.images.files import Picture, save_picture
from portraitdata.builder.candidates import candidates
from portraitdata.builder.config import BuildConfig, LocalSource, SizeRule
from portraitdata.builder.layout import (
    DEDUPLICATE,
    FACES,
    FACES_SCHEMA,
    IMAGES_SCHEMA,
    SINGLE_FILE,
    part_path,
    write_rows,
)
from portraitdata.builder.plan import plan
from portraitdata.builder.stages.index_stage import Index
from portraitdata.builder.stages.mine_pairs import mine_pairs
from portraitdata.builder.stages.quality_stage import Quality
from portraitdata.builder.stages.split_people import split_images
from portraitdata.builder.stages.write_shards import write_shards
from portraitdata.restoration.index.portrait_index import PortraitIndex


def write_source(path, names):
    """A parquet file with a picture for each name; their bytes."""
    files = []
    for number in range(len(names)):
        save_picture(Picture(torch.full((3, 30, 20), number / 10)), path.with_suffix(".png"))
        files.append(path.with_suffix(".png").read_bytes())
    rows = [{"bytes": data, "path": name} for data, name in zip(files, names, strict=True)]
    pq.write_table(pa.table({"image": rows}), path)
    return files


def write_stages(config):
    """What the stages before the last would have left, with a face in every picture, each of somebody else."""
    (part,) = plan(config).to_pylist()
    batch = Quality(config)(Index(config)(candidates(part, config.sources[0])))
    write_rows(pa.Table.from_pydict(batch, IMAGES_SCHEMA), config.output / DEDUPLICATE / SINGLE_FILE[DEDUPLICATE])
    face = {"partition": 0, "number": 0, "score": 1.0, "eye_distance": 9.0}
    face |= {name: [0.0] * count for name, count in (("box", 4), ("landmarks", 10), ("matrix", 6))}
    axes = zip(batch["uid"], np.eye(len(batch["uid"])), strict=True)
    table = pa.Table.from_pylist([face | {"uid": uid, "embedding": axis.tolist()} for uid, axis in axes], FACES_SCHEMA)
    write_rows(table, part_path(config.output, FACES, 0))
    mine_pairs(config)
    split_images(config)


def test_pictures_of_parquet_files_whose_names_have_no_suffix_of_a_picture(tmp_path):
    names = ("img_0001", "a.bin", "b.PNG", None)
    files = write_source(tmp_path / "pictures.parquet", names)
    sources = (LocalSource("local", tmp_path / "pictures.parquet"),)
    config = BuildConfig(output=tmp_path / "build", sources=sources, size=SizeRule(longer_above=10, shorter_from=10))
    write_stages(config)
    write_shards(config)
    index = PortraitIndex.read(config.output / "shards")
    assert {index.read_bytes(number) for number in range(len(index))} == set(files)
    places = (index.photograph(number) for number in range(len(index)))
    assert sorted(place.path[16:] for place in places) == [".jpg", ".jpg", ".png", ".png"]
