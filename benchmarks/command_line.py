"""The command line of the benchmarks; without torch, so that what cannot be is refused at once."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from benchmarks.given.given_tests import Device, GivenSet, GivenTests
from benchmarks.given.planned_tests import kind_of, plan_tests
from benchmarks.given.yaml_tests import read_tests
from benchmarks.reporting.catalogue import benchmarks
from faceops.error_sentences import as_sentence
from headsup.restoring.public_restorers.public_files import is_public
from headsup.weights.shipped import DEFAULT_WEIGHTS

DESCRIPTION = "Measure, print tables, and write the report to report.html in the folder of the results."

OUTPUT = Path("outputs/benchmarks")
"""Folder of the results of the shipped weights."""

GIVEN = "given_sets"
"""The benchmark of test sets that somebody gives."""

GIVEN_OPTIONS = ("results", "metrics", "limit", "size", "device", "download")
"""Options that count with folders of --sets alone."""


def parsed() -> argparse.Namespace:
    """The command line; `tests` is what it gives to be tested, found on disk, or None."""
    known = benchmarks()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=DESCRIPTION)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(known)}")
    parser.add_argument(
        "--suite", choices=("quick", "full"), default="quick", help="ten minutes on two cores, or everything"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on after an interruption: leave out what this suite measured at this commit",
    )
    parser.add_argument(
        "--threads", type=int, default=2, help="threads of torch (default 2); what counts CPU seconds has one"
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="judge another restorer than the usual one: a .safetensors file of headsup export; with --sets also one "
        "of hime export, or any that spandrel knows",
    )
    parser.add_argument(
        "--output",
        type=Path,
        help=f"folder of the results (default {OUTPUT}, or one within it that the weights or --sets name)",
    )
    parser.add_argument(
        "--publish",
        action="store_true",
        help="put the results into README, docs and model cards; alone, without measuring again",
    )
    add_given_tests(parser)
    arguments = parser.parse_args()
    arguments.output = arguments.output or output_of(arguments.weights, arguments.sets is not None)
    check_names(parser, arguments)
    if arguments.threads < 1:
        parser.error(f"--threads is 1 at least, got {arguments.threads}")
    try:
        if arguments.weights and arguments.sets is None:
            check_weights(arguments.weights)
        given = given_tests(arguments)
        arguments.tests = None if given is None else plan_tests(given, arguments.output)
    except (ValueError, OSError, ImportError) as error:
        parser.exit(2, f"{parser.prog}: {as_sentence(error)}\n")
    if arguments.tests is not None:
        arguments.names, arguments.weights = [GIVEN], None
    return arguments


def add_given_tests(parser: argparse.ArgumentParser) -> None:
    """Add the options of tests on sets that somebody gives."""
    group = parser.add_argument_group("tests on sets of your own")
    group.add_argument(
        "--sets",
        nargs="+",
        metavar="SET",
        help="[NAME=]FOLDER of a published test set as it is published, of hq, lq and reference, or of a portrait "
        "index; or a YAML file that says everything",
    )
    group.add_argument(
        "--results",
        nargs="+",
        metavar="NAME=FOLDER",
        help="pictures that other software has made of the inputs; of several sets in a folder of the set's name",
    )
    group.add_argument("--metrics", help="names of `portraitdata score`, as psnr,lpips (default those of the paper)")
    group.add_argument("--limit", type=int, help="use only this many pictures of each set, evenly spread")
    group.add_argument("--size", type=int, help="of an index, side of the truths in pixels (default 1024)")
    group.add_argument("--device", choices=get_args(Device), help="where restorers and metrics run (default cpu)")
    group.add_argument("--download", action="store_true", help="fetch weights of metrics that are missing")


def check_names(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuse names of benchmarks that are not known, and options that do not go together."""
    known, names = benchmarks(), arguments.names
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(known)}")
    if arguments.sets is not None:
        if names not in ([], [GIVEN]) or arguments.publish or arguments.resume:
            parser.error(f"--sets is for {GIVEN} alone, without other benchmarks, --publish and --resume")
        return
    if arguments.weights and (arguments.publish or arguments.resume):
        parser.error("--publish and --resume are for the shipped weights, without --weights")
    fixed = [name for name in names if not known[name].any_weights]
    if arguments.weights and fixed:
        parser.error(f"{', '.join(fixed)} judges the shipped weights alone, without --weights")
    given = [name for name in GIVEN_OPTIONS if getattr(arguments, name)]
    if given:
        parser.error(f"--{given[0]} is for tests on sets of your own; name them with --sets")


