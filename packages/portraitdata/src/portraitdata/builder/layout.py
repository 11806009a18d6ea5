"""Folders and tables of a build, how they are read and written, and the funnel that they make up.

A build is a folder. Its first stages work on partitions of the candidates and write one file for each; a file that is
there is whole and done. Rows are never removed, only marked, so that every dropped image keeps its reason. The later
stages look at everything at once and write single files; ``shards`` is a portrait index.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, get_args

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from faceops.json_text import parse_json
from portraitdata.builder.config import StageName
from portraitdata.builder.part_names import numbered
from portraitdata.restoration.index.schemas import FACES as INDEX_FACES
from portraitdata.restoration.index.schemas import PAIRS as INDEX_PAIRS
from portraitdata.storage.parquet_tables import opened, read_schema
from portraitdata.storage.places import Place
from portraitdata.storage.writing import make_folder, writing

STAGES: tuple[StageName, ...] = get_args(StageName)
"""In their order."""

CONFIG_FILE = "config.yaml"
"""File of the build's configuration."""

PLAN_FILE = "00_plan/partitions.parquet"
"""File of the candidates and their partitions."""

TAKEDOWN_FILE = "takedown.txt"
"""One uid, SHA-256, URL or path a line; every stage that runs drops what it names."""

INDEX, DOWNLOAD, QUALITY, FACES_IMAGES, FACES = "10_index", "20_download", "30_quality", "40_faces", "41_faces"
"""Folders of part-00000.parquet and so on; the last has a row for each face, the others one for each image.

Names: `portraitdata.builder.part_names`.
"""

DEDUPLICATE, PAIRS, SPLIT = "50_deduplicate", "60_pairs", "70_split"
SHARDS = "shards"
"""Tar files of the original images and the portrait index of them."""

FOLDER_OF: dict[StageName, str] = {
    "index": INDEX,
    "download": DOWNLOAD,
    "quality": QUALITY,
    "faces": FACES_IMAGES,
    "deduplicate": DEDUPLICATE,
    "pairs": PAIRS,
    "split": SPLIT,
    "shards": SHARDS,
}
"""Folder that a stage writes last."""

KEPT, DROPPED = "kept", "dropped"
"""Values of the column `status`."""

