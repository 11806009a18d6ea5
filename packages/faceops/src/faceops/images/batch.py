"""A batch of pictures: one that fails does not stop the others, and an interruption leaves whole files."""

import errno
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from faceops.error_sentences import as_sentence, as_sentence_about, is_out_of_memory
from faceops.images.jobs import Job
from faceops.progress.display import shown
from faceops.progress.tracker import parts
from faceops.progress.verbosity import say, say_failure, say_more

STOPPING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors that every further picture would meet: no space, no quota, a file system that is only read."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Outcome(Generic[Result]):
    """Outcome of a job."""

    job: Job
    result: Result | None = None
    """Result of the work; None if it failed."""
    notes: Sequence[str] = ()
    """Sentences about it, its warnings among them."""
    error: Exception | None = None
    reason: str = ""
    """Why it failed, with the name of the picture; empty if it did not."""


@dataclass(frozen=True)
class Batch:
    """Work of a command on its images."""

    work: Callable[[Job], Outcome[Any]]
    """Does a job and fails with an outcome, not with an exception, as `attempt` does."""
    doing: str
    """Word for the progress, such as Restoring."""
    done: str
    """Word for what became of a picture, such as restored."""
    lists_results: bool = True
    """True if each file that is written is a line on stdout."""


def attempt(job: Job, work: Callable[[Job], Result], out_of_memory: str = "the memory ran out.") -> Outcome[Result]:
    """Do one job, whatever comes of it.

    Args:
        out_of_memory: What to say if memory runs out, on whatever device.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            result = work(job)
        except Exception as error:  # of whatever kind: it is this picture's, and the others can be done
            return Outcome(job, error=error, reason=reason_of(error, job, out_of_memory))
    return Outcome(job, result, [str(warning.message) for warning in caught])


def reason_of(error: Exception, job: Job, out_of_memory: str) -> str:
    """Why a picture failed, with its name.

    Example:
        >>> from pathlib import Path
        >>> reason_of(ValueError("It is too dark."), Job(Path("a.png"), Path("b.png"), "a.png"), "")
        'a.png: It is too dark.'
    """
    if is_out_of_memory(error):
        return f"{job.source}: {out_of_memory}"
    if isinstance(error, ValueError | OSError | RuntimeError):
        return as_sentence_about(error, job.source)
    return f"{job.source}: {type(error).__name__}: {error}"


def stops_all(error: Exception) -> bool:
    """Tell whether every further picture would fail of the same."""
    return isinstance(error, OSError) and error.errno in STOPPING


def run_batch(jobs: Sequence[Job], batch: Batch, alone: bool = False) -> int:
    """Do all jobs; go on after one that fails, and say at the end which did and why.

    Args:
        alone: Whether the one job is all that was asked for: its error is raised then.

    Returns:
        How many are not done: those that failed, and those that are left where no further file can be written.

    Raises:
        ValueError: If a job that is alone fails.
        OSError: Likewise; or if not even the first file can be written.
        BrokenPipeError: If nobody reads stdout any more.
        KeyboardInterrupt: If interrupted. What was being written is not left behind.
    """
    failures: list[str] = []
    done = 0
    try:
        with shown(batch.doing):
            for job in parts(jobs, "picture"):
                start = time.perf_counter()
                outcome = batch.work(job)
                say_more(f"{job.source}: {time.perf_counter() - start:.2f} s")
                if outcome.error is None:
                    done += 1
                    tell(outcome, batch.lists_results)
                elif alone or stops_all(outcome.error):
                    raise outcome.error
                else:
                    failures.append(outcome.reason)
                    say_failure(outcome.reason)
                del outcome  # the traceback of its error holds the picture's memory, which the next one needs
    except BaseException as stop:
        if not alone:
            say_failure(f"{done} of {len(jobs)} pictures are done; the same command goes on with the rest.")
        if done and isinstance(stop, OSError) and not isinstance(stop, BrokenPipeError):
            say_failure(as_sentence(stop))
            return len(jobs) - done
        raise
    if failures:
        others = "; the others are done" if done else ""
        say_failure(f"{len(failures)} of {len(jobs)} pictures could not be {batch.done}{others}:")
        for reason in failures:
            say_failure(f"  {reason}")
    return len(failures)


def tell(outcome: Outcome[Any], lists_results: bool) -> None:
    """Print what is to be said of a job that is done."""
    for note in outcome.notes:
        say(f"{outcome.job.source}: {note}")
    if lists_results and not outcome.job.to_stdout:
        print(outcome.job.output, file=sys.stdout, flush=True)