def check_weights(weights: str) -> None:
    """Refuse other weights than a restorer's that `headsup export` has written, or that is shipped.

    Raises:
        ValueError: If they are others, or none.
        OSError: If there is no such file.
    """
    if is_public(weights) or kind_of(weights) != "headsup":
        raise ValueError(f"{weights} holds no weights of headsup export; others are judged on sets, see --sets.")


def given_tests(arguments: argparse.Namespace) -> GivenTests | None:
    """What is to be tested on what; None without --sets. Weights of the command line are one row more than the file's.

    Raises:
        ValueError: If something is no NAME=PATH, given twice, or beside a file that has it.
        OSError: If the file is not there.
    """
    if arguments.sets is None:
        return None
    weights = {Path(arguments.weights).stem: arguments.weights} if arguments.weights else {}
    if len(arguments.sets) == 1 and Path(arguments.sets[0]).suffix in (".yaml", ".yml"):
        beside = [name for name in GIVEN_OPTIONS if getattr(arguments, name)]
        if beside:
            raise ValueError(f"{arguments.sets[0]} says everything; put {', '.join(beside)} there.")
        read = read_tests(Path(arguments.sets[0]))
        return with_usual_weights(replace(read, weights={**read.weights, **weights}))
    size = GivenSet.size if arguments.size is None else arguments.size
    tests = GivenTests(
        sets={name: GivenSet(folder, size=size) for name, folder in named(arguments.sets).items()},
        weights=weights,
        results=named(arguments.results or ()),
        metrics=tuple(name.strip() for name in (arguments.metrics or "").split(",") if name.strip()),
        limit=arguments.limit,
        device=arguments.device or GivenTests.device,
        download=arguments.download,
    )
    return with_usual_weights(tests)


def with_usual_weights(tests: GivenTests) -> GivenTests:
    """Tests of the shipped weights, if neither weights nor results are given."""
    return tests if tests.weights or tests.results else replace(tests, weights={DEFAULT_WEIGHTS: DEFAULT_WEIGHTS})


def named(texts: Sequence[str]) -> dict[str, Path]:
    """Folders by name, from NAME=FOLDER or FOLDER, whose own name it has then.

    Raises:
        ValueError: If two have one name.

    Example:
        >>> {name: folder.as_posix() for name, folder in named(["data/RealSR/", "mine=photos"]).items()}
        {'RealSR': 'data/RealSR', 'mine': 'photos'}
    """
    found: dict[str, Path] = {}
    for text in texts:
        before, equals, after = text.partition("=")
        folder = Path(after if equals else text)
        name = before if equals else folder.resolve().name
        if name in found:
            raise ValueError(
                f"{found[name]} and {folder} would both be called {name}; give one another name, as NAME=."
            )
        found[name] = folder
    return found


def output_of(weights: str | None, of_given_sets: bool = False) -> Path:
    """Folder of the results, a separate one for weights that are not the shipped ones, and for sets that are given.

    Example:
        >>> output_of("runs/second.safetensors").as_posix(), output_of(None, of_given_sets=True).as_posix()
        ('outputs/benchmarks/weights/second', 'outputs/benchmarks/given_sets')
    """
    if of_given_sets:
        return OUTPUT / GIVEN
    return OUTPUT if weights is None else OUTPUT / "weights" / Path(weights).stem
