"""Who works at the partitions: this process, a pool of processes, or Ray."""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from portraitdata.builder.config import BuildConfig, EngineName, StageName
from portraitdata.builder.partition_work import work
from portraitdata.builder.ray_engine import Gpus, RayData
from portraitdata.loading.workers import begin_worker, one_thread, one_thread_to_inherit


@runtime_checkable
class Engine(Protocol):
    """Does a stage for some partitions."""

    def run(self, stage: StageName, config: BuildConfig, partitions: Sequence[int]) -> Iterator[int]:
        """Partitions as they are done."""


class InThisProcess:
    """One partition after the other, on one thread."""

    def run(self, stage: StageName, config: BuildConfig, partitions: Sequence[int]) -> Iterator[int]:
        """Partitions as they are done."""
        for partition in partitions:
            with one_thread():
                done = work(stage, config, partition)
            yield done


class Processes:
    """Processes of this machine with one thread each.

    Args:
        pool: Of processes that `begin_worker` has settled.
    """

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def run(self, stage: StageName, config: BuildConfig, partitions: Sequence[int]) -> Iterator[int]:
        """Partitions as they are done; OSError if a process ended before its work."""
        futures: list[Future[int]] = []
        try:
            futures += (self._pool.submit(work, stage, config, partition) for partition in partitions)
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise OSError(
                f"A process that worked at the stage {stage} ended before its work, perhaps for want of memory; what "
                "is done is kept: run the command again, with fewer --workers."
            ) from error
        finally:
            for future in futures:
                future.cancel()


@contextmanager
def running_engine(name: EngineName, workers: int, gpus: Gpus = Gpus()) -> Iterator[Engine]:
    """The engine of a name, and its end.

    Args:
        name: "processes" is built in; "ray" works on whatever cluster Ray is connected to.
        workers: Processes, or actors; one process is this one.
        gpus: What actors of Ray reserve.

    Raises:
        ValueError: If there are no workers, or GPUs for processes.
        ImportError: If Ray is not installed.
    """
    if workers < 1:
        raise ValueError(f"At least one worker is needed, got {workers}.")
    if name == "ray":
        yield RayData(workers, gpus)
    elif gpus != Gpus():
        raise ValueError("GPUs are reserved for actors of Ray; add --engine ray, or leave the GPUs out.")
    elif workers == 1:
        yield InThisProcess()
    else:
        spawned = multiprocessing.get_context("spawn")
        with one_thread_to_inherit(), ProcessPoolExecutor(workers, spawned, begin_worker) as pool:
            yield Processes(pool)
