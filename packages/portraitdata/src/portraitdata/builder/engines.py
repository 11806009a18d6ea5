"""Who works at the partitions: this process, a pool of processes, or Ray."""

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Literal, Protocol, runtime_checkable

import cv2
import torch

from portraitdata.builder.config import BuildConfig
from portraitdata.builder.layout import StageName
from portraitdata.builder.partition_work import work

EngineName = Literal["processes", "ray"]

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What libraries read when they are loaded."""


@runtime_checkable
class Engine(Protocol):
    """Does a stage for some partitions."""

    def run(self, stage: StageName, config: BuildConfig, partitions: Sequence[int]) -> Iterator[int]:
        """Partitions as they are done."""
        ...


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
        """Partitions as they are done.

        Raises:
            OSError: If a process ended before its work.
        """
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
def running_engine(name: EngineName, workers: int) -> Iterator[Engine]:
    """The engine of a name, and its end.

    Args:
        name: "processes" is built in; "ray" works on whatever cluster Ray is connected to.
        workers: Processes, or actors; one process is this one.

    Raises:
        ValueError: If there are no workers.
        ImportError: If Ray is not installed.
    """
    if workers < 1:
        raise ValueError(f"At least one worker is needed, got {workers}.")
    if name == "ray":
        from portraitdata.builder.ray_engine import RayData

        yield RayData(workers)
    elif workers == 1:
        yield InThisProcess()
    else:
        spawned = multiprocessing.get_context("spawn")
        with one_thread_to_inherit(), ProcessPoolExecutor(workers, spawned, begin_worker) as pool:
            yield Processes(pool)


def begin_worker() -> None:
    """Settle a new process: one thread, and no life after that of the process that it works for."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    # A pool's worker waits for work for ever if its parent is killed: it holds both ends of the queue.
    parent.join()
    os._exit(1)


@contextmanager
def one_thread() -> Iterator[None]:
    """Numeric libraries on one thread, so that sums are added in the same order everywhere."""
    threads, of_opencv = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        cv2.setNumThreads(of_opencv)


@contextmanager
def one_thread_to_inherit() -> Iterator[None]:
    """Variables of the environment that a new process reads before `begin_worker` runs."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
