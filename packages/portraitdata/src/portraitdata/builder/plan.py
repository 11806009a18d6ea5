"""Plan of a build: candidates and their partitions, decided once and written down."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from portraitdata.builder.config import BuildConfig, LocalSource, MetadataSource
from portraitdata.builder.layout import PLAN_FILE, writing_rows
from portraitdata.exemplars.index import Photograph
from portraitdata.restoration.index.picture_files import pictures_in
from portraitdata.storage.object_path import ObjectPath
from portraitdata.storage.parquet_tables import read_table, row_count
from portraitdata.storage.places import Place

PLAN_SCHEMA = pa.schema(
    [
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("table", pa.string()),
        pa.field("start", pa.int64()),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("path", pa.list_(pa.string())),
        pa.field("archive", pa.list_(pa.string())),
        pa.field("offset", pa.list_(pa.int64())),
        pa.field("size", pa.list_(pa.int64())),
    ]
)
"""One row for each partition: a range of rows of a metadata table, or files and where they lie.

`table` is relative to the folder of the source's metadata, files to the folder of its pictures.
"""


PLANNED_AT_ONCE = 64
"""Partitions that are held, and written as one row group: they may name a thousand files each."""


def plan(config: BuildConfig, columns: Sequence[str] | None = None) -> pa.Table:
    """Partitions of a build, written down at the first call and read back at every further one.

    Args:
        columns: Columns to read; None for all.

    Raises:
        FileNotFoundError: If a source is not there.
        ValueError: If a source holds nothing or is none.
    """
    path = config.output / PLAN_FILE
    if not path.is_file():
        # Files are listed before the plan is begun, which may lie in a folder of tables.
        parts = chain.from_iterable([_partitions(source, config.partition) for source in config.sources])
        rows = ({"partition": number, **part} for number, part in enumerate(parts))
        with writing_rows(path, PLAN_SCHEMA) as writer:
            while some := list(islice(rows, PLANNED_AT_ONCE)):
                writer.write_table(pa.Table.from_pylist(some, schema=PLAN_SCHEMA))
    return read_table(path, columns)


def root_of(source: MetadataSource | LocalSource) -> Place:
    """Folder that the files of a source are relative to."""
    place = source_place(source)
    return place if place.is_dir() else place.parent


def source_place(source: MetadataSource | LocalSource) -> Place:
    """Folder or file that a source is."""
    return source.pictures if isinstance(source, LocalSource) else source.metadata


def _partitions(source: MetadataSource | LocalSource, size: int) -> Iterator[dict[str, Any]]:
    if isinstance(source, MetadataSource):
        return _table_ranges(source, _tables(source.metadata), size)
    return _file_ranges(source, pictures_in(source.pictures), size)


def _file_ranges(source: LocalSource, files: Sequence[Photograph], size: int) -> Iterator[dict[str, Any]]:
    for start in range(0, len(files), size):
        some = files[start : start + size]
        columns = {name: [getattr(file, name) for file in some] for name in ("path", "archive", "offset", "size")}
        yield {"source": source.name, "table": None, "start": None, "count": len(some), **columns}


def _table_ranges(source: MetadataSource, tables: Sequence[str], size: int) -> Iterator[dict[str, Any]]:
    root = root_of(source)
    for table in tables:
        try:
            total = row_count(root / table)
        except pa.ArrowInvalid as error:
            raise ValueError(f"{root / table} is not a parquet file, a table of metadata was wanted.") from error
        for start in range(0, total, size):
            place = {"table": table, "start": start, "count": min(size, total - start)}
            yield {"source": source.name, **place, "path": None, "archive": None, "offset": None, "size": None}


def _tables(metadata: Place) -> list[str]:
    """Tables of a source: the file, or the parquet files in a folder at any depth."""
    if not metadata.exists():
        raise FileNotFoundError(f"There is no table of metadata {metadata}.")
    if not metadata.is_dir():
        return [metadata.name]
    if isinstance(metadata, ObjectPath):
        found = [path.relative_to(metadata) for path in metadata.sizes() if path.suffix == ".parquet"]
    else:
        found = [PurePosixPath(path.relative_to(metadata).as_posix()) for path in metadata.rglob("*.parquet")]
    if not found:
        raise ValueError(f"There is no *.parquet in {metadata}.")
    return [path.as_posix() for path in sorted(found)]
