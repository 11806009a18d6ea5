"""Worker processes: one thread each, and an end with the process that they work for."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

import cv2
import torch

Task = TypeVar("Task")
Result = TypeVar("Result")

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables that libraries read when they are loaded."""


def worker_count(stated: int | None) -> int:
    """Number of processes: the stated one, else as many as there are cores."""
    return stated if stated is not None else os.cpu_count() or 1


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


def in_processes(work: Callable[[Task], Result], tasks: Sequence[Task], workers: int) -> Iterator[Result]:
    """Results in the order of the tasks, each made on one thread, whatever the number of processes.

    Args:
        work: Function of a module, as other processes must find it.
        tasks: What it is called with.
        workers: Processes; one is this one.

    Raises:
        ValueError: If there are no workers.
        OSError: If a process ended before its work.
    """
    if workers < 1:
        raise ValueError(f"At least one worker is needed, got {workers}.")
    if min(workers, len(tasks)) < 2:
        for task in tasks:
            with one_thread():
                done = work(task)
            yield done
        return
    futures: list[Future[Result]] = []
    spawned = multiprocessing.get_context("spawn")
    with one_thread_to_inherit(), ProcessPoolExecutor(min(workers, len(tasks)), spawned, begin_worker) as pool:
        try:
            futures += (pool.submit(work, task) for task in tasks)
            for future in futures:
                yield future.result()
        except BrokenProcessPool as error:
            raise OSError(
                "A process ended before its work, perhaps for want of memory; what is done is kept: run the command "
                "again, with fewer --workers."
            ) from error
        finally:
            for future in futures:
                future.cancel()
