"""Plan of a build: candidates and their partitions, decided once and written down."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from portraitdata.builder.config import BuildConfig, LocalSource, MetadataSource
from portraitdata.builder.layout import PLAN_FILE, write_rows
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


def plan(config: BuildConfig) -> pa.Table:
    """Partitions of a build, written down at the first call and read back at every further one.

    Raises:
        FileNotFoundError: If a source is not there.
        ValueError: If a source holds nothing or is none.
    """
    path = config.output / PLAN_FILE
    if not path.is_file():
        parts = [part for source in config.sources for part in _partitions(source, config.partition)]
        rows = [{"partition": number, **part} for number, part in enumerate(parts)]
        write_rows(pa.Table.from_pylist(rows, schema=PLAN_SCHEMA), path)
    return read_table(path)


def root_of(source: MetadataSource | LocalSource) -> Place:
    """Folder that the files of a source are relative to."""
    place = source.pictures if isinstance(source, LocalSource) else source.metadata
    return place if place.is_dir() else place.parent


def _partitions(source: MetadataSource | LocalSource, size: int) -> Iterator[dict[str, Any]]:
    if isinstance(source, MetadataSource):
        yield from _table_ranges(source, size)
        return
    files = pictures_in(source.pictures)
    for start in range(0, len(files), size):
        some = files[start : start + size]
        columns = {name: [getattr(file, name) for file in some] for name in ("path", "archive", "offset", "size")}
        yield {"source": source.name, "table": None, "start": None, "count": len(some), **columns}


def _table_ranges(source: MetadataSource, size: int) -> Iterator[dict[str, Any]]:
    if not source.metadata.exists():
        raise FileNotFoundError(f"There is no table of metadata {source.metadata}.")
    root = root_of(source)
    tables = _tables(source.metadata) if source.metadata.is_dir() else [source.metadata.name]
    if not tables:
        raise ValueError(f"There is no *.parquet in {source.metadata}.")
    for table in tables:
        try:
            total = row_count(root / table)
        except pa.ArrowInvalid as error:
            raise ValueError(f"{root / table} is not a parquet file, a table of metadata was wanted.") from error
        for start in range(0, total, size):
            place = {"table": table, "start": start, "count": min(size, total - start)}
            yield {"source": source.name, **place, "path": None, "archive": None, "offset": None, "size": None}


def _tables(folder: Place) -> list[str]:
    """Parquet files in a folder, at any depth."""
    if isinstance(folder, ObjectPath):
        found = [path.relative_to(folder) for path in folder.sizes() if path.suffix == ".parquet"]
    else:
        found = [PurePosixPath(path.relative_to(folder).as_posix()) for path in folder.rglob("*.parquet")]
    return [path.as_posix() for path in sorted(found)]
