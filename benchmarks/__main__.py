"""``python -m benchmarks [NAME ...]``: measure, print tables, write the report to outputs/benchmarks/report.html."""

import argparse
import time
from importlib import import_module
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.reporting.catalogue import Benchmark, benchmarks
from benchmarks.reporting.documents import ROOT, publish
from benchmarks.reporting.facts import CHANGED, UNKNOWN, facts
from benchmarks.reporting.report import write_report
from benchmarks.reporting.results import Outcome, keep_table, read_results, write_results
from benchmarks.reporting.table import LeftOutError, Suite, printed

OUTPUT = Path("outputs/benchmarks")
"""Folder of the results of the shipped weights."""

WIDTH = 110
"""Characters of a printed table."""


def main() -> None:
    """Run the benchmarks named on the command line, or those of the suite."""
    arguments = parsed()
    torch.set_num_threads(arguments.threads)
    arguments.output.mkdir(parents=True, exist_ok=True)
    console = Console(width=WIDTH)
    results, weights = read_results(arguments.output), arguments.weights
    known = benchmarks()
    wanted = arguments.names or [name for name, each in known.items() if belongs(each, arguments.suite, weights)]
    if arguments.publish and not arguments.names:
        wanted = []
    console.print(", ".join(f"{name}: {value}" for name, value in facts().items()))
    for name in wanted:
        if arguments.resume and is_current(results.get(name), arguments.suite):
            console.print(f"{name} was measured at this commit already.")
            continue
        results[name] = outcome_of(name, arguments.suite, arguments.output, console, weights)
        write_results(results, arguments.output)
        write_report(results, arguments.output)
    if arguments.publish:
        for document in publish(results, ROOT):
            console.print(f"{document} has the new figures.")
    if results:
        console.print(f"The report is {write_report(results, arguments.output)}.")


def parsed() -> argparse.Namespace:
    """The command line."""
    known = benchmarks()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(known)}")
    parser.add_argument(
        "--suite", choices=("quick", "full"), default="quick", help="ten minutes on two cores, or everything"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on after an interruption: leave out what this suite measured at this commit",
    )
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (default 2)")
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="judge another restorer than the usual one: a .safetensors file of headsup export",
    )
    parser.add_argument(
        "--output", type=Path, help=f"folder of the results (default {OUTPUT}, or one within it that the weights name)"
    )
    parser.add_argument(
        "--publish",
        action="store_true",
        help="put the results into README, docs and model cards; alone, without measuring again",
    )
    arguments = parser.parse_args()
    arguments.output = arguments.output or output_of(arguments.weights)
    if arguments.weights and (arguments.publish or arguments.resume):
        parser.error("--publish and --resume are for the shipped weights, without --weights")
    fixed = [name for name in arguments.names if name in known and not known[name].any_weights]
    if arguments.weights and fixed:
        parser.error(f"{', '.join(fixed)} judges the shipped weights alone, without --weights")
    unknown = [name for name in arguments.names if name not in known]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(known)}")
    return arguments


def output_of(weights: str | None) -> Path:
    """Folder of the results, a separate one for weights that are not the shipped ones.

    Example:
        >>> str(output_of("runs/second.safetensors"))
        'outputs/benchmarks/weights/second'
    """
    return OUTPUT if weights is None else OUTPUT / "weights" / Path(weights).stem


def belongs(benchmark: Benchmark, suite: Suite, weights: str | None) -> bool:
    """Whether a benchmark is measured if none is named; of other weights, only what judges them."""
    return (benchmark.quick or suite == "full") and (weights is None or benchmark.any_weights)


def is_current(outcome: Outcome | None, suite: Suite) -> bool:
    """Whether a benchmark was measured by this suite, here, with the files of this commit, all unchanged."""
    here = facts()
    if outcome is None or outcome.left_out or here["commit"] == UNKNOWN or here["commit"].endswith(CHANGED):
        return False
    then = {**outcome.facts, "date": here["date"]}
    return outcome.suite == suite and then == here


def outcome_of(name: str, suite: Suite, folder: Path, console: Console, weights: str | None = None) -> Outcome:
    """Measure, print and keep; what cannot be measured here is said."""
    benchmark = benchmarks()[name]
    named = {} if weights is None else {"weights": weights}
    known, start = facts(), time.perf_counter()
    console.rule(name)
    try:
        tables = import_module(benchmark.module).measure(suite, **named)
    except LeftOutError as error:
        console.print(f"It is left out: it {error}.")
        return Outcome(suite, time.perf_counter() - start, known, left_out=str(error))
    seconds = time.perf_counter() - start
    for table in tables:
        console.print(printed(table))
        if table.note:
            console.print(table.note)
    console.print(f"({seconds:.0f} s)")
    return Outcome(suite, seconds, known, [keep_table(table, known, folder) for table in tables])


if __name__ == "__main__":
    main()
