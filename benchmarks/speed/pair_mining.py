"""Finding all pairs of similar faces among 30,000: by blocks, beside the whole matrix of similarities at once.

The limit is the multiplication of the embeddings: half of n x n x d multiplications, at the speed of torch's matrix
product on the same machine, measured beside.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.reporting.facts import SEED
from benchmarks.reporting.table import Suite, Table
from portraitdata.restoration.index.similar_faces import BLOCK, PAIR_THRESHOLD, similar_faces

FACES: dict[Suite, int] = {"quick": 10_000, "full": 30_000}
LENGTH = 128
"""Numbers of an embedding, as MobileFaceNet gives them."""

EACH = 3
"""Faces of one person."""


def measure(suite: Suite) -> list[Table]:
    """Seconds and memory of both ways, and of the multiplications alone."""
    count = FACES[suite]
    embeddings, photograph = people(count), np.arange(count)
    found: dict[str, int] = {}
    rows = []
    ways: dict[str, Callable[[NDArray, NDArray], int]] = {"by blocks": by_blocks, "whole matrix": by_whole_matrix}
    for name, way in ways.items():
        start = time.process_time()
        found[name] = way(embeddings, photograph)
        seconds = time.process_time() - start
        rows.append((name, seconds, memory(name, count) / 1e9, count * count / 2 / seconds / 1e9))
    assert len(set(found.values())) == 1, f"the ways find different pairs: {found}"
    columns = "way", "CPU seconds", "similarities held (GB)", "pairs compared (G/s)"
    note = (
        f"{found['by blocks']:,} pairs above {PAIR_THRESHOLD}. The multiplications alone, half of n x n x {LENGTH} at "
        f"the speed of torch's product of {BLOCK} x {LENGTH} blocks here, would take {floor(count):.2f} CPU seconds."
    )
    title = f"Pairs of similar faces among {count:,}, embeddings of {LENGTH} numbers"
    return [Table("pair_mining", title, columns, tuple(rows), columns[1:2], "CPU seconds", note)]


def people(count: int) -> NDArray[np.float32]:
    """Embeddings of people with some faces each, as alike as photographs of one person are."""
    random = np.random.default_rng(SEED)
    persons = random.standard_normal((-(-count // EACH), LENGTH)).repeat(EACH, axis=0)[:count]
    return (persons + 0.55 * random.standard_normal(persons.shape)).astype(np.float32)


def by_blocks(embeddings: NDArray, photograph: NDArray) -> int:
    """What the package does."""
    return len(similar_faces(embeddings, photograph, PAIR_THRESHOLD).a)


def by_whole_matrix(embeddings: NDArray, photograph: NDArray) -> int:
    """The naive way in NumPy."""
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    a, b = np.nonzero(np.triu(unit @ unit.T > PAIR_THRESHOLD, 1))
    return int((photograph[a] != photograph[b]).sum())


def memory(way: str, count: int) -> float:
    """Bytes of the similarities that are held at once."""
    side = BLOCK if way == "by blocks" else count
    return 4.0 * side * side


def floor(count: int) -> float:
    """CPU seconds that the multiplications alone take."""
    block = torch.randn(BLOCK, LENGTH)
    products = max(1, round(count * count / 2 / BLOCK**2))
    start = time.process_time()
    for _ in range(products):
        block @ block.mT
    return time.process_time() - start
