"""Files that are there whole or not at all, whether the process is killed or the power fails."""

import hashlib
import os
import platform
import re
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from pathlib import Path

LONGEST_NAME = 255
"""Bytes of the longest file name on the usual file systems."""

HALF_WRITTEN = re.compile(r"\..*\.(?P<machine>\w+)-(?P<process>\d+)(-\d+)?(\.\w+)?", re.DOTALL)
"""Names of the temporary files of `replacing`, which are left behind by a process that is killed."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Temporary name beside `path` to write to; renamed to `path` on success, removed on any failure.

    A reader never sees half a file, a full disk leaves the old file as it was, and what is there after a power failure
    is whole. A link is followed: the file that it leads to is replaced. Temporary files that killed processes of this
    machine have left in the folder are removed.

    Raises:
        FileNotFoundError: If the folder of `path` does not exist.
        OSError: If the file cannot be written; it names `path`, not the temporary file.

    Example:
        >>> from tempfile import mkdtemp
        >>> folder = Path(mkdtemp())
        >>> with replacing(folder / "a.txt") as temporary:
        ...     _ = temporary.write_text("whole")
        >>> [(file.name, file.read_text()) for file in folder.iterdir()]
        [('a.txt', 'whole')]
    """
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    if not target.parent.is_dir():
        raise FileNotFoundError(f"The folder {target.parent} that {target.name} is to be written to does not exist.")
    remove_half_written(target.parent.resolve())
    temporary = target.with_name(temporary_name(path.stem, path.suffix))
    try:
        yield temporary
        put_in_place(temporary, target)
    except OSError as error:
        if error.errno is None or str(error.filename or temporary) != str(temporary):
            raise
        # The error's own words may be about the temporary name.
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
    finally:
        with suppress(OSError):  # the error of the writing says more
            temporary.unlink(missing_ok=True)


def put_in_place(temporary: Path, target: Path) -> None:
    """Rename a file that is written to its own name, once its bytes are on the disk.

    It gets the permissions of the file that it replaces.

    Raises:
        OSError: If they cannot be brought there, or it cannot be renamed.
    """
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    with suppress(OSError):  # nothing is replaced, or the file system has no permissions
        temporary.chmod(stat.S_IMODE(target.stat().st_mode))
    os.replace(temporary, target)
    if os.name == "posix":  # elsewhere folders cannot be opened
        with suppress(OSError):  # some network file systems cannot do it
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def temporary_name(stem: str, suffix: str) -> str:
    """Hidden name of this thread for a file, no longer than a name can be.

    Example:
        >>> len(os.fsencode(temporary_name("ä" * 120, ".png"))) <= LONGEST_NAME
        True
    """
    mark = f".{machine_name()}-{os.getpid()}-{threading.get_ident()}{suffix}"
    return f".{shortened(stem, LONGEST_NAME - 1 - len(os.fsencode(mark)))}{mark}"


def shortened(text: str, length: int) -> str:
    """Beginning of a text that has at most `length` bytes in a file name, without half a character.

    Example:
        >>> shortened("Zoë", 4), shortened("Zoë", 3)
        ('Zoë', 'Zo')
    """
    while len(os.fsencode(text)) > length:
        text = text[:-1]
    return text


@cache
def machine_name() -> str:
    """Name of this machine in letters and digits: its beginning, and a checksum of all of it.

    Machines of a cluster differ in the end of their names, and containers may differ in what processes they see alone.
    """
    node, processes = platform.node(), ""
    with suppress(OSError):  # there only on Linux
        processes = os.readlink("/proc/self/ns/pid")
    mark = hashlib.sha256(f"{node} {processes}".encode()).hexdigest()[:8]
    return re.sub(r"[^a-zA-Z0-9]", "", node)[:16] + mark


@lru_cache(maxsize=1024)
def remove_half_written(folder: Path) -> None:
    """Remove temporary files of processes of this machine that are no more; once for each folder and process."""
    for path in left_by_killed(folder, HALF_WRITTEN):
        with suppress(OSError):
            path.unlink()


def left_by_killed(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    """What processes of this machine that are no more have left in a folder.

    Args:
        pattern: Of its names; the groups `machine` and `process` say whose it is.
    """
    try:
        names = os.listdir(folder)
    except OSError:  # a folder that can be written to need not be one that can be listed
        return []
    found = filter(None, map(pattern.fullmatch, names))
    return [
        folder / name.string
        for name in found
        if name["machine"] == machine_name() and not is_running(int(name["process"]))
    ]


def is_running(process: int) -> bool:
    """Tell whether a process of this machine is there; where that cannot be asked, say that it is."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's, or no number of a process
        return True
    return True
