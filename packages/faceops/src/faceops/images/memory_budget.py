"""How much memory a picture may take: told by its header, before anything is decoded."""

import os
from functools import cache
from pathlib import Path

from faceops.images.errors import TooLargeImageError

DECODING_BYTES = 40
"""Bytes for each pixel while a picture is decoded: its samples, and twice as 32-bit floats."""

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


def memory_of(gigabytes: float | None) -> int | None:
    """Bytes of the option ``--max-memory``; None for the default.

    Raises:
        ValueError: If it is not positive.

    Example:
        >>> memory_of(1.5), memory_of(None)
        (1500000000, None)
    """
    if gigabytes is None:
        return None
    if not 0 < gigabytes < float("inf"):
        raise ValueError(f"--max-memory is a number of gigabytes above zero, got {gigabytes}.")
    return int(gigabytes * 1e9)


def check_memory(name: str, size: tuple[int, int], bytes_per_pixel: int, max_memory: int | None = None) -> None:
    """Refuse a picture that would take more memory than it may.

    Args:
        name: What to call it.
        size: Width and height in pixels.
        bytes_per_pixel: What the work takes for each.
        max_memory: Bytes that it may take; None for `default_budget`.

    Raises:
        TooLargeImageError: If it would.

    Example:
        >>> check_memory("a.png", (100, 100), 40, 1_000_000)
    """
    budget = default_budget() if max_memory is None else max_memory
    width, height = size
    wanted = width * height * bytes_per_pixel
    if budget is not None and wanted > budget:
        raise TooLargeImageError(
            f"{name} has {width} x {height} pixels, for which {wanted / 1e9:.1f} GB of memory are needed, and "
            f"{budget / 1e9:.1f} GB may be taken; give a larger --max-memory, or a smaller picture."
        )
