"""What there is to do: a picture to read and a picture to write, for files, folders and globs."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from faceops.images.encoding import WRITABLE_SUFFIXES
from faceops.images.picture_files import READABLE_SUFFIXES, check_single, check_there, find_pictures, is_picture
from headsup.weights.shipped import find_weights


@dataclass(frozen=True)
class Job:
    """One picture to restore and what to write."""

    source: Path
    output: Path
    sheet: Path | None = None
    """Comparison sheet; None for none."""


def input_files(inputs: Sequence[Path]) -> list[Path]:
    """Files, the pictures of folders, and those that patterns such as ``album/*.jpg`` match; each once.

    Raises:
        ValueError: If a folder holds no picture, or nothing matches a pattern.
    """
    files: list[Path] = []
    for path in inputs:
        found = [path]
        if path.is_dir():
            found = find_pictures(path)
        elif not path.exists() and any(sign in str(path) for sign in "*?["):
            found = sorted(file for file in map(Path, glob(str(path), recursive=True)) if is_picture(file))
        if not found:
            raise ValueError(f"There are no pictures in {path}." if path.is_dir() else f"Nothing matches {path}.")
        files += found
    return list(dict.fromkeys(files))


def plan_jobs(inputs: Sequence[Path], output: Path, compare: Path | None = None) -> list[Job]:
    """What to do for every picture.

    Args:
        inputs: Files, folders and patterns.
        output: Picture to write, if there is one input and the name ends as that of a picture; else a folder.
        compare: Sheet to write if `output` is a picture, or if there is one input; else a folder of sheets.

    Raises:
        ValueError: If there is no picture, a result would replace an input or another result, or a file is where a
            folder must be.
    """
    files = input_files(inputs)
    single = len(files) == 1 and not inputs[0].is_dir()
    named = output.suffix.lower() in READABLE_SUFFIXES and not output.is_dir()
    if named and not single:
        raise ValueError(f"There are {len(files)} pictures, so --output must be a folder; got {output}.")
    if named and output.suffix.lower() not in WRITABLE_SUFFIXES:
        raise ValueError(f"{output} must end in one of {', '.join(WRITABLE_SUFFIXES)}; other formats are only read.")
    sheet_is_file = compare is not None and single and not compare.is_dir()
    if compare is not None and sheet_is_file and compare.suffix.lower() not in WRITABLE_SUFFIXES:
        raise ValueError(f"{compare} must end in one of {', '.join(WRITABLE_SUFFIXES)}, as a picture does.")
    jobs = [
        Job(
            file,
            output if named else output / writable(file.name),
            compare if compare is None or sheet_is_file else compare / f"{file.name}.png",
        )
        for file in files
    ]
    check_targets(jobs)
    return jobs


def writable(name: str) -> str:
    """File name for a result: that of the input, with .png added where its format is only read.

    Example:
        >>> writable("a.jpg"), writable("b.gif")
        ('a.jpg', 'b.gif.png')
    """
    return name if name.lower().endswith(WRITABLE_SUFFIXES) else f"{name}.png"


def check_targets(jobs: Sequence[Job]) -> None:
    """Refuse, before any work is done, what could not be written or would replace what must stay.

    Raises:
        ValueError: If a file would be written twice or is an input, or is where a folder must be.
        PermissionError: If a folder cannot be written to.
    """
    sources = {job.source.resolve() for job in jobs}
    planned: dict[Path, Path] = {}
    for job in jobs:
        for target in (job.output, *([] if job.sheet is None else [job.sheet])):
            place = target.resolve()
            if place in sources:
                raise ValueError(f"{target} is an input and would be replaced; name another folder or file.")
            if place in planned:
                raise ValueError(
                    f"{target} would be written twice, for {planned[place]} and for {job.source}; write one of them to "
                    "another folder, or under another name."
                )
            planned[place] = job.source
    for folder in {target.parent for target in planned}:
        check_folder(folder)


def check_folder(folder: Path) -> None:
    """Refuse a folder that is a file or cannot be written to; one that is not there yet is judged by those above it.

    Raises:
        ValueError: If a file is there.
        PermissionError: If it cannot be written to.
    """
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        raise ValueError(f"{there} is a file, but a folder is needed there; name another.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(f"The folder {there} cannot be written to; name another, or change its permissions.")


def check_report(report: Path) -> None:
    """Refuse a report that could not be written or would replace a picture.

    Raises:
        ValueError: If it does not end in .json, or a file is where its folder must be.
        PermissionError: If its folder cannot be written to.
    """
    if report.suffix.lower() != ".json":
        raise ValueError(f"--report is a file ending in .json, got {report}.")
    check_folder(report.resolve().parent)


def check_request(
    inputs: Sequence[Path],
    output: Path,
    compare: Path | None,
    report: Path | None,
    references: Sequence[Path],
    weights: Sequence[str],
) -> None:
    """Refuse what can be refused without torch, which takes seconds to import.

    Raises:
        ValueError: See `plan_jobs`, `check_report` and `headsup.weights.shipped.find_weights`.
        OSError: If the single input, a reference or a weights file is missing, or a folder cannot be written to.
    """
    check_single([job.source for job in plan_jobs(inputs, output, compare)])
    for path in references:
        check_there(path)
    if report is not None:
        check_report(report)
    for name in weights:
        find_weights(name)
