"""What is wrong with how a command ended: five kinds of faults."""

import json
from pathlib import Path

import numpy as np

from benchmarks.fuzz.running import Ending

KINDS = "traceback", "hang", "memory", "half file", "exit status"
"""What is counted."""

BUDGET = int(1.5 * 2**30)
"""Bytes that a command may take that is given one gigabyte for its pictures; its networks and libraries come on top."""

ALL, SOME, NONE = 0, 1, 2
"""Exit statuses of a command: all of its files are done, a part of them, none."""


def faults(ending: Ending, output: Path, wanted: int | None, budget: int = BUDGET) -> dict[str, str]:
    """Faults of one ending by kind, each with what was seen.

    Args:
        ending: How the command ended.
        output: Folder that it wrote to.
        wanted: Files that it writes there if it does all; None if it is a check, which may find fault with status 1.
        budget: Bytes of memory that it may take.
    """
    found = {}
    if "Traceback (most recent call last)" in ending.said or (ending.status < 0 and not ending.timed_out):
        found["traceback"] = (ending.said.strip().splitlines() or [""])[-1] or f"signal {-ending.status}"
    if ending.timed_out:
        found["hang"] = f"killed after {ending.seconds:.0f} s of the processor"
    if ending.memory > budget:
        found["memory"] = f"{ending.memory / 2**20:.0f} MB"
    files = sorted(path for path in output.rglob("*") if not path.is_dir())
    unread = [path.name for path in files if not opens(path)]
    if unread:
        found["half file"] = ", ".join(map(repr, unread))
    if not ending.timed_out and (said := false_status(ending, len(files) - len(unread), wanted)):
        found["exit status"] = said
    return found


def false_status(ending: Ending, written: int, wanted: int | None) -> str:
    """What contradicts the exit status; empty if nothing does."""
    if ending.status == NONE and not ending.said.strip():
        return "2, and not a word on stderr"
    if ending.status not in (ALL, SOME, NONE):
        return f"{ending.status}"
    if wanted is None:
        return "0, and not a word on stdout" if ending.status == ALL and not ending.printed.strip() else ""
    right = {ALL: written >= wanted, SOME: written > 0, NONE: written == 0}[ending.status]
    return "" if right else f"{ending.status}, and {written} of {wanted} files"


def opens(path: Path) -> bool:
    """Tell whether a reader that is not ours opens a file to its end; temporary files have hidden names."""
    from PIL import Image
    from pyarrow import parquet

    if path.name.startswith("."):
        return False
    try:
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".jsonl":
            [json.loads(line) for line in path.read_text().splitlines()]
        elif path.suffix == ".csv":
            return path.read_text().endswith("\n")
        elif path.suffix == ".npz":
            with np.load(path) as arrays:
                [arrays[name] for name in arrays]
        elif path.suffix == ".parquet":
            parquet.read_table(path)
        else:
            with Image.open(path) as picture:
                picture.load()
    except Exception:  # whatever a reader raises, it does not open
        return False
    return True
