"""Photographs one after the other: a queue, one thread that works, and deletion after time without use."""

import errno
import secrets
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException

from faceops.error_sentences import as_sentence, is_out_of_memory
from headsup.serving.limits import Limits
from headsup.serving.pace import Pace
from headsup.serving.photo_job import CancelledError, ForceableError, Outcome, PhotoJob
from headsup.serving.restore_request import RestoreRequest

SWEEP_SECONDS = 60.0
"""Interval of deleting what is due while nothing else happens."""

OUT_OF_MEMORY = "The memory ran out; a smaller scale helps, or headsup serve --memory GB, which takes longer."

RETRY_SECONDS = 5
"""Time after which a client that is told to wait may ask again."""

NO_ROOM = (
    "There is no room for more files: photographs, references and results together reach their limit; try again later, "
    "or with fewer references."
)

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
        self._pace = Pace()
        threading.Thread(target=self._sweep_regularly, daemon=True).start()

    def open(self) -> PhotoJob:
        """A new photograph, to which files can be added. Those unused for longest are deleted if there are many.

        Raises:
            HTTPException: If all that are kept are in use, or take too much space.
        """
        with self._lock:
            self._sweep()
            if not self._make_room(None, photographs=1):
                raise refused_for_now("Too many photographs are kept; try again later.")
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

    @contextmanager
    def receiving(self, job: PhotoJob, length: int) -> Iterator[None]:
        """Let a photograph take one file at a time: what it has, and may have, is known only between two.

        Args:
            length: Bytes of the file, for which room is made.

        Raises:
            HTTPException: If another file is on its way, or there is no room.
        """
        with self._lock:
            if job.is_receiving:
                sentence = "Another file of this job is on its way; send one after the other."
                raise HTTPException(HTTPStatus.CONFLICT, sentence)
            job.is_receiving, job.incoming = True, length
        try:
            self.check_room(job)
            yield
        finally:
            job.is_receiving, job.incoming, job.used = False, 0, time.monotonic()

    def check_room(self, job: PhotoJob) -> None:
        """Delete other photographs, unless they are in use, until all files take as much space as they may.

        Raises:
            HTTPException: If they take more all the same.
        """
        with self._lock:
            if not self._make_room(job):
                raise refused_for_now(NO_ROOM)

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
                raise refused_for_now(f"{waiting} photographs are waiting already; try again later.")
            if self._jobs.pop(job.id, None) is None:
                raise HTTPException(HTTPStatus.NOT_FOUND, DELETED)
            self._jobs[job.id] = job
            job.request, job.state = request, "waiting"
            self._worker.submit(self._restore, job)

    def told(self, job: PhotoJob) -> dict[str, Any]:
        """State of a photograph as JSON, with its place in the queue and the time that is left."""
        with self._lock:
            busy = [other for other in self._jobs.values() if other.is_busy]
            before = busy.index(job) if job in busy else 0
            left = self._seconds_left(busy[: before + 1]) if job.is_busy else None
            return job.as_json(before, left)

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

    def _seconds_left(self, jobs: Sequence[PhotoJob]) -> float | None:
        """Seconds until all of these are done, one after the other; None if nobody knows."""
        total = 0.0
        for job in jobs:
            expected = self._pace.seconds_of(job)
            if expected is None:
                return None
            passed = time.monotonic() - job.began if job.state == "working" else 0.0
            total += max(expected - passed, 0.0)
        return total

    def _make_room(self, kept: PhotoJob | None, photographs: int = 0) -> bool:
        """Delete what is in nobody's use, unused for longest first, until the limits are kept; False if they are not.

        Args:
            kept: Not deleted, however long it was unused.
            photographs: Number of those for which there is to be room.
        """
        while len(self._jobs) + photographs > self.limits.jobs or self._stored_bytes() > self.limits.stored_bytes:
            settled = time.monotonic() - self.limits.settled
            unused = [
                job for job in self._jobs.values() if not job.is_in_use and job is not kept and job.used <= settled
            ]
            if not unused:
                return False
            self._delete(min(unused, key=lambda job: job.used))
        return True

    def _stored_bytes(self) -> int:
        return stored_bytes(self.folder) + sum(job.incoming for job in self._jobs.values())

    def _delete(self, job: PhotoJob) -> None:
        job.cancelled.set()
        self._jobs.pop(job.id, None)
        if job.state != "working":  # else the thread that works removes its folder
            shutil.rmtree(job.folder, ignore_errors=True)

    def _sweep(self) -> None:
        for job in list(self._jobs.values()):
            if not job.is_in_use and time.monotonic() - job.used > self.limits.seconds:
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
            for reference in job.references:  # it cannot be started again, and others need the room
                shutil.rmtree(reference.path.parent, ignore_errors=True)
            if job.outcome is not None:
                self._pace.learn_from(job)
            if job.outcome is not None and not self._make_room(job):
                job.outcome, job.error = None, NO_ROOM
                shutil.rmtree(job.folder, ignore_errors=True)
            job.state = "failed" if job.outcome is None else "done"
            if job.cancelled.is_set():
                shutil.rmtree(job.folder, ignore_errors=True)


def stored_bytes(folder: Path) -> int:
    """Bytes of the files in a folder and the folders in it, but for the hidden ones that are still written."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # renamed in the meantime
            total += path.stat().st_size if path.is_file() and not path.name.startswith(".") else 0
    return total


def refused_for_now(sentence: str) -> HTTPException:
    """Refusal of what may be asked for again soon."""
    return HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, sentence, {"Retry-After": str(RETRY_SECONDS)})


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
        return job.as_known(as_sentence(error))
    return unexpected(error)


def unexpected(error: Exception) -> str:
    """Message of the page for an unexpected error; the terminal shows it in full."""
    traceback.print_exception(error, file=sys.stderr)
    return f"Something went wrong that should not ({type(error).__name__}); the terminal of headsup serve says more."
