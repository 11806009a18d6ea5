"""Fifth stage: of equal files and of images that look alike, one is kept.

Rows are read partition by partition, several times. What is held of each kept one is a number or two, and of keys a
shard at a time; the rest stays in the files.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int, Integer
from numpy.typing import NDArray

from portraitdata.builder.config import BuildConfig, StageName
from portraitdata.builder.layout import (
    DEDUPLICATE,
    DROPPED,
    FACES_IMAGES,
    IMAGES_SCHEMA,
    KEPT,
    SINGLE_FILE,
    stage_parts,
    writing_rows,
)
from portraitdata.builder.marking import NAMED_BY, TAKEN_DOWN, Takedown
from portraitdata.builder.stages.near_duplicates import HashedImages, near_duplicates
from portraitdata.builder.stages.repeated_keys import Keys, repeated_keys

STAGE: StageName = "deduplicate"

LISTED_TWICE, EQUAL_FILE, NEAR_DUPLICATE = "listed twice", "equal file", "near-duplicate"

REASONS = TAKEN_DOWN, LISTED_TWICE, EQUAL_FILE, NEAR_DUPLICATE

ROW_GROUP = 65_536
"""Rows of the table that are held and written at once."""


class Dropped(NamedTuple):
    """Rows that the stage drops, in their order."""

    rows: Int[np.ndarray, " n"]
    others: Int[np.ndarray, " n"]
    """Row of the image that is kept instead; the row itself where there is none."""
    reasons: Int[np.ndarray, " n"]
    """Numbers of `REASONS`."""
    bits: Integer[np.ndarray, " n"]
    """Of perceptual hashes, that differ."""


def deduplicate(config: BuildConfig) -> None:
    """Mark duplicates among all images, and write the table of all of them.

    Of equal files the first is kept, of images that look alike the one with the most pixels, then the first.
    """
    kept, taken_down = _kept_rows(config)
    dropped = [_dropped(taken_down, taken_down, TAKEN_DOWN)]
    for column, reason in (("uid", LISTED_TWICE), ("sha256", EQUAL_FILE)):
        found = repeated_keys(partial(_keys, config, column, kept), int(kept.sum()))
        kept[found.rows] = False
        dropped.append(_dropped(found.rows, found.firsts, reason))
    alike = near_duplicates(config.output, _hashed(config, kept), config.duplicates)
    dropped.append(_dropped(alike.rows, alike.betters, NEAR_DUPLICATE)._replace(bits=alike.bits))
    columns = [np.concatenate(column) for column in zip(*dropped, strict=True)]
    order = np.argsort(columns[0])
    _write(config, Dropped(*(column[order] for column in columns)))


def _dropped(rows: NDArray[np.int64], others: NDArray[np.int64], reason: str) -> Dropped:
    return Dropped(rows, others, np.full(len(rows), REASONS.index(reason)), np.zeros(len(rows), np.int64))


def _parts(config: BuildConfig, columns: Sequence[str] | None = None) -> Iterator[tuple[int, pa.Table]]:
    """Rows of all images, and the number of the first of them, partition after partition."""
    first = 0
    for part in stage_parts(config.output, FACES_IMAGES, columns):
        yield first, part
        first += part.num_rows


def _kept_rows(config: BuildConfig) -> tuple[Bool[np.ndarray, " n"], Int[np.ndarray, " m"]]:
    """Which rows nothing has dropped yet, and those that would be kept, but have to go."""
    takedown = Takedown(config)
    kept, gone = [np.zeros(0, np.bool_)], [np.zeros(0, np.int64)]
    for first, part in _parts(config, [*NAMED_BY, "takedown", "status"]):
        through = np.asarray(pc.equal(part["status"], KEPT))
        doomed = takedown.listed(part)
        kept.append(through & ~doomed)
        gone.append(first + np.flatnonzero(through & doomed))
    return np.concatenate(kept), np.concatenate(gone)


def _keys(config: BuildConfig, column: str, kept: NDArray[np.bool_]) -> Iterator[Keys]:
    for first, part in _parts(config, [column]):
        rows = np.flatnonzero(kept[first : first + part.num_rows])
        yield Keys(first + rows, part[column].take(pa.array(rows)))


def _hashed(config: BuildConfig, kept: NDArray[np.bool_]) -> HashedImages:
    numbers = "partition", "phash", "width", "height"
    parts, rows = [], [np.zeros(0, np.int64)]
    for first, part in _parts(config, ["uid", *numbers]):
        here = np.flatnonzero(kept[first : first + part.num_rows])
        rows.append(first + here)
        parts.append(part.take(pa.array(here)))
    table = pa.concat_tables(parts) if parts else IMAGES_SCHEMA.empty_table()
    partitions, hashes, width, height = (table[name].to_numpy() for name in numbers)
    pixels = width.astype(np.int64) * height
    return HashedImages(np.concatenate(rows), partitions, table["uid"].combine_chunks(), hashes, pixels)


def _write(config: BuildConfig, dropped: Dropped) -> None:
    others = np.unique(dropped.others)
    names = _places(config, others)
    held: list[pa.Table] = []
    with writing_rows(config.output / DEDUPLICATE / SINGLE_FILE[DEDUPLICATE], IMAGES_SCHEMA) as writer:
        for first, part in _parts(config):
            here = slice(*np.searchsorted(dropped.rows, [first, first + part.num_rows]))
            some = Dropped(*(column[here] for column in dropped))
            held.append(_marked(part, first, some, names.take(pa.array(np.searchsorted(others, some.others)))))
            if sum(map(len, held)) >= ROW_GROUP:
                writer.write_table(pa.concat_tables(held).combine_chunks())
                held.clear()
        if held:
            writer.write_table(pa.concat_tables(held).combine_chunks())


def _places(config: BuildConfig, rows: NDArray[np.int64]) -> pa.ChunkedArray:
    """Names of images in sentences, by rows in their order."""
    found = [pa.array([], pa.string())]
    for first, part in _parts(config, ["url", "path"]):
        here = rows[slice(*np.searchsorted(rows, [first, first + part.num_rows]))] - first
        found += _place(part.take(pa.array(here))).chunks
    return pa.chunked_array(found)


def _place(part: pa.Table) -> pa.ChunkedArray:
    """Name of each image: its URL, or else its path."""
    return pc.if_else(pc.fill_null(pc.not_equal(part["url"], ""), False), part["url"], part["path"])


def _marked(part: pa.Table, first: int, dropped: Dropped, others: pa.ChunkedArray) -> pa.Table:
    if not len(dropped.rows):
        return part
    rows = dropped.rows - first
    mask = np.zeros(part.num_rows, np.bool_)
    mask[rows] = True
    reasons = [REASONS[number] for number in dropped.reasons.tolist()]
    places = _place(part.take(pa.array(rows))).to_pylist()
    details = list(map(_sentence, reasons, places, others.to_pylist(), dropped.bits.tolist()))
    for name, values in (
        ("status", [DROPPED] * len(rows)),
        ("stage", [STAGE] * len(rows)),
        ("reason", reasons),
        ("detail", details),
    ):
        number = part.schema.get_field_index(name)
        changed = pc.replace_with_mask(part[name].combine_chunks(), pa.array(mask), pa.array(values, pa.string()))
        part = part.set_column(number, part.schema.field(name), changed)
    taken_down = np.asarray(part["takedown"])
    taken_down = taken_down | np.isin(np.arange(part.num_rows), rows[dropped.reasons == REASONS.index(TAKEN_DOWN)])
    number = part.schema.get_field_index("takedown")
    return part.set_column(number, part.schema.field("takedown"), pa.array(taken_down))


def _sentence(reason: str, image: str, other: str, bits: int) -> str:
    if reason == TAKEN_DOWN:
        return ""
    if reason == NEAR_DUPLICATE:
        return f"{image} looks like {other}: {bits} of 64 bits differ."
    return f"{image} is the same as {other}."
