"""Work on one partition in one stage; the same bytes whichever engine and process does it."""

import pickle
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from portraitdata.builder.candidates import Batch, candidates
from portraitdata.builder.config import BuildConfig, StageName
from portraitdata.builder.layout import (
    FACES,
    FACES_SCHEMA,
    FOLDER_OF,
    IMAGES_SCHEMA,
    PLAN_FILE,
    STAGES,
    part_path,
    write_rows,
)
from portraitdata.builder.stages.download_stage import Download
from portraitdata.builder.stages.faces_stage import FOUND, FindFaces
from portraitdata.builder.stages.index_stage import Index
from portraitdata.builder.stages.quality_stage import Quality
from portraitdata.builder.table_ranges import read_range
from portraitdata.storage.parquet_tables import read_table


@runtime_checkable
class Stage(Protocol):
    """Loads what it needs when it is made, then maps batches of columns to batches of columns.

    What becomes of a row depends on that row alone, except in a stage that takes a partition at once.
    """

    at_once: int | None
    """Rows of a batch; None for a whole partition."""

    def __call__(self, batch: Batch) -> Batch:
        """Mark rows and fill in columns."""


STAGE_OF: dict[StageName, Callable[[BuildConfig], Stage]] = {
    "index": Index,
    "download": Download,
    "quality": Quality,
    "faces": FindFaces,
}


@lru_cache(maxsize=1)
def _ready(name: StageName, stored: bytes) -> Stage:
    """The stage that this process works at, kept until it comes to another; `stored` is a pickled configuration."""
    return STAGE_OF[name](pickle.loads(stored))


def work(name: StageName, config: BuildConfig, partition: int) -> int:
    """Do a stage for a partition, and write its rows."""
    return do_rows(name, config, partition, _input(name, config, partition))


def do_rows(name: StageName, config: BuildConfig, partition: int, batch: Batch) -> int:
    """Do a stage for all rows of a partition, and write them.

    Args:
        batch: As the stage before left them.
    """
    stage = _ready(name, pickle.dumps(config))
    rows = len(batch["uid"])
    at_once = stage.at_once or max(rows, 1)
    parts = [
        stage({column: values[start : start + at_once] for column, values in batch.items()})
        for start in range(0, rows, at_once)
    ]
    done: Batch = {
        column: [value for part in parts for value in part[column]] for column in (parts[0] if parts else batch)
    }
    if FOUND in done:
        faces = [row for found in done.pop(FOUND) for row in found]
        write_rows(_faces_table(faces), part_path(config.output, FACES, partition))
    write_rows(pa.Table.from_pydict(done, schema=IMAGES_SCHEMA), part_path(config.output, FOLDER_OF[name], partition))
    return partition


def _input(name: StageName, config: BuildConfig, partition: int) -> Batch:
    if name == "index":
        (part,) = read_range(config.output / PLAN_FILE, None, partition, 1).to_pylist()
        return planned_rows(config, part)
    return read_table(part_path(config.output, folder_before(name), partition)).to_pydict()


def planned_rows(config: BuildConfig, part: dict[str, Any]) -> Batch:
    """Candidates of a row of the plan."""
    (source,) = (source for source in config.sources if source.name == part["source"])
    return candidates(part, source)


def folder_before(name: StageName) -> str:
    """Folder that holds what a stage other than the first works on.

    Example:
        >>> folder_before("faces")
        '30_quality'
    """
    return FOLDER_OF[STAGES[STAGES.index(name) - 1]]


def _faces_table(rows: list[dict]) -> pa.Table:
    columns = {name: [row[name] for row in rows] for name in FACES_SCHEMA.names}
    columns["embedding"] = [np.asarray(embedding, np.float16) for embedding in columns["embedding"]]
    return pa.Table.from_pydict(columns, schema=FACES_SCHEMA)
