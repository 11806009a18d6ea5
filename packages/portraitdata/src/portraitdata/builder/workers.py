"""Worker processes of a build: one thread each, and an end with the process that they work for."""

import multiprocessing
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import torch

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables that libraries read when they are loaded."""


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
