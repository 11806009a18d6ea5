"""Photographs one after the other: a queue, one thread that works, and a memory that forgets."""

import errno
import re
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from faceops.command_line import as_sentence, is_out_of_memory
from headsup.serving.limits import Limits, RefusalError
from headsup.serving.order import Order
from headsup.serving.photo_job import CancelledError, ForceableError, Outcome, PhotoJob, new_id

SWEEP_SECONDS = 60.0
"""How often is looked for what is to be forgotten while nothing else happens."""

OUT_OF_MEMORY = "The memory ran out; a smaller scale helps, or headsup serve --memory GB, which takes longer."

FORGOTTEN = "This photograph is forgotten here; restore it again."


class JobQueue:
    """Photographs that are sent, wait, are in work or are done.

    Args:
        folder: Where files are put.
        work: Restores a photograph; called in a thread of its own, for one photograph at a time.
        limits: What is kept, and how long.
    """

    def __init__(self, folder: Path, work: Callable[[PhotoJob], Outcome], limits: Limits) -> None:
        self.folder, self.limits = folder, limits
        self._work = work
        self._jobs: dict[str, PhotoJob] = {}
        self._waiting: list[PhotoJob] = []
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="restoring", daemon=True)
        self._thread.start()

    def open(self) -> PhotoJob:
        """A new photograph, to which files can be added. The one unused for longest is forgotten if there are many.

        Raises:
            RefusalError: If all that are kept are still waited for, or take too much space.
        """
        with self._changed:
            self._sweep()
            while len(self._jobs) >= self.limits.jobs or self._stored_bytes() > self.limits.stored_bytes:
                idle = [job for job in self._jobs.values() if not job.is_busy]
                if not idle:
                    raise RefusalError(
                        HTTPStatus.SERVICE_UNAVAILABLE, "Too many photographs are kept; try again later."
                    )
                self._forget(min(idle, key=lambda job: job.used))
            job = PhotoJob(self.folder / new_id())
            job.folder.mkdir()
            self._jobs[job.id] = job
            return job

    def find(self, name: str) -> PhotoJob:
        """The photograph with an id.

        Raises:
            RefusalError: If there is none.
        """
        with self._changed:
            job = self._jobs.get(name)
            if job is None:
                raise RefusalError(HTTPStatus.NOT_FOUND, FORGOTTEN)
            job.used = time.monotonic()
            return job

    def start(self, job: PhotoJob, order: Order) -> None:
        """Put a photograph at the end of the queue.

        Raises:
            RefusalError: If it has been, has no photograph yet, or too many wait.
        """
        with self._changed:
            if job.state != "open" or job.photo is None:
                raise RefusalError(HTTPStatus.CONFLICT, "Send a photograph first; it can then be restored once.")
            if len(self._waiting) >= self.limits.waiting:
                raise RefusalError(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    f"{len(self._waiting)} photographs are waiting already; try again later.",
                )
            job.order, job.state = order, "waiting"
            self._waiting.append(job)
            self._changed.notify()

    def before(self, job: PhotoJob) -> int:
        """How many photographs are done before one that waits; 0 for the others."""
        with self._changed:
            if job not in self._waiting:
                return 0
            working = any(other.state == "working" for other in self._jobs.values())
            return self._waiting.index(job) + working

    def forget(self, job: PhotoJob) -> None:
        """Remove a photograph and its result; work on it stops soon."""
        with self._changed:
            self._forget(job)

    def close(self) -> None:
        """Stop working, at the next layer of the network, and take no more."""
        with self._changed:
            self._closed = True
            for job in list(self._jobs.values()):
                self._forget(job)
            self._changed.notify()
        self._thread.join()

    def _forget(self, job: PhotoJob) -> None:
        job.cancelled.set()
        self._jobs.pop(job.id, None)
        if job in self._waiting:
            self._waiting.remove(job)
        if job.state != "working":  # else the thread that works removes its folder
            shutil.rmtree(job.folder, ignore_errors=True)

    def _sweep(self) -> None:
        now = time.monotonic()
        for job in list(self._jobs.values()):
            if not job.is_busy and now - job.used > self.limits.seconds:
                self._forget(job)

    def _stored_bytes(self) -> int:
        return sum(size_of(file) for file in self.folder.rglob("*"))

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                job.outcome = self._work(job)
                ended = "done"
            except CancelledError:
                ended = "failed"
            except ForceableError as error:
                job.error, job.offer, ended = str(error), error.offer, "failed"
            except Exception as error:  # the page must go on
                job.error, ended = reason_of(error, job), "failed"
            self._end(job, ended == "done")

    def _next(self) -> PhotoJob | None:
        """Wait for the next photograph; None at the end."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait(SWEEP_SECONDS)
                self._sweep()
            if self._closed:
                return None
            job = self._waiting.pop(0)
            job.state, job.began = "working", time.monotonic()
            return job

    def _end(self, job: PhotoJob, done: bool) -> None:
        with self._changed:
            job.seconds = time.monotonic() - job.began
            job.state = "done" if done else "failed"
            job.used = time.monotonic()
            if job.id not in self._jobs:
                shutil.rmtree(job.folder, ignore_errors=True)


def size_of(path: Path) -> int:
    """Bytes of a file; 0 of a folder, and of what was renamed in the meantime."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0


def reason_of(error: Exception, job: PhotoJob) -> str:
    """Why a photograph could not be restored; an error that should not be is shown on the terminal in full.

    Example:
        >>> reason_of(ValueError("/tmp/x/reference0/a.png is damaged."), PhotoJob(Path("/tmp/x")))
        'a.png is damaged.'
    """
    if is_out_of_memory(error):
        return OUT_OF_MEMORY
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "There is no space left for the result on the machine that restores."
    if isinstance(error, ValueError | OSError):
        return re.sub(rf"{re.escape(str(job.folder))}/(\w+/)?", "", as_sentence(error))
    traceback.print_exception(error, file=sys.stderr)
    return f"Something went wrong that should not ({type(error).__name__}); the terminal of headsup serve says more."
