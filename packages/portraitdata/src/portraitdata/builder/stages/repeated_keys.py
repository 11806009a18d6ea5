"""Rows whose key an earlier row has, found shard by shard of the keys."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int

SHARD = 8_000_000
"""Keys that are held at once."""

SPREAD = np.uint32(2_654_435_761)
"""Factor of Knuth's multiplicative hash; without it the digits of keys fill some shards more than others."""


class Keys(NamedTuple):
    """Keys of some rows, all of one length."""

    rows: Int[np.ndarray, " n"]
    keys: pa.ChunkedArray
    """Strings."""


class Repeated(NamedTuple):
    """Rows that repeat an earlier one, in their order."""

    rows: Int[np.ndarray, " n"]
    firsts: Int[np.ndarray, " n"]
    """First row with the same key."""


def repeated_keys(batches: Callable[[], Iterator[Keys]], count: int) -> Repeated:
    """Find the rows whose key an earlier row has.

    Args:
        batches: Reads all keys, in the order of the rows; once for each shard.
        count: Number of keys.

    Example:
        >>> found = repeated_keys(lambda: iter([Keys(np.array([3, 5, 8]), pa.chunked_array([["b", "a", "b"]]))]), 3)
        >>> found.rows.tolist(), found.firsts.tolist()
        ([8], [3])
    """
    shards = max(1, -(-count // SHARD))
    found = [_repeated_in(batches(), shard, shards) for shard in range(shards)]
    rows, firsts = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.argsort(rows)
    return Repeated(rows[order], firsts[order])


def _repeated_in(batches: Iterator[Keys], shard: int, shards: int) -> Repeated:
    held = [np.zeros(0, np.int64)], [np.zeros(0, "S1")]
    for rows, keys in batches:
        fixed = _fixed(keys)
        here = _shard_of(fixed, shards) == shard if shards > 1 else np.ones(len(rows), np.bool_)
        held[0].append(rows[here])
        held[1].append(fixed[here])
    rows, keys = (np.concatenate(column) for column in held)
    # Stable, so that of equal keys the first row comes first.
    order = np.argsort(keys, kind="stable")
    rows, keys = rows[order], keys[order]
    new = np.ones(len(keys), np.bool_)
    new[1:] = keys[1:] != keys[:-1]
    firsts = rows[np.flatnonzero(new)][np.cumsum(new) - 1] if len(rows) else rows
    return Repeated(rows[~new], firsts[~new])


def _fixed(keys: pa.ChunkedArray) -> np.ndarray:
    """Strings as bytes side by side, without an object for each."""
    if not len(keys):
        return np.zeros(0, "S1")
    length = max(4, pc.max(pc.binary_length(keys)).as_py())
    padded = pc.ascii_rpad(keys, length).combine_chunks().cast(pa.binary(length))
    return np.frombuffer(padded.buffers()[1], f"S{length}", len(padded), padded.offset * length)


def _shard_of(keys: np.ndarray, shards: int) -> np.ndarray:
    heads = keys.view(np.uint8).reshape(len(keys), -1)[:, :4].copy().view(np.uint32).ravel()
    return (heads * SPREAD >> np.uint32(16)) % np.uint32(shards)
