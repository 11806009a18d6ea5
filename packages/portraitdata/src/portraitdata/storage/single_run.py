"""The rule of one run: who works in a folder keeps others out, and who is killed keeps nobody out.

On this machine the system locks a file and frees it when the process ends. A store has no locks. There every run puts
an object of its own and then lists those of others: whichever of two comes later sees the other and gives way; both
give way if they come at one time. Each object is put again all the while, so that one that was not for long, by the
store's own clock, is of a run that is no more; a run of the same machine is asked for by its number.
"""

import fcntl
import os
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from faceops.atomic_files import is_running, machine_name
from portraitdata.storage.object_path import ObjectPath
from portraitdata.storage.places import Place

LOCK_FILE = ".lock"
"""File that is locked, and beginning of the names of a store's objects."""

ANNOUNCED = re.compile(rf"{re.escape(LOCK_FILE)}\.(?P<machine>\w+)-(?P<process>\d+)\.\w+")
"""Names of such objects."""

RENEWED = 20.0
"""Seconds after which an object is put again."""

KEPT = 120.0
"""Seconds for which one that is not put again keeps others out."""


@contextmanager
def only_run(folder: Place) -> Iterator[None]:
    """Keep other runs out of a folder, which must be there.

    Raises:
        OSError: If another run works there.
    """
    with _locked(folder) if isinstance(folder, Path) else _announced(folder):
        yield


def is_lock(name: str) -> bool:
    """Tell whether a file of a folder is there for `only_run`."""
    return name == LOCK_FILE or name.startswith(f"{LOCK_FILE}.")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OSError(f"Another run works at {folder}; wait for its end.") from error
        yield


@contextmanager
def _announced(folder: ObjectPath) -> Iterator[None]:
    own = folder / f"{LOCK_FILE}.{machine_name()}-{os.getpid()}.{uuid.uuid4().hex}"
    _put(own)
    ended = threading.Event()
    renewal = threading.Thread(target=_renew, args=(own, ended), daemon=True)
    try:
        now = own.stat().st_mtime_ns
        for other in folder.glob(f"{LOCK_FILE}.*"):
            if other == own:
                continue
            if _is_alive(other, now):
                raise OSError(f"Another run works at {folder}; wait for its end, or {KEPT:.0f} seconds if it is gone.")
            other.unlink()
        renewal.start()
        yield
    finally:
        ended.set()
        if renewal.ident is not None:
            renewal.join()
        own.unlink()


def _is_alive(other: ObjectPath, now: int) -> bool:
    found = ANNOUNCED.fullmatch(other.name)
    if found and found["machine"] == machine_name() and not is_running(int(found["process"])):
        return False
    try:
        return now - other.stat().st_mtime_ns < KEPT * 1e9
    except FileNotFoundError:  # it has ended meanwhile
        return False


def _renew(own: ObjectPath, ended: threading.Event) -> None:
    while not ended.wait(RENEWED):
        with suppress(OSError):  # a store that is away for a moment
            _put(own)


def _put(own: ObjectPath) -> None:
    with own.writing() as file:
        file.write(b"A run works here.\n")
