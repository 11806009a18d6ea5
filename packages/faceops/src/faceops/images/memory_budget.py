"""How much memory a picture may take: told by its header, before anything is decoded."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from faceops.images.errors import TooLargeImageError

DECODING_BYTES = 40
"""Bytes for each pixel while a picture is decoded: its samples, and twice as 32-bit floats."""

DETECTION_BYTES = 70
"""Likewise where faces are then looked for: copies of the picture for every size of faces, and with a margin around."""

DEGRADATION_BYTES = 100
"""Likewise where the picture is then degraded."""

SHARE = 0.5
"""Share of the machine's memory that a picture may take unless another limit is given."""

CONTROL_GROUPS = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux says what a container may take."""


@cache
def machine_memory() -> int | None:
    """Bytes of memory of the machine or container; None where the system does not say."""
    limits = []
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for file in CONTROL_GROUPS:
        try:
            limits.append(int(file.read_text()))
        except (OSError, ValueError):  # not there, or no limit
            continue
    return min((limit for limit in limits if limit > 0), default=None)


def default_budget() -> int | None:
    """Bytes that a picture may take: `SHARE` of the machine's; None where it is not known."""
    memory = machine_memory()
    return None if memory is None else int(memory * SHARE)


@dataclass(frozen=True)
class MemoryBudget:
    """Memory that a picture may take, and what the work on it takes."""

    most: int | None = None
    """Bytes; None for `default_budget`."""
    bytes_per_pixel: int = DECODING_BYTES


USUAL = MemoryBudget()
_BUDGET: ContextVar[MemoryBudget] = ContextVar("memory budget", default=USUAL)


def check_gigabytes(gigabytes: float | None, option: str = "--max-memory") -> None:
    """Refuse a limit that leaves nothing or limits nothing; None is no limit.

    Args:
        option: What the limit is called on the command line.

    Raises:
        ValueError: If it is not positive, or not finite.
    """
    if gigabytes is not None and not 0 < gigabytes < float("inf"):
        raise ValueError(f"{option} is a number of gigabytes above zero, got {gigabytes}.")


@contextmanager
def memory_budget(
    gigabytes: float | None, bytes_per_pixel: int = DECODING_BYTES, option: str = "--max-memory"
) -> Iterator[None]:
    """Limit the memory of every picture that is decoded within.

    Args:
        gigabytes: What a picture may take; None for `default_budget`.
        bytes_per_pixel: What the work on it takes for each of its pixels.
        option: What the limit is called on the command line.

    Raises:
        ValueError: If the limit is not positive.
    """
    check_gigabytes(gigabytes, option)
    token = _BUDGET.set(MemoryBudget(None if gigabytes is None else int(gigabytes * 1e9), bytes_per_pixel))
    try:
        yield
    finally:
        _BUDGET.reset(token)


def allowed_bytes() -> int | None:
    """Bytes that a picture may take here; None if nothing limits them."""
    budget = _BUDGET.get()
    return default_budget() if budget.most is None else budget.most


def check_memory(name: str, size: tuple[int, int], bytes_per_pixel: int | None = None) -> None:
    """Refuse a picture that would take more memory than it may.

    Args:
        name: What to call it.
        size: Width and height in pixels.
        bytes_per_pixel: What it takes for each of its pixels; None for what the budget says.

    Raises:
        TooLargeImageError: If it would.

    Example:
        >>> with memory_budget(0.001):
        ...     check_memory("a.png", (100, 100))
    """
    most = allowed_bytes()
    width, height = size
    wanted = width * height * (_BUDGET.get().bytes_per_pixel if bytes_per_pixel is None else bytes_per_pixel)
    if most is not None and wanted > most:
        raise TooLargeImageError(
            f"{name} has {width} x {height} pixels, for which {wanted / 1e9:.2g} GB of memory are needed, and "
            f"{most / 1e9:.2g} GB may be taken; raise that limit, or give a smaller picture."
        )
