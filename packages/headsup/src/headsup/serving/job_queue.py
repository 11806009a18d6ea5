"""Photographs one after the other: a queue, one thread that works, and deletion after time without use."""

import errno
import re
import secrets
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

from starlette.exceptions import HTTPException

from faceops.command_line import as_sentence, is_out_of_memory
from headsup.serving.limits import Limits
from headsup.serving.photo_job import CancelledError, ForceableError, Outcome, PhotoJob
from headsup.serving.restore_request import RestoreRequest

SWEEP_SECONDS = 60.0
"""Interval of deleting what is due while nothing else happens."""

OUT_OF_MEMORY = "The memory ran out; a smaller scale helps, or headsup serve --memory GB, which takes longer."

DELETED = "This photograph has been deleted here; restore it again."


class JobQueue:
    """Photographs that are sent, wait, are in work or are done.

    Args:
        work: Restores a photograph; called in a thread of its own, for one photograph at a time.
    """

    def __init__(self, folder: Path, work: Callable[[PhotoJob], Outcome], limits: Limits) -> None:
        self.folder, self.limits, self._work = folder, limits, work
        self._jobs: dict[str, PhotoJob] = {}  # those that were started in the order of the queue
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, "restoring")
        self._closed = threading.Event()
        threading.Thread(target=self._sweep_regularly, daemon=True).start()

    def open(self) -> PhotoJob:
        """A new photograph, to which files can be added. The one unused for longest is deleted if there are many.

        Raises:
            HTTPException: If all that are kept are still waited for, or take too much space.
        """
        with self._lock:
            self._sweep()
            while len(self._jobs) >= self.limits.jobs or stored_bytes(self.folder) > self.limits.stored_bytes:
                idle = [job for job in self._jobs.values() if not job.is_busy]
                if not idle:
                    sentence = "Too many photographs are kept; try again later."
                    raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, sentence)
                self._delete(min(idle, key=lambda job: job.used))
            # 128 random bits: who is not told them cannot guess them
            job = PhotoJob(self.folder / secrets.token_urlsafe(16))
            job.folder.mkdir()
            self._jobs[job.id] = job
            return job

    def find(self, name: str) -> PhotoJob:
        """The photograph with an id; it counts as used.

        Raises:
            HTTPException: If there is none.
        """
        with self._lock:
            job = self._jobs.get(name)
            if job is None:
                raise HTTPException(HTTPStatus.NOT_FOUND, DELETED)
            job.used = time.monotonic()
            return job

    def start(self, job: PhotoJob, request: RestoreRequest) -> None:
        """Put a photograph at the end of the queue.

        Raises:
            HTTPException: If it has been, has no photograph yet, a file of it is on its way, or too many wait.
        """
        with self._lock:
            if job.state != "open" or job.photo is None:
                raise HTTPException(HTTPStatus.CONFLICT, "Send a photograph first; it can then be restored once.")
            if job.is_receiving:
                raise HTTPException(HTTPStatus.CONFLICT, "A reference is still on its way; start when it has arrived.")
            waiting = sum(other.state == "waiting" for other in self._jobs.values())
            if waiting >= self.limits.waiting:
                sentence = f"{waiting} photographs are waiting already; try again later."
                raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, sentence)
            if self._jobs.pop(job.id, None) is None:
                raise HTTPException(HTTPStatus.NOT_FOUND, DELETED)
            self._jobs[job.id] = job
            job.request, job.state = request, "waiting"
            self._worker.submit(self._restore, job)

    def before(self, job: PhotoJob) -> int:
        """Number of photographs before one that waits; 0 for the others."""
        with self._lock:
            busy = [other for other in self._jobs.values() if other.is_busy]
            return busy.index(job) if job in busy else 0

    def delete(self, job: PhotoJob) -> None:
        """Remove a photograph and its result; work on it stops soon."""
        with self._lock:
            self._delete(job)

    def close(self) -> None:
        """Delete all, and wait until the work has stopped, at the next layer of the network."""
        self._closed.set()
        with self._lock:
            for job in list(self._jobs.values()):
                self._delete(job)
        self._worker.shutdown()

    def _delete(self, job: PhotoJob) -> None:
        job.cancelled.set()
        self._jobs.pop(job.id, None)
        if job.state != "working":  # else the thread that works removes its folder
            shutil.rmtree(job.folder, ignore_errors=True)

    def _sweep(self) -> None:
        for job in list(self._jobs.values()):
            if not job.is_busy and time.monotonic() - job.used > self.limits.seconds:
                self._delete(job)

    def _sweep_regularly(self) -> None:
        while not self._closed.wait(SWEEP_SECONDS):
            with self._lock:
                self._sweep()

    def _restore(self, job: PhotoJob) -> None:
        with self._lock:
            if job.cancelled.is_set():
                return
            job.state, job.began = "working", time.monotonic()
        try:
            job.outcome = self._work(job)
        except CancelledError:
            pass
        except Exception as error:  # the page must go on
            job.error = reason_of(error, job)
            job.offer = error.offer if isinstance(error, ForceableError) else ""
        with self._lock:
            job.used = time.monotonic()
            job.seconds = job.used - job.began
            job.state = "failed" if job.outcome is None else "done"
            if job.cancelled.is_set():
                shutil.rmtree(job.folder, ignore_errors=True)


def stored_bytes(folder: Path) -> int:
    """Bytes of the files in a folder and the folders in it."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # renamed in the meantime
            total += path.stat().st_size if path.is_file() else 0
    return total


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
    return unexpected(error)


def unexpected(error: Exception) -> str:
    """Message of the page for an unexpected error; the terminal shows it in full."""
    traceback.print_exception(error, file=sys.stderr)
    return f"Something went wrong that should not ({type(error).__name__}); the terminal of headsup serve says more."
