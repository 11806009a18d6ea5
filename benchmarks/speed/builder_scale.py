"""The dataset builder on many rows and faces: CPU seconds and memory of the stages that grow, beside the naive ways.

Each row is measured in a process of its own on one thread, whose largest memory is noted, what it begins with included.
What the naive way takes for all is computed from a part of its work, which is measured.
"""

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from benchmarks.reporting.facts import SEED
from benchmarks.reporting.table import Cell, LeftOutError, Suite, Table
from benchmarks.speed.timing import peak_bytes
from portraitdata.builder.config import BuildConfig, MetadataSource
from portraitdata.builder.partition_work import work
from portraitdata.builder.plan import plan
from portraitdata.builder.stages.alike_hashes import compared_hashes, sorted_hashes
from portraitdata.loading.workers import begin_worker, one_thread_to_inherit
from portraitdata.restoration.index.face_cells import similar_faces_by_cells
from portraitdata.restoration.index.similar_faces import SPLIT_THRESHOLD

COUNTS: dict[Suite, tuple[int, ...]] = {"quick": (100_000,), "full": (100_000, 1_000_000)}
"""Faces, and perceptual hashes."""

ROWS: dict[Suite, tuple[int, ...]] = {"quick": (200_000,), "full": (200_000, 2_000_000)}
"""Of metadata."""

LENGTH, OF_ONE_PERSON, NOISE = 512, 4, 0.7
"""Numbers of an embedding, faces of a person on average, and how much they differ: a cosine of about two thirds."""

PART = 2000
"""Faces, at the end of all, that the naive way compares with all."""

HASHES = 20_000
"""Hashes, originals and copies, that the naive way compares each with each."""

PARTITIONS = 5
"""Partitions that the naive way reads."""

BITS = 8
"""Of perceptual hashes, that differ at most."""


def measure(suite: Suite) -> list[Table]:
    """Rows of metadata, perceptual hashes and faces."""
    try:
        import faiss  # noqa: F401
    except ImportError as error:
        raise LeftOutError("needs faiss: pip install 'portraitdata[faiss]'") from error
    rows = [apart(index_rows, count) for count in ROWS[suite]]
    hashes = [apart(near_duplicates, count) for count in COUNTS[suite]]
    faces = [apart(pairs_of_faces, count) for count in COUNTS[suite]]
    return [
        _table(
            "builder_rows",
            "Index stage, metadata of pyarrow's row groups of a million rows",
            ("rows", "CPU s", "each its group, CPU s", "times faster", "GiB"),
            rows,
            f"The naive way reads the row groups of each partition anew; measured on {PARTITIONS} partitions.",
        ),
        _table(
            "builder_hashes",
            f"Perceptual hashes that differ in at most {BITS} bits",
            ("hashes", "CPU s", "each with each, CPU s", "times faster", "pairs", "recall (%)", "GiB"),
            hashes,
            f"Random hashes, a tenth of them near copies. The naive way and the recall are measured on {HASHES}.",
        ),
        _table(
            "builder_faces",
            f"Pairs of faces of {LENGTH} numbers above {SPLIT_THRESHOLD}",
            ("faces", "CPU s", "each with each, CPU s", "times faster", "pairs", "recall (%)", "GiB"),
            faces,
            f"Random people, in all directions alike, {OF_ONE_PERSON} faces each. The naive way and the recall are "
            f"measured on {PART} faces with all.",
        ),
    ]


def _table(name: str, title: str, columns: tuple[str, ...], rows: list[tuple[Cell, ...]], note: str) -> Table:
    return Table(name, title, columns, tuple(rows), columns[1:3], "CPU seconds", note)


def apart(run: Callable[[int], tuple[Cell, ...]], count: int) -> tuple[Cell, ...]:
    """A row, measured in a process of its own, and its largest memory in GiB."""
    with one_thread_to_inherit(), ProcessPoolExecutor(1, get_context("spawn"), begin_worker) as pool:
        return (count, *pool.submit(run, count).result())


def _peak() -> float:
    return peak_bytes() / 2**30


