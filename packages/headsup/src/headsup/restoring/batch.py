"""A batch of pictures: one that fails does not stop the others, and an interruption leaves whole files."""

import errno
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console
from rich.progress import Progress

from faceops.command_line import as_sentence, is_out_of_memory
from headsup.restoring.jobs import Job
from headsup.restoring.picture_restoration import Setup, restore_file
from headsup.restoring.report import PictureRecord, Report

STOPPING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors that every further picture would meet: no space, no quota, a file system that is only read."""

OUT_OF_MEMORY = "the memory ran out; --memory GB, a smaller --tile or a smaller --scale helps."


def run_batch(jobs: Sequence[Job], setup: Setup, report: Report | None, console: Console, alone: bool = False) -> int:
    """Do all jobs; go on after one that fails, and say at the end which did and why.

    Args:
        jobs: What to do.
        setup: What the pictures share.
        report: Where each picture is reported.
        console: For progress and messages.
        alone: Whether the one job is all that was asked for: its error is raised then.

    Returns:
        How many are not done: those that failed, and those that are left where no further file can be written.

    Raises:
        ValueError: If a job that is alone fails.
        OSError: Likewise; or if not even the first file can be written.
        KeyboardInterrupt: If interrupted. What was being written is not left behind.
    """
    failures: list[str] = []
    done = 0
    try:
        with Progress(console=console, transient=True, disable=alone) as progress:
            for job in progress.track(jobs, description="restoring"):
                error = attempt(job, setup, report, console)
                if error is None:
                    done += 1
                elif alone or stops_all(error):
                    raise error
                else:
                    failures.append(reason_of(error, job))
                    console.print(failures[-1], markup=False)
    except BaseException as stop:
        if not alone:
            console.print(f"{done} of {len(jobs)} pictures are done; the same command goes on with the rest.")
        if done and isinstance(stop, OSError):
            console.print(as_sentence(stop), markup=False)
            return len(jobs) - done
        raise
    if failures:
        others = "; the others are done" if done else ""
        console.print(f"{len(failures)} of {len(jobs)} pictures could not be restored{others}:")
        for reason in failures:
            console.print(f"  {reason}", markup=False)
    return len(failures)


def attempt(job: Job, setup: Setup, report: Report | None, console: Console) -> Exception | None:
    """Do one job, print what is to be said of it and report it.

    Returns:
        The error that it failed with, if it did.

    Raises:
        OSError: If the report cannot be written.
    """
    error: Exception | None = None
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            record = restore_file(job, setup)
        record = replace(record, notes=[*record.notes, *(str(warning.message) for warning in caught)])
        for note in record.notes:
            console.print(f"{job.source}: {note}", markup=False)
        print(job.output, file=sys.stdout, flush=True)
    except (ValueError, OSError, MemoryError, RuntimeError) as failure:
        error = failure
        record = PictureRecord(str(job.source), str(job.output), "failed", error=reason_of(failure, job))
    if report is not None:
        report.add(record)
    return error


def stops_all(error: Exception) -> bool:
    """Whether every further picture would fail of the same."""
    return isinstance(error, OSError) and error.errno in STOPPING


def reason_of(error: Exception, job: Job) -> str:
    """Why a picture failed, with its name.

    Example:
        >>> from pathlib import Path
        >>> reason_of(ValueError("It is too dark."), Job(Path("a.png"), Path("b.png")))
        'a.png: It is too dark.'
    """
    sentence = OUT_OF_MEMORY if is_out_of_memory(error) else as_sentence(error)
    named = isinstance(error, OSError) or str(job.source) in sentence
    return sentence if named else f"{job.source}: {sentence}"
