"""Ray Data as the engine: the same partitions and the same files, on one machine or a cluster with a shared disk."""

import os
from collections.abc import Iterator, Sequence

from portraitdata.builder.config import BuildConfig, StageName
from portraitdata.builder.partition_work import work
from portraitdata.loading.workers import begin_worker

SHARE = 0.5
"""Of a core that an actor reserves.

Actors that reserve whole cores can take all of them; the tasks that feed them then never start, and the job waits for
ever without a word.
"""


class DoPartition:
    """Function that Ray Data maps over batches of one partition."""

    def __init__(self, stage: StageName, config: BuildConfig) -> None:
        begin_worker()
        self._stage, self._config = stage, config

    def __call__(self, batch: dict) -> dict:
        """Do the partitions of a batch, and give it back."""
        for partition in batch["partition"].tolist():
            work(self._stage, self._config, partition)
        return batch


class RayData:
    """Ray Data, on the cluster that it is connected to or finds by RAY_ADDRESS, else on this machine.

    Args:
        workers: Actors.

    Raises:
        ImportError: If Ray is not installed.
    """

    def __init__(self, workers: int) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
            import ray.data
        except ImportError as error:
            raise ImportError(
                "The engine ray needs Ray, which is not installed; `pip install 'portraitdata[ray]'` installs it."
            ) from error
        self._ray, self._workers = ray, workers

    def run(self, stage: StageName, config: BuildConfig, partitions: Sequence[int]) -> Iterator[int]:
        """Partitions as they are done; OSError if Ray gives up."""
        ray = self._ray
        if not ray.is_initialized():
            ray.init(include_dashboard=False, log_to_driver=False, logging_level="error")
        ray.data.DataContext.get_current().enable_progress_bars = False
        rows = [{"partition": partition} for partition in partitions]
        done = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            DoPartition,
            fn_constructor_kwargs={"stage": stage, "config": config},
            batch_size=1,
            concurrency=(1, min(self._workers, len(rows))),
            num_cpus=SHARE,
        )
        try:
            for row in done.iter_rows():
                yield int(row["partition"])
        except (ray.exceptions.RayError, ray.exceptions.UserCodeException) as error:
            raise OSError(f"Ray gave up the stage {stage}: {str(error).strip().splitlines()[-1]}") from error
