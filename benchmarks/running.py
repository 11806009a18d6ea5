"""Measuring what a command line names: tables are printed and kept, and the report is written after each."""

import sys
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.given.planned_tests import PlannedTests
from benchmarks.reporting.catalogue import SECTIONS, Benchmark, benchmarks
from benchmarks.reporting.documents import ROOT, publish
from benchmarks.reporting.facts import CHANGED, UNKNOWN, facts
from benchmarks.reporting.report import write_report
from benchmarks.reporting.results import Outcome, keep_table, read_results, write_results
from benchmarks.reporting.table import LeftOutError, Suite, Table, printed
from faceops.error_sentences import as_sentence

WIDTH = 110
"""Characters of a printed table."""


def run(arguments: Namespace) -> None:
    """Run the benchmarks named on the command line, or those of the suite.

    Args:
        arguments: From `benchmarks.command_line.parsed`.
    """
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
        results[name] = outcome_of(name, arguments.suite, arguments.output, console, weights, arguments.tests)
        write_results(results, arguments.output)
        write_report(results, arguments.output, sections_of(arguments.tests))
    if arguments.publish:
        try:
            for document in publish(results, ROOT, arguments.output):
                console.print(f"{document} has the new figures.")
        except (ValueError, OSError) as error:
            sys.exit(f"python -m benchmarks: {as_sentence(error)}")
    if results:
        console.print(f"The report is {write_report(results, arguments.output, sections_of(arguments.tests))}.")


def belongs(benchmark: Benchmark, suite: Suite, weights: str | None) -> bool:
    """Whether a benchmark is measured if none is named; of other weights, only what judges them."""
    asked = benchmark.quick or suite == "full"
    return asked and not benchmark.of_given_sets and (weights is None or benchmark.any_weights)


def sections_of(tests: PlannedTests | None) -> Mapping[str, Sequence[Benchmark]]:
    """Sections of the report: all, or the one on sets that somebody gives."""
    chosen = {name: members for name, members in SECTIONS.items() if any(each.of_given_sets for each in members)}
    return SECTIONS if tests is None else chosen


def is_current(outcome: Outcome | None, suite: Suite) -> bool:
    """Whether a benchmark was measured by this suite, here, with the files of this commit, all unchanged."""
    here = facts()
    if outcome is None or outcome.left_out or here["commit"] == UNKNOWN or here["commit"].endswith(CHANGED):
        return False
    then = {**outcome.facts, "date": here["date"]}
    return outcome.suite == suite and then == here


def outcome_of(
    name: str,
    suite: Suite,
    folder: Path,
    console: Console,
    weights: str | None = None,
    tests: PlannedTests | None = None,
) -> Outcome:
    """Measure, print and keep; what cannot be measured here is said."""
    benchmark = benchmarks()[name]
    given = {"weights": weights, "tests": tests}
    named = {key: value for key, value in given.items() if value is not None}
    known, start = facts(), time.perf_counter()
    console.rule(name)
    try:
        tables = import_module(benchmark.module).measure(suite, **named)
    except LeftOutError as error:
        console.print(f"It is left out: it {error}.")
        return Outcome(suite, time.perf_counter() - start, known, left_out=str(error))
    except (ValueError, OSError, ImportError) as error:
        if tests is None:
            raise
        sys.exit(f"python -m benchmarks: {as_sentence(error)}")
    seconds = time.perf_counter() - start
    for table in tables:
        console.print(printed(table))
        if table.note:
            console.print(table.note)
        if tests is not None and table.published is not None:
            beside = table.published
            console.print(printed(Table(table.name, beside.source, beside.columns, beside.rows)))
    console.print(f"({seconds:.0f} s)")
    return Outcome(suite, seconds, known, [keep_table(table, known, folder) for table in tables])