IMAGES_SCHEMA = pa.schema(
    [
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("uid", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("path", pa.string()),
        pa.field("archive", pa.string()),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("licence", pa.string()),
        pa.field("attribution", pa.string()),
        pa.field("prompt", pa.string()),
        pa.field("unsafe", pa.float32()),
        pa.field("opt_out", pa.bool_(), nullable=False),
        pa.field("takedown", pa.bool_(), nullable=False),
        pa.field("listed_width", pa.int32()),
        pa.field("listed_height", pa.int32()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("sha256", pa.string()),
        pa.field("phash", pa.uint64()),
        pa.field("sharpness", pa.float32()),
        pa.field("quality", pa.float32()),
        pa.field("aesthetic", pa.float32()),
        pa.field("faces", pa.int32()),
        pa.field("small_faces", pa.int32()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
    ]
)
"""One row for each candidate; what is not known yet is null.

`uid` is a hash of source and URL or path, unique within a partition and among the kept rows after `deduplicate`.
`path`, `archive`, `offset` and `size` say where the bytes lie: relative to the folder of the source, for an image with
a `url` relative to the build. `width` and `height` are as shown, first by the header, then by the decoded image;
`listed_*` are what metadata said. `stage` is the stage that dropped the row (empty: none did), `reason` why, in the
same words for all rows alike, and `detail` the sentence about this one.
"""

FACES_SCHEMA = pa.schema(
    [pa.field("partition", pa.int32(), nullable=False), *INDEX_FACES, pa.field("embedding", pa.list_(pa.float16()))]
)
"""One row for each face of a kept image; see `portraitdata.restoration.index.schemas.FACES`."""

PAIRS_SCHEMA = pa.schema(
    [
        *INDEX_PAIRS,
        pa.field("status", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
    ]
)
"""One row for each two faces, of different images, that are at least as similar as a split may not tear apart."""

SPLITS_SCHEMA = pa.schema(
    [
        pa.field("uid", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("group", pa.string(), nullable=False),
    ]
)
"""One row for each kept image; `group` is the first uid of the images that are connected by similar faces."""

SCHEMA_OF = {
    INDEX: IMAGES_SCHEMA,
    DOWNLOAD: IMAGES_SCHEMA,
    QUALITY: IMAGES_SCHEMA,
    FACES_IMAGES: IMAGES_SCHEMA,
    FACES: FACES_SCHEMA,
    DEDUPLICATE: IMAGES_SCHEMA,
    PAIRS: PAIRS_SCHEMA,
    SPLIT: SPLITS_SCHEMA,
}
SINGLE_FILE = {DEDUPLICATE: "images.parquet", PAIRS: "pairs.parquet", SPLIT: "splits.parquet", SHARDS: "images.parquet"}
"""File that says that a stage which looks at everything is done."""

SPLIT_PAIRS_FILE = "pairs.parquet"
"""Beside splits.parquet: the pairs, those that the one-reference rule of the test split leaves out marked as well."""

PAIR_FACTS = b"portraitdata.pairs"
"""Key of the facts about the search for pairs in the metadata of the pairs.parquet of its stage."""

SPLIT_FACTS = b"portraitdata.split"
"""Key of the facts about the split in the metadata of splits.parquet."""


class FunnelRow(NamedTuple):
    """Numbers of images that a stage kept and dropped."""

    stage: StageName
    reason: str
    """Why they were dropped; empty for those that came through."""
    count: int  # type: ignore[assignment]  # takes the place of the method of tuples


class PairFacts(NamedTuple):
    """Facts about the search for pairs."""

    faces: int
    """That were compared."""
    recall: float
    """Share of the similar faces that were found, by a sample; 1 where each was compared with each."""


class SplitFacts(NamedTuple):
    """Facts of a split as a whole."""

    threshold: float
    """Similarity above which two faces were kept in one split."""
    groups: int
    largest_group: int
    largest_cross_similarity: float | None
    """Of a face for training and one for testing, over all of them; None if one side has no faces."""


def check_build(build: Place) -> None:
    """Refuse a folder that is no build."""
    if not (build / CONFIG_FILE).is_file():
        raise FileNotFoundError(f"There is no build {build}; `portraitdata build --config FILE` makes one.")


def part_path(build: Place, folder: str, partition: int) -> Place:
    """File of a partition.

    Example:
        >>> from pathlib import Path
        >>> part_path(Path("build"), INDEX, 7).as_posix()
        'build/10_index/part-00007.parquet'
    """
    return build / folder / f"part-{numbered(partition)}.parquet"


def part_files(build: Place, folder: str) -> list[Place]:
    """Files of the partitions that are done, in their order."""
    found: list[Place] = [*(build / folder).glob("part-*.parquet")]
    return sorted(found, key=lambda path: path.name)


def write_rows(table: pa.Table, path: Place) -> None:
    """Write a parquet file, whole or not at all; the same rows make the same bytes."""
    with writing_rows(path, table.schema) as writer:
        writer.write_table(table)


@contextmanager
def writing_rows(path: Place, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """Write a parquet file table after table; it is there, whole, when all are written."""
    make_folder(path.parent)
    with (
        writing(path) as file,
        pq.ParquetWriter(file, schema, compression="zstd", compression_level=3, version="2.6") as writer,
    ):
        yield writer


def read_stage(build: Place, folder: str, columns: Sequence[str] | None = None) -> pa.Table:
    """All rows that there are of a stage, in the order of the partitions.

    Args:
        folder: `INDEX` to `SPLIT`.

    Returns:
        The rows; none if the stage has written nothing yet.
    """
    tables = list(stage_parts(build, folder, columns))
    return pa.concat_tables(tables).combine_chunks() if tables else stage_schema(folder, columns).empty_table()


def stage_schema(folder: str, columns: Sequence[str] | None = None) -> pa.Schema:
    """Schema of some columns of a stage, or of all."""
    schema = SCHEMA_OF[folder]
    return schema if columns is None else pa.schema([schema.field(column) for column in columns])


def stage_parts(build: Place, folder: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Rows of a stage, one partition after the other, or one row group of a single file."""
    name, schema = SINGLE_FILE.get(folder), stage_schema(folder, columns)
    for path in [build / folder / name] if name else part_files(build, folder):
        if not name or path.is_file():
            with opened(path) as stored, pq.ParquetFile(stored) as file:
                for group in range(file.num_row_groups):
                    yield file.read_row_group(group, columns=columns).cast(schema)


def read_split_facts(build: Place) -> SplitFacts | None:
    """Facts about the split; None if there is none yet.

    Raises:
        ValueError: If its file holds none.
    """
    path = build / SPLIT / SINGLE_FILE[SPLIT]
    if not path.is_file():
        return None
    stored = (read_schema(path).metadata or {}).get(SPLIT_FACTS, b"")
    try:
        return SplitFacts(**parse_json(stored))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{path} holds no facts about the split ({error}); remove it, and `portraitdata build` makes it again."
        ) from error


def read_pair_facts(build: Place) -> PairFacts | None:
    """Facts about the search for pairs; None if there is none yet, or an earlier version made it."""
    path = build / PAIRS / SINGLE_FILE[PAIRS]
    stored = (read_schema(path).metadata or {}).get(PAIR_FACTS) if path.is_file() else None
    return None if stored is None else PairFacts(**parse_json(stored))


def funnel(build: Place) -> list[FunnelRow]:
    """Count the images that each stage dropped, by reason, and kept.

    Of every stage that has written something there is a row with an empty reason, the images that came through; then,
    the most frequent first, one for each reason. Partitions that a stage has not come to are not counted in it.
    """
    rows: list[FunnelRow] = []
    for stage in ("index", "download", "quality", "faces", "deduplicate"):
        kept, reasons, read = 0, Counter[str](), 0
        for part in stage_parts(build, FOLDER_OF[stage], ["status", "stage", "reason"]):
            read += part.num_rows
            kept += pc.sum(pc.equal(part["status"], KEPT)).as_py() or 0
            for counted in pc.value_counts(part.filter(pc.equal(part["stage"], stage))["reason"]).to_pylist():
                reasons[counted["values"]] += counted["counts"]
        if not read:
            continue
        rows.append(FunnelRow(stage, "", kept))
        ordered = sorted(reasons.items(), key=lambda entry: (-entry[1], entry[0]))
        rows += [FunnelRow(stage, reason, count) for reason, count in ordered]
    return rows
