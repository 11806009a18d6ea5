"""One command in a forked child, with limits on its time and its addresses: what it said, took and left behind."""

import os
import resource
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PAGE = resource.getpagesize()

ADDRESSES = 4 * 2**30
"""Bytes of addresses that a child may take beyond those of its parent, so that a runaway harms nobody else."""


@dataclass(frozen=True)
class Ending:
    """How a command ended."""

    status: int
    """Exit status; negative for a signal."""
    seconds: float
    memory: int
    """Bytes of the largest memory beyond what the child began with."""
    said: str
    """What is on stderr."""
    printed: str
    """What is on stdout."""
    timed_out: bool


def run_forked(command: Callable[[], object], folder: Path, seconds: float) -> Ending:
    """Run a command in a child of this process, which has imported what the command needs.

    Args:
        command: Ends by returning, or with SystemExit as the commands of the packages do.
        folder: Folder to run in; the child's stdout and stderr become the files `stdout` and `stderr` beside it.
        seconds: After these the child is killed.
    """
    printed, said = (folder.with_name(f"{folder.name}.{name}") for name in ("stdout", "stderr"))
    sys.stdout.flush(), sys.stderr.flush()
    start = time.monotonic()
    told, tell = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking where threads run: none of ours does
        child = os.fork()
    if child == 0:
        os.close(told)
        os.write(tell, str(memory_held()).encode())
        os.close(tell)
        _be_the_child(command, folder, printed, said)
    os.close(tell)
    with open(told) as pipe:
        held = int(pipe.readline())
    watched = os.pidfd_open(child)
    timed_out = not select.select([watched], [], [], seconds)[0]
    os.close(watched)
    if timed_out:
        os.kill(child, signal.SIGKILL)
    _, waited, used = os.wait4(child, 0)
    return Ending(
        os.waitstatus_to_exitcode(waited),
        time.monotonic() - start,
        max(0, used.ru_maxrss * 1024 - held),
        said.read_text(errors="replace"),
        printed.read_text(errors="replace"),
        timed_out,
    )


def memory_held() -> int:
    """Bytes of memory that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def _be_the_child(command: Callable[[], object], folder: Path, printed: Path, said: Path) -> None:
    status = 70
    try:
        addresses = int(Path("/proc/self/statm").read_text().split()[0]) * PAGE
        resource.setrlimit(resource.RLIMIT_AS, (addresses + ADDRESSES,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for number, file in ((1, printed), (2, said)):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", closefd=False, errors="backslashreplace")  # noqa: SIM115  # as Python's own
        os.chdir(folder)
        command()
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        try:
            sys.stdout.flush(), sys.stderr.flush()
        finally:
            os._exit(status)
