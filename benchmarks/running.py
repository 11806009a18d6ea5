"""Measuring what a command line names: tables are printed and kept, and the report is written after each."""

import sys
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from pathlib import Path
from subprocess import CalledProcessError

import torch
from rich.console import Console

from benchmarks.given.planned_tests import PlannedTests
from benchmarks.reporting.catalogue import SECTIONS, Benchmark, benchmarks
from benchmarks.reporting.documents import ROOT, of_quick_suite, publish
from benchmarks.reporting.facts import CHANGED, UNKNOWN, facts, surroundings
from benchmarks.reporting.report import write_report
from benchmarks.reporting.results import Outcome, keep_table, read_results, write_results
from benchmarks.reporting.table import LeftOutError, Suite, Table, printed
from faceops.error_sentences import as_sentence
from portraitdata.loading.workers import one_thread

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
    results = read_results(arguments.output)
    known = facts()
    console.print(", ".join(f"{name}: {value}" for name, value in known.items()))
    if arguments.resume and not is_committed(known):
        console.print("Nothing is left out by --resume: it needs a commit, and files that are unchanged since.")
    failed = measure_wanted(arguments, results, console)
    if arguments.publish:
        publish_to_documents(results, arguments.output, console)
    if results:
        console.print(f"The report is {write_report(results, arguments.output, sections_of(arguments.tests))}.")
    if failed:
        sys.exit("\n".join(f"python -m benchmarks: {name} failed: {sentence}" for name, sentence in failed.items()))


def measure_wanted(arguments: Namespace, results: dict[str, Outcome], console: Console) -> dict[str, str]:
    """Measure, and write results and report after each benchmark.

    Args:
        arguments: From `benchmarks.command_line.parsed`.
        results: What was measured before; what is measured now takes its place.
        console: Where tables are printed.

    Returns:
        What went wrong, a sentence by benchmark.
    """
    failed: dict[str, str] = {}
    for name in wanted(arguments):
        with threads_of(name):
            if arguments.resume and is_current(results.get(name), arguments.suite):
                console.print(f"{name} was measured at this commit already.")
                continue
            outcome = outcome_of(name, arguments.suite, arguments.output, console, arguments.weights, arguments.tests)
        if outcome.failed:
            failed[name] = outcome.failed
        if not outcome.tables and name in results and results[name].tables:
            console.print("What was measured before is kept.")
            continue
        results[name] = outcome
        write_results(results, arguments.output)
        write_report(results, arguments.output, sections_of(arguments.tests))
    return failed


def wanted(arguments: Namespace) -> list[str]:
    """Benchmarks that are named, or those of the suite; none to publish what there is."""
    if arguments.names or arguments.publish:
        return list(arguments.names)
    return [name for name, each in benchmarks().items() if belongs(each, arguments.suite, arguments.weights)]


def threads_of(name: str) -> AbstractContextManager[None]:
    """The threads of a benchmark, which are among its facts: those of the command line, or one."""
    return one_thread() if benchmarks()[name].one_thread else nullcontext()


def publish_to_documents(results: Mapping[str, Outcome], folder: Path, console: Console) -> None:
    """Put the results into the documents; end the program with a sentence where anything is missing."""
    try:
        for document in publish(results, ROOT, folder):
            console.print(f"{document} has the new figures.")
        if quick := of_quick_suite(results, ROOT):
            console.print(f"Not published is what the quick suite measured, use --suite full: {', '.join(quick)}.")
    except (ValueError, OSError) as error:
        sys.exit(f"python -m benchmarks: {as_sentence(error)}")


def belongs(benchmark: Benchmark, suite: Suite, weights: str | None) -> bool:
    """Whether a benchmark is measured if none is named; of other weights, only what judges them."""
    asked = benchmark.quick or suite == "full"
    return asked and not benchmark.of_given_sets and (weights is None or benchmark.any_weights)


def sections_of(tests: PlannedTests | None) -> Mapping[str, Sequence[Benchmark]]:
    """Sections of the report: all, or the one on sets that somebody gives."""
    chosen = {name: members for name, members in SECTIONS.items() if any(each.of_given_sets for each in members)}
    return SECTIONS if tests is None else chosen


def is_current(outcome: Outcome | None, suite: Suite) -> bool:
    """Whether a benchmark was measured by this suite, here, with the files of this commit, and all else unchanged."""
    here = facts()
    if outcome is None or outcome.left_out or outcome.failed or not is_committed(here):
        return False
    then = {**outcome.facts, "date": here["date"]}
    return outcome.suite == suite and then == here and outcome.surroundings == surroundings()


def is_committed(here: Mapping[str, str]) -> bool:
    """Whether the commit says which files were measured."""
    return here["commit"] != UNKNOWN and not here["commit"].endswith(CHANGED)


def outcome_of(
    name: str,
    suite: Suite,
    folder: Path,
    console: Console,
    weights: str | None = None,
    tests: PlannedTests | None = None,
) -> Outcome:
    """Measure; what cannot be measured here is said, and what goes wrong ends no other benchmark.

    Every table is printed and its files are written as soon as it is there: one of several may take hours.
    """
    benchmark = benchmarks()[name]
    given = {"weights": weights, "tests": tests}
    named = {key: value for key, value in given.items() if value is not None}
    known, start, failed = facts(), time.perf_counter(), ""
    kept = []
    console.rule(name)
    try:
        for table in import_module(benchmark.module).measure(suite, **named):
            show(table, console, beside=tests is not None)
            kept.append(keep_table(table, known, folder))
    except LeftOutError as error:
        console.print(f"It is left out: it {error}.")
        return Outcome(suite, time.perf_counter() - start, known, left_out=str(error))
    except (ValueError, OSError, ImportError, RuntimeError, CalledProcessError) as error:
        if isinstance(error, RuntimeError):
            console.print_exception()  # it is not what was asked for that is wrong, but the program or the machine
        failed = as_sentence(error)
    seconds = time.perf_counter() - start
    if failed:
        console.print(f"It failed: {failed}")
    console.print(f"({seconds:.0f} s)")
    return Outcome(suite, seconds, known, kept, failed=failed, surroundings=surroundings())


def show(table: Table, console: Console, beside: bool) -> None:
    """Print a table with its note and, if that is wanted, the paper's beside it."""
    console.print(printed(table))
    if table.note:
        console.print(table.note)
    if beside and table.published is not None:
        paper = table.published
        console.print(printed(Table(table.name, paper.source, paper.columns, paper.rows)))
