"""Ray Data as the engine: the same partitions and the same files, on one machine or a cluster."""

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from portraitdata.builder.candidates import Batch
from portraitdata.builder.config import BuildConfig, StageName
from portraitdata.builder.layout import IMAGES_SCHEMA, PLAN_FILE, part_path
from portraitdata.builder.partition_work import do_rows, folder_before, planned_rows
from portraitdata.loading.workers import begin_worker
from portraitdata.storage.object_path import ObjectPath
from portraitdata.storage.parquet_tables import row_count
from portraitdata.storage.places import Place

if TYPE_CHECKING:
    from ray.data import Dataset

SHARE = 0.5
"""Of a core that an actor reserves.

Actors that reserve whole cores can take all of them; the tasks that feed them then never start, and the job waits for
ever without a word.
"""

BLOCKS = 4
"""Blocks of the plan for each actor, so that the last ones end at about one time."""


@dataclass(frozen=True)
class Gpus:
    """GPUs that an actor reserves in the stages that have networks; a fraction shares one.

    Raises:
        ValueError: If a number is negative.
    """

    quality: float = 0.0
    faces: float = 0.0

    def __post_init__(self) -> None:
        if min(self.quality, self.faces) < 0:
            raise ValueError(f"An actor reserves no GPU or more, got {self.quality} and {self.faces}.")

    def of(self, stage: StageName) -> float:
        """What an actor of a stage reserves."""
        return {"quality": self.quality, "faces": self.faces}.get(stage, 0.0)


class DoPartition:
    """Actor that does a stage for partitions, each a row of what it is given."""

    def __init__(self, stage: StageName, config: BuildConfig) -> None:
        begin_worker()
        self._stage, self._config = stage, config

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Do the partitions of a batch, and say which they were."""
        for row in batch.to_pylist():
            rows = planned_rows(self._config, row) if self._stage == "index" else self._whole(**row)
            do_rows(self._stage, self._config, row["partition"], rows)
        return batch.select(["partition"])

    def _whole(self, partition: int, rows: bytes) -> Batch:
        """All rows of a partition; OSError if Ray has parted them, as some would be lost."""
        batch = _unpacked(rows)
        wanted = row_count(part_path(self._config.output, folder_before(self._stage), partition))
        if len(batch["uid"]) != wanted:
            raise OSError(f"{len(batch['uid'])} of the {wanted} rows of partition {partition} arrived together.")
        return batch


class RayData:
    """Ray Data, on the cluster that it is connected to or finds by RAY_ADDRESS, else on this machine.

    Args:
        workers: Actors at most; they are started as they are needed.
        gpus: What each of them reserves.

    Raises:
        ImportError: If Ray, or what its data sets need, is not installed.
    """

    def __init__(self, workers: int, gpus: Gpus = Gpus()) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        self._ray, self._workers, self._gpus = _imported_ray(), workers, gpus

    def run(self, stage: StageName, config: BuildConfig, partitions: Sequence[int]) -> Iterator[int]:
        """Partitions as they are done.

        Raises:
            ValueError: If faces are to be found on a GPU and actors reserve none.
            OSError: If Ray gives up.
        """
        ray = self._ray
        if stage == "faces" and config.faces.device == "cuda" and not self._gpus.faces:
            raise ValueError("faces.device is cuda, but actors reserve no GPU; add --faces-gpus 1, or a fraction.")
        self._connect()
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        # A partition is one file and has to stay one block, however long.
        context.target_max_block_size = None
        done = self._read(stage, config, partitions).map_batches(
            DoPartition,
            fn_constructor_kwargs={"stage": stage, "config": config},
            batch_size=1,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=min(self._workers, len(partitions))),
            num_cpus=SHARE,
            num_gpus=self._gpus.of(stage),
        )
        try:
            for row in done.iter_rows():
                yield int(row["partition"])
        except (ray.exceptions.RayError, ray.exceptions.UserCodeException) as error:
            raise OSError(f"Ray gave up the stage {stage}: {str(error).strip().splitlines()[-1]}") from error

    def _connect(self) -> None:
        if self._ray.is_initialized():
            return
        try:
            self._ray.init(include_dashboard=False, log_to_driver=False, logging_level="error")
        except Exception as error:  # it has no class for what goes wrong here
            raise OSError(f"Ray did not start, or its cluster is not there: {error}") from error

    def _read(self, stage: StageName, config: BuildConfig, partitions: Sequence[int]) -> "Dataset":
        """A row for each partition: that of the plan, or what the stage before wrote."""
        data = self._ray.data
        if stage == "index":
            wanted = data.expressions.col("partition").is_in(list(partitions))
            plan = data.read_parquet(**_named([config.output / PLAN_FILE])).filter(expr=wanted)
            return plan.repartition(min(len(partitions), BLOCKS * self._workers))
        before = [part_path(config.output, folder_before(stage), partition) for partition in partitions]
        parts = data.read_parquet(**_named(before), override_num_blocks=len(before), partitioning=None)
        return parts.select_columns(IMAGES_SCHEMA.names).map_batches(_packed, batch_size=None, batch_format="pyarrow")


def _named(places: Sequence[Place]) -> dict[str, Any]:
    """Files as Ray Data and pyarrow take them, with the filesystem that has them."""
    first = places[0]
    if isinstance(first, ObjectPath):
        return {"paths": [str(place) for place in places], "filesystem": first.filesystem}
    return {"paths": [str(place) for place in places]}


def _packed(rows: pa.Table) -> pa.Table:
    """A row for each partition among these rows, which stays whole whatever Ray makes of blocks."""
    numbers = rows["partition"].unique()
    parts = [rows.filter(pc.equal(rows["partition"], number)) for number in numbers]
    return pa.table({"partition": numbers, "rows": pa.array(map(_stored, parts), pa.binary())})


def _stored(rows: pa.Table) -> bytes:
    stored = io.BytesIO()
    with pa.ipc.new_stream(stored, rows.schema) as stream:
        stream.write_table(rows)
    return stored.getvalue()


def _unpacked(stored: bytes) -> Batch:
    return pa.ipc.open_stream(stored).read_all().to_pydict()


def _imported_ray() -> Any:  # noqa: ANN401 - a module, whose types are not followed
    missing = "Ray"
    with suppress(ImportError):
        ray = import_module("ray")
        try:
            import_module("ray.data")
            import_module("ray.data.expressions")
            return ray
        except ImportError as error:
            missing = error.name or "ray.data"
    raise ImportError(
        f"The engine ray needs {missing}, which is not installed; `pip install 'portraitdata[ray]'` installs it."
    )
