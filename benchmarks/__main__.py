"""``python -m benchmarks [NAME ...]``: measure, print tables, write numbers and plots to outputs/benchmarks/."""

import argparse
from importlib import import_module
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.photographs import NoPhotographsError
from benchmarks.table import plot, printed, write_json
from benchmarks.timing import machine

BENCHMARKS = (
    "correlation_loss",
    "alignment_operator",
    "training_throughput",
    "degradation",
    "loader",
    "face_alignment",
    "face_detection",
    "face_verification",
    "boundary_artifact",
    "exemplar_alignment",
    "builder",
    "restorer_step",
)
"""Modules of this folder; each has a function ``measure() -> list[Table]``."""


WIDTH = 110
"""Characters of a printed table."""


def main() -> None:
    """Run the benchmarks named on the command line, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(BENCHMARKS)}; default all"
    )
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (default 2)")
    parser.add_argument("--output", type=Path, default=Path("outputs/benchmarks"), help="folder of the results")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    torch.set_num_threads(arguments.threads)
    arguments.output.mkdir(parents=True, exist_ok=True)
    console = Console(width=WIDTH)
    facts = machine()
    console.print(", ".join(f"{fact}: {value}" for fact, value in facts.items()))
    for name in arguments.names or BENCHMARKS:
        try:
            tables = import_module(f"benchmarks.{name}").measure()
        except NoPhotographsError as error:
            console.print(f"{name} is left out: it {error}.")
            continue
        for table in tables:
            console.print(printed(table))
            write_json(table, facts, arguments.output / f"{table.name}.json")
            plot(table, facts, arguments.output / f"{table.name}.png")


if __name__ == "__main__":
    main()
