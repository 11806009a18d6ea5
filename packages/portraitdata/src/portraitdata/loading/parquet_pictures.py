"""Pictures in parquet files, read where they lie: a column of bytes and path, as Hugging Face's `datasets` writes them.

Parquet is read by row groups: for one picture its whole group is. The last group is kept, so that reading in order is
fast; reading at random is fast where the groups are small.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from portraitdata.loading.changed_files import ChangedFileError
from portraitdata.storage.parquet_tables import opened, read_schema
from portraitdata.storage.places import Place

PARQUET = ".parquet"
"""Suffix of such files."""

GROUP_BYTES = 1 << 20
"""Bytes that are fetched from a store at least, when some of a file are wanted."""


def is_picture_column(field: pa.Field) -> bool:
    """Tell whether a column holds pictures: structs with the bytes of an image file.

    Example:
        >>> is_picture_column(pa.field("image", pa.struct({"bytes": pa.binary(), "path": pa.string()})))
        True
    """
    if not pa.types.is_struct(field.type) or field.type.get_field_index("bytes") < 0:
        return False
    kind = field.type.field("bytes").type
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def picture_column(place: Place) -> str:
    """Name of the column of a parquet file that holds the pictures: the only one, or the one called image.

    Raises:
        ValueError: If it is no parquet file, or there is none or a choice.
    """
    try:
        schema = read_schema(place)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{place} is not a parquet file ({error}).") from error
    found = [field.name for field in schema if is_picture_column(field)]
    if len(found) == 1 or "image" in found:
        return "image" if "image" in found else found[0]
    raise ValueError(
        f"{place} should have one column of pictures (bytes and path), or one called image among them; of its columns "
        f"{', '.join(schema.names)} {len(found)} hold pictures."
    )


def is_picture_file(place: Place) -> bool:
    """Tell whether a parquet file holds pictures; an index of pictures does not."""
    try:
        return any(is_picture_column(field) for field in read_schema(place))
    except pa.ArrowInvalid:
        return False


def read_picture(place: Place, row: int) -> bytes:
    """The image file in a row of a parquet file; nothing where the row has none.

    Raises:
        ChangedFileError: If there is no such row, or the file is no longer one of pictures.
        OSError: If it cannot be reached.
    """
    written = place.stat().st_mtime_ns
    starts = _starts(place, written)
    if not 0 <= row < starts[-1]:
        raise ChangedFileError(f"{place} has {starts[-1]} rows, no row {row}; it has changed since it was indexed.")
    group = int(np.searchsorted(starts, row, side="right")) - 1
    try:
        fields = _group(place, written, group)[row - starts[group]].as_py() or {}
        return fields.get("bytes") or b""
    except (ValueError, TypeError, KeyError) as error:
        raise ChangedFileError(f"Row {row} of {place} cannot be read: {error}") from error


def pictures_of(place: Place) -> Iterator[tuple[bytes, str | None]]:
    """Image file and path of every row, in order; no bytes and None for what a row does not have.

    Raises:
        ValueError: If it is no parquet file with one column of pictures.
    """
    picture_column(place)
    written = place.stat().st_mtime_ns
    for group in range(len(_starts(place, written)) - 1):
        for value in _group(place, written, group):
            fields = value.as_py() or {}
            yield fields.get("bytes") or b"", fields.get("path")


@lru_cache(maxsize=256)
def _starts(place: Place, written: int) -> tuple[int, ...]:
    """First row of every group, then the number of rows; `written` tells a changed file from the one before."""
    try:
        with opened(place, GROUP_BYTES) as file:
            stored = pq.read_metadata(file)
    except pa.ArrowInvalid as error:
        raise ChangedFileError(f"{place} is not a parquet file ({error}).") from error
    return tuple(accumulate((stored.row_group(group).num_rows for group in range(stored.num_row_groups)), initial=0))


@lru_cache(maxsize=1)
def _group(place: Place, written: int, group: int) -> pa.ChunkedArray:
    # Without threads: those of a pool do not live on in a loader's forked workers.
    column = picture_column(place)
    try:
        with opened(place, GROUP_BYTES) as stored, pq.ParquetFile(stored) as file:
            return file.read_row_group(group, columns=[column], use_threads=False)[column]
    except OSError as error:
        if isinstance(place, Path) and error.errno is None:  # pyarrow's own; the system's have a number
            raise ChangedFileError(f"{place} is damaged: {error}") from error
        raise
