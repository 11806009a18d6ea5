"""Ranges of rows of a parquet file, read forwards: nothing is decoded again for the next range."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from portraitdata.storage.parquet_tables import opened
from portraitdata.storage.places import Place

BUFFER = 1 << 20
"""Bytes of a column that are read ahead; without such a bound a whole row group is."""


class TableRanges:
    """Reads ranges of rows of one file.

    Pyarrow's default row group has a million rows. A range that begins where the last one ended, or later in the same
    group, only decodes on; an earlier one, or one of a later group, begins with the group that it lies in.

    Args:
        path: Parquet file.
        columns: Columns to read; None for all.
        batch: Rows that are decoded at once.
    """

    def __init__(self, path: Place, columns: Sequence[str] | None, batch: int) -> None:
        self._file = pq.ParquetFile(opened(path), pre_buffer=False, buffer_size=BUFFER)
        self._columns, self._batch = columns, batch
        sizes = [self._file.metadata.row_group(group).num_rows for group in range(self._file.num_row_groups)]
        self._firsts = np.cumsum([0, *sizes])
        self._held: pa.RecordBatch | None = None
        self._begin(0)

    def read(self, start: int, count: int) -> pa.Table:
        """Rows from `start` on, as many as there are up to `count`."""
        group = self._group_of(start)
        if start < self._next or self._firsts[group] > self._next:
            self._begin(group)
        rows: list[pa.RecordBatch] = []
        while count > 0 and (held := self._filled()) is not None:
            skipped = min(start - self._next, len(held))
            taken = held.slice(skipped, count)
            self._held = held.slice(skipped + len(taken))
            self._next += skipped + len(taken)
            if len(taken):
                rows.append(taken)
                start, count = start + len(taken), count - len(taken)
        return pa.Table.from_batches(rows, None if rows else self._schema())

    def _group_of(self, row: int) -> int:
        return max(0, int(np.searchsorted(self._firsts, row, side="right")) - 1)

    def _begin(self, group: int) -> None:
        groups = range(group, self._file.num_row_groups)
        self._next, self._held = int(self._firsts[group]), None
        self._batches: Iterator[pa.RecordBatch] = self._file.iter_batches(self._batch, groups, self._columns)

    def _filled(self) -> pa.RecordBatch | None:
        """Decoded rows that nobody has read yet, of which there is at least one; None at the end."""
        while self._held is None or not len(self._held):
            held = next(self._batches, None)
            if held is None:
                return None
            self._held = held
        return self._held

    def _schema(self) -> pa.Schema:
        schema = self._file.schema_arrow
        return schema if self._columns is None else pa.schema([schema.field(name) for name in self._columns])


def read_range(path: Place, columns: Sequence[str] | None, start: int, count: int) -> pa.Table:
    """Rows of a parquet file; a process that asks for one range after the other reads the file once.

    Args:
        columns: Columns to read; None for all.
        start: First row.
        count: Number of rows; fewer where the file ends before.
    """
    found = path.stat()
    names = None if columns is None else tuple(columns)
    return _opened(path, (found.st_mtime_ns, found.st_ino, found.st_size), names, count).read(start, count)


@lru_cache(maxsize=4)
def _opened(path: Place, state: tuple[int, int, int], columns: tuple[str, ...] | None, batch: int) -> TableRanges:
    """The reader of a file in the `state` that it has now: one that was replaced is opened anew."""
    return TableRanges(path, columns, batch)
