"""``portraitdata score``: restored images and their targets in, a table of scores out."""

import sys
import warnings
from dataclasses import fields
from pathlib import Path

from rich.console import Console

from faceops.enumeration import counted
from faceops.images.encoding import WRITABLE_SUFFIXES
from faceops.progress.verbosity import say, say_failure
from portraitdata.commands.scoring_options import ScoreOptions
from portraitdata.scoring.conventions import describe
from portraitdata.scoring.folders import score_folders
from portraitdata.scoring.learned_metrics import NonCommercialWarning
from portraitdata.scoring.own_metrics import own_metric
from portraitdata.scoring.pairing import pair_folders
from portraitdata.scoring.selection import ScoringSettings, check_names
from portraitdata.scoring.table import ScoreTable, check_table_path


def run_score(options: ScoreOptions) -> int:
    """Score a folder, print the means or JSON, write the table.

    Returns:
        Exit status: 1 if a file has no score that should have one.

    Raises:
        ValueError: If there is nothing to score, or an argument is of no use.
        OSError: If a folder or file is not there or cannot be written.
    """
    check_outputs(options.output, options.sheet)
    names = [name.strip() for name in options.metrics.split(",") if name.strip()]
    if not names:
        raise ValueError(f"Name the metrics to compute, as psnr,ssim; got {options.metrics!r}.")
    check_names([name for name in names if "." not in name])
    metrics = [own_metric(name) if "." in name else name for name in names]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("once", NonCommercialWarning)
        table = score_folders(
            options.restored,
            options.target,
            metrics,
            ScoringSettings(**{field.name: getattr(options, field.name) for field in fields(ScoringSettings)}),
            references=options.references,
            masks=options.masks,
            restored_suffix=options.restored_suffix,
        )
    for notice in dict.fromkeys(str(warning.message) for warning in caught):
        say(f"note: {notice}")
    print_remarks(table)
    if options.json:
        print(table.as_json())
    else:
        images = counted(len(table.rows), "image")
        described = describe(options.convention, options.crop)
        Console().print(table.summary(f"{images}, convention {options.convention}: {described}"))
    write_files(table, options)
    return 1 if table.problems else 0


def write_files(table: ScoreTable, options: ScoreOptions) -> None:
    """Write the table and the sheet where they are wanted, and say where they are.

    Raises:
        OSError: If one cannot be written.
    """
    said = sys.stderr if options.json else sys.stdout
    if options.output is not None:
        table.write(options.output)
        print(options.output, file=said)
    if options.sheet is not None:
        from portraitdata.scoring.sheet import write_sheet

        paired = pair_folders(options.restored, options.target, restored_suffix=options.restored_suffix)
        write_sheet(table, paired.pairs, options.sheet)
        print(options.sheet, file=said)


def check_outputs(output: Path | None, sheet: Path | None) -> None:
    """Refuse, before any work is done, what could not be written.

    Raises:
        ValueError: If a suffix is of no format that is written.
        FileNotFoundError: If a folder is not there.
    """
    if output is not None:
        check_table_path(output)
    if sheet is not None:
        if sheet.suffix.lower() not in WRITABLE_SUFFIXES:
            raise ValueError(f"The sheet is written to one of {', '.join(WRITABLE_SUFFIXES)}, got {sheet}.")
        if not sheet.parent.is_dir():
            raise FileNotFoundError(f"The folder {sheet.parent} that {sheet.name} is to be written to does not exist.")


def print_remarks(table: ScoreTable) -> None:
    """Say on stderr what has no score, and why."""
    for problem in table.problems:
        say_failure(problem)
    if table.without_face:
        count = "1 image has" if len(table.without_face) == 1 else f"{len(table.without_face)} images have"
        say(f"{count} no face where one was wanted: {', '.join(table.without_face)}")
    for name, reason in table.skipped.items():
        say(f"skipped {name}: {reason}")