def index_rows(count: int) -> tuple[Cell, ...]:
    """CPU seconds of the first stage, beside those of reading the whole groups for each partition."""
    with TemporaryDirectory() as folder:
        table, output = Path(folder) / "metadata.parquet", Path(folder) / "build"
        write_metadata(table, count)
        config = BuildConfig(output=output, sources=(MetadataSource("metadata", table, "pd12m"),))
        start = time.process_time()
        partitions = plan(config, ["partition"]).num_rows
        for partition in range(partitions):
            work("index", config, partition)
        taken, peak = time.process_time() - start, _peak()
        reading = _seconds(lambda: [_whole_group(table) for _ in range(PARTITIONS)]) / PARTITIONS
    naive = taken + partitions * reading
    return taken, naive, naive / taken, peak


def write_metadata(path: Path, count: int) -> None:
    """Write rows with the columns of PD12M."""
    random = np.random.default_rng(SEED)
    number = pa.array(np.arange(count)).cast(pa.string())
    columns = {
        "url": pc.binary_join_element_wise("https://images.example.org/", number, ".jpg", ""),
        "width": random.integers(500, 6000, count),
        "height": random.integers(500, 6000, count),
        "caption": pc.binary_join_element_wise("A portrait of a person in a garden with flowers", number, " "),
        "license": pa.array(["CC0"] * count),
        "source": pa.array(["archive"] * count),
    }
    pq.write_table(pa.table(columns), path)


def _whole_group(path: Path) -> pa.Table:
    with pq.ParquetFile(path) as file:
        return file.read_row_group(0)


def near_duplicates(count: int) -> tuple[Cell, ...]:
    """CPU seconds of finding alike hashes by sorting and by comparing, and the share found of a part."""
    random = np.random.default_rng(SEED)
    hashes = random.integers(2**64, size=count, dtype=np.uint64)
    copies = hashes[: count // 10]
    for bit in random.integers(64, size=(BITS, len(copies))):
        copies = copies ^ np.uint64(1) << bit.astype(np.uint64)
    hashes[-len(copies) :] = copies
    start = time.process_time()
    found = sorted_hashes(hashes, BITS)
    taken, peak = time.process_time() - start, _peak()
    half = HASHES // 2
    rows = np.concatenate([np.arange(half), count - len(copies) + np.arange(half)])
    start = time.process_time()
    wanted = compared_hashes(hashes[rows], BITS)
    naive = (time.process_time() - start) * (count / HASHES) ** 2
    share = np.isin(rows[wanted.a] * count + rows[wanted.b], found.a * count + found.b).mean()
    return taken, naive, naive / taken, len(found.a), 100 * float(share), peak


def pairs_of_faces(count: int) -> tuple[Cell, ...]:
    """CPU seconds of finding pairs by cells and by comparing, and the share found of a part."""
    embeddings, photograph = people(count), np.arange(count)
    start = time.process_time()
    found = similar_faces_by_cells(embeddings, photograph, SPLIT_THRESHOLD, threads=1).pairs
    taken, peak = time.process_time() - start, _peak()
    rows = np.arange(count - PART, count)
    start = time.process_time()
    pairs = [_with_all(embeddings, block, rows) for block in np.array_split(np.arange(count), max(1, count // 50_000))]
    naive = (time.process_time() - start) * count / 2 / PART
    wanted = np.concatenate(pairs)
    share = np.isin(wanted, found.a * count + found.b).mean()
    return taken, naive, naive / taken, len(found.a), 100 * float(share), peak


def people(count: int) -> NDArray[np.float16]:
    """Embeddings of random people."""
    random = np.random.default_rng(SEED)
    persons = random.standard_normal((count // OF_ONE_PERSON, LENGTH), np.float32)
    who, faces = random.integers(len(persons), size=count), np.empty((count, LENGTH), np.float16)
    for some in np.array_split(np.arange(count), max(1, count // 50_000)):
        rows = persons[who[some]] + NOISE * random.standard_normal((len(some), LENGTH), np.float32)
        faces[some] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return faces


def _with_all(embeddings: NDArray[np.float16], block: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of the pairs of a block and some rows."""
    one, other = (torch.from_numpy(embeddings[some]).float() for some in (block, rows))
    unit = (some / some.norm(dim=1, keepdim=True) for some in (one, other))
    a, b = ((next(unit) @ next(unit).mT) > SPLIT_THRESHOLD).nonzero(as_tuple=True)
    a, b = block[a.numpy()], rows[b.numpy()]
    return (np.minimum(a, b) * len(embeddings) + np.maximum(a, b))[a != b]


def _seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start
