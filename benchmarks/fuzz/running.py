"""One command in a forked child, with limits on its time and its addresses: what it said, took and left behind.

Time is that of the processor, which a command takes as much of on a machine that others use. A command that waits takes
none, so that there is a limit on the clock too, far beyond the other.
"""

import os
import resource
import select
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

WAITING = 10
"""Seconds by the clock for each second of the processor that a command may take, before it counts as waiting."""

PAGE = resource.getpagesize()

ADDRESSES = 4 * 2**30
"""Bytes of addresses that a child may take beyond those of its parent, so that a runaway harms nobody else."""


@dataclass(frozen=True)
class Ending:
    """How a command ended."""

    status: int
    """Exit status; negative for a signal."""
    seconds: float
    """Of the processor."""
    memory: int
    """Bytes of the largest memory beyond what the child began with."""
    said: str
    """What is on stderr."""
    printed: str
    """What is on stdout."""
    timed_out: bool
    """Whether it took more of the processor than it may, or waited."""


def run_forked(command: Callable[[], object], folder: Path, seconds: int) -> Ending:
    """Run a command in a child of this process, which has imported what the command needs.

    Args:
        command: Ends by returning, or with SystemExit as the commands of the packages do.
        folder: Folder to run in; the child's stdout and stderr become the files `stdout` and `stderr` beside it.
        seconds: Of the processor, whole ones, after which the child is killed; `WAITING` times as many by the clock.
    """
    printed, said = (folder.with_name(f"{folder.name}.{name}") for name in ("stdout", "stderr"))
    sys.stdout.flush(), sys.stderr.flush()
    told, tell = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking where threads run: none of ours does
        child = os.fork()
    if child == 0:
        os.close(told)
        os.write(tell, str(memory_held()).encode())
        os.close(tell)
        _be_the_child(command, folder, seconds, printed, said)
    os.close(tell)
    with open(told) as pipe:
        held = int(pipe.readline())
    watched = os.pidfd_open(child)
    waits = not select.select([watched], [], [], WAITING * seconds)[0]
    os.close(watched)
    if waits:
        os.kill(child, signal.SIGKILL)
    _, waited, used = os.wait4(child, 0)
    status = os.waitstatus_to_exitcode(waited)
    return Ending(
        status,
        used.ru_utime + used.ru_stime,
        max(0, used.ru_maxrss * 1024 - held),
        said.read_text(errors="replace"),
        printed.read_text(errors="replace"),
        timed_out=waits or status == -signal.SIGXCPU,
    )


def memory_held() -> int:
    """Bytes of memory that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def _be_the_child(command: Callable[[], object], folder: Path, seconds: int, printed: Path, said: Path) -> None:
    status = 70
    try:
        addresses = int(Path("/proc/self/statm").read_text().split()[0]) * PAGE
        resource.setrlimit(resource.RLIMIT_AS, (addresses + ADDRESSES,) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
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
