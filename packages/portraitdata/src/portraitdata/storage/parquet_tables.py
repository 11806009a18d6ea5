"""Parquet files, read from wherever they lie."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from portraitdata.storage.places import Place


def opened(place: Place, buffering: int = -1) -> pa.NativeFile:
    """A file as pyarrow reads it; leave it as a context to close it.

    Args:
        buffering: Bytes that are fetched from a store at least when some are wanted; -1 for many.

    Raises:
        FileNotFoundError: If it is not there.
    """
    return pa.OSFile(str(place)) if isinstance(place, Path) else pa.PythonFile(place.open("rb", buffering), mode="r")


def read_table(place: Place, columns: Sequence[str] | None = None) -> pa.Table:
    """A parquet file, or some of its columns; pyarrow.ArrowInvalid if it is none."""
    with opened(place) as file:
        return pq.read_table(file, columns=None if columns is None else list(columns))


def read_schema(place: Place) -> pa.Schema:
    """Columns of a parquet file and what it says of itself; pyarrow.ArrowInvalid if it is none."""
    with opened(place, 1 << 16) as file:
        return pq.read_schema(file)


def row_count(place: Place) -> int:
    """Rows of a parquet file; pyarrow.ArrowInvalid if it is none."""
    with opened(place, 1 << 16) as file:
        return pq.read_metadata(file).num_rows
