"""Starting commands: the processor time of whole processes, from help to a small picture.

Every process has one thread, and byte code that an earlier turn has written: that of an installed program. What no
command can avoid, Python and the import of torch, is measured beside.
"""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.reporting.table import Suite, Table
from faceops.images.files import Picture, save_picture
from portraitdata.images.resampling import bicubic
from portraitdata.images.simulated_views import astronaut

SIDE = 32
"""Of the picture in pixels: so small that starting is nearly all."""

TURNS = {"quick": 1, "full": 5}
"""Of each command, after those that are not counted and write the byte code."""

UNTIL_FIRST_TILE = """
import os, runpy, sys
from torch.nn.modules.module import register_module_forward_pre_hook
register_module_forward_pre_hook(lambda *_: os._exit(0))
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__")
sys.exit("No network was called.")
"""
"""Runs a command and ends the process where it first calls a network."""

RESTORE = ("headsup", "restore", "picture.png", "--output", "restored.png", "--scale", "2", "--overwrite")
UPSCALE = ("hime", "upscale", "picture.png", "--output", "upscaled.png", "--overwrite")

COMMANDS: dict[str, tuple[str, ...]] = {
    "python": ("-c", "pass"),
    "import torch": ("-c", "import torch"),
    "headsup --version": ("-m", "headsup", "--version"),
    "headsup --help": ("-m", "headsup", "--help"),
    "headsup restore, no such file": ("-m", "headsup", "restore", "missing.png", "--output", "restored.png"),
    "headsup restore, to the first tile": ("-c", UNTIL_FIRST_TILE, *RESTORE),
    "headsup restore": ("-m", *RESTORE),
    "hime --version": ("-m", "hime", "--version"),
    "hime --help": ("-m", "hime", "--help"),
    "hime upscale, no such file": ("-m", "hime", "upscale", "missing.png", "--output", "upscaled.png"),
    "hime upscale, to the first tile": ("-c", UNTIL_FIRST_TILE, *UPSCALE),
    "hime upscale": ("-m", *UPSCALE),
    "portraitdata --help": ("-m", "portraitdata", "--help"),
    "faceops --help": ("-m", "faceops", "--help"),
}
"""What is measured: the words after the interpreter's name."""

FIRST = {"quick": ("headsup restore", "hime upscale"), "full": tuple(COMMANDS)}
"""What runs first and is not counted; the two commands of the quick suite import nearly all that the others do."""

LEFT_OUT = {"quick": ("headsup restore, to the first tile", "hime upscale, to the first tile"), "full": ()}
"""What is not measured."""

REFUSED = 2
"""Exit status of what cannot be done."""


class Taken(NamedTuple):
    """What a process took."""

    cpu: float
    """Seconds of the processor, its own and the system's for it."""
    wall: float
    """Seconds."""


def measure(suite: Suite) -> list[Table]:
    """Seconds of every command, medians of turns."""
    turns = TURNS[suite]
    with TemporaryDirectory() as name:
        folder = Path(name)
        save_picture(Picture(bicubic(astronaut(), SIDE, SIDE).clamp(0, 1)), folder / "picture.png")
        for command in FIRST[suite]:
            run(command, folder)
        taken = {
            command: [run(command, folder) for _ in range(turns)]
            for command in COMMANDS
            if command not in LEFT_OUT[suite]
        }
    rows = tuple(
        (command, median(turn.cpu for turn in turns), median(turn.wall for turn in turns))
        for command, turns in taken.items()
    )
    title = f"Starting commands, one thread; restored and upscaled are {SIDE} x {SIDE} pixels, with shipped weights"
    note = f"Medians of {turns} turns, after one that wrote the byte code." if turns > 1 else ""
    return [
        Table("startup", title, ("command", "CPU s", "s"), rows, ("CPU s",), "CPU time, s", note, logarithmic=False)
    ]


def run(command: str, folder: Path) -> Taken:
    """Run a command of the table and measure it."""
    return process(COMMANDS[command], folder, REFUSED if "no such file" in command else 0)


def process(words: Sequence[str], folder: Path, status: int = 0) -> Taken:
    """Run Python with these words and measure it.

    Args:
        words: What follows the interpreter's name.
        folder: Where it runs, and where its byte code is kept.
        status: Exit status that it must have.

    Raises:
        RuntimeError: If it has another.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = kept | {"OMP_NUM_THREADS": "1", "PYTHONPYCACHEPREFIX": str(folder / "byte_code")}
    before, start = children_seconds(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    wall = time.perf_counter() - start
    if done.returncode != status:
        raise RuntimeError(f"python {' '.join(words)} ended with {done.returncode}, not {status}: {done.stderr}")
    return Taken(children_seconds() - before, wall)


def children_seconds() -> float:
    """Processor time of all processes that this one has started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
