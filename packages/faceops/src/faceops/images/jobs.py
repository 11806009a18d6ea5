"""Jobs: images to read and to write, for files, folders and patterns; planned without torch."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from glob import escape, glob
from pathlib import Path

from faceops.atomic_files import LONGEST_NAME, shortened
from faceops.images.encoding import WRITABLE_SUFFIXES
from faceops.images.one_file import check_case, file_key
from faceops.images.picture_files import (
    READABLE_SUFFIXES,
    find_pictures,
    is_picture,
    lies_in,
    results_below,
    tell_left_out,
)
from faceops.images.standard_streams import STANDARD, STDIN, check_stdin, check_stdout
from faceops.progress.verbosity import say


@dataclass(frozen=True)
class Job:
    """A picture to read and what to write for it."""

    source: Path
    output: Path
    name: str
    """Path of the source below the folder that was given, with slashes; of a single file its name."""
    sheet: Path | None = None
    """Sheet that shows the result beside its input; None for none."""
    from_stdin: bool = False
    """True if the source is no file but what is piped in; it is then only a name."""

    @property
    def to_stdout(self) -> bool:
        """Whether the result is piped on, as PNG, instead of written to a file."""
        return self.output == STANDARD

    @property
    def targets(self) -> tuple[Path, ...]:
        """Files to write."""
        result = () if self.to_stdout else (self.output,)
        return result if self.sheet is None else (*result, self.sheet)


def writable(name: str) -> str:
    """File name for a result: that of the input, with .png added where its format is only read.

    Example:
        >>> writable("a.jpg"), writable("b.gif")
        ('a.jpg', 'b.gif.png')
    """
    return name if name.lower().endswith(WRITABLE_SUFFIXES) else f"{name}.png"


def plan_jobs(
    inputs: Sequence[Path],
    output: Path,
    compare: Path | None = None,
    *,
    subfolders: bool = False,
    streams: bool = False,
    suffixes: Sequence[str] = WRITABLE_SUFFIXES,
    result_name: Callable[[str], str] = writable,
    kept: Sequence[Path] = (),
    more: Callable[[Sequence[Job]], Mapping[Path, Sequence[Path]]] | None = None,
    more_results: Path | None = None,
) -> list[Job]:
    """Plan a job for every image.

    Args:
        inputs: Files, folders and patterns.
        output: Picture to write, if there is one input file and the name has a suffix; else a folder.
        compare: Sheet to write, if there is one input file; else a folder of sheets. None for no sheets.
        subfolders: Whether folders are read with all folders in them.
        streams: Whether ``-`` stands for stdin among the inputs and for stdout as the output.
        suffixes: What results may end in, in lower case.
        result_name: Name of a result in a folder, from the name of its input.
        kept: Further files that are read, and must not be replaced either.
        more: Further files that the jobs write, by the source of their job.
        more_results: Folder of these, which is not read where it is in a folder of inputs, as those of results and
            sheets are not.

    Raises:
        ValueError: If there is no picture, a result would replace an input or another result, or a file is where a
            folder must be; or if ``-`` is a terminal.
        PermissionError: If a folder cannot be written to.
    """
    results = (output, compare, more_results)
    files = input_files(inputs, subfolders, results, streams)
    tell_left_out(inputs, subfolders, results)
    single = len(files) == 1 and not inputs[0].is_dir()
    to_stdout = streams and output == STANDARD
    named = to_stdout or (single and output.suffix != "" and not output.is_dir())
    if to_stdout:
        check_stdout(len(files))
    elif not single:
        check_folder_name(output, "--output", len(files))
    elif named:
        check_suffix(output, suffixes)
    if not single and compare is not None:
        check_folder_name(compare, "--compare", len(files))
    sheet_is_file = compare is not None and single and not compare.is_dir()
    if compare is not None and sheet_is_file:
        check_suffix(compare, WRITABLE_SUFFIXES)
    jobs = [
        Job(
            STDIN if streams and file == STANDARD else file,
            output if named else output / fitting(result_name(name)),
            name,
            compare if compare is None or sheet_is_file else compare / fitting(f"{name}.png"),
            from_stdin=streams and file == STANDARD,
        )
        for file, name in files.items()
    ]
    check_targets(jobs, {} if more is None else more(jobs), kept)
    return jobs


def input_files(
    inputs: Sequence[Path], subfolders: bool = False, results: Sequence[Path | None] = (), streams: bool = False
) -> dict[Path, str]:
    """Files, the pictures of folders, and those that patterns such as ``album/*.jpg`` match; each once, with its name.

    Args:
        subfolders: Whether folders are read with all folders in them, but hidden ones.
        results: Folders that are not read where they are in one of them, or where a pattern matches other pictures too:
            what an earlier run wrote there is no input. None for none.
        streams: Whether ``-`` stands for stdin.

    Raises:
        ValueError: If a folder holds no picture, or nothing matches a pattern; or if stdin is a terminal.
    """
    files: dict[Path, str] = {}
    for path in inputs:
        found = {path: path.name}
        if streams and path == STANDARD:
            check_stdin()
            found = {path: STDIN.name}
        elif path.is_dir():
            pictures = pictures_below(path, results) if subfolders else find_pictures(path)
            found = {file: file.relative_to(path).as_posix() for file in pictures}
        elif not path.exists() and any(sign in str(path) for sign in "*?["):
            pictures = [file for file in matching(path) if is_picture(file)]
            found = {file: file.name for file in without_results(pictures, results)}
        if not found:
            raise ValueError(f"There are no pictures in {path}." if path.is_dir() else f"Nothing matches {path}.")
        for file, name in found.items():
            files.setdefault(file, name)
    return files


def matching(pattern: Path) -> list[Path]:
    """Paths that a pattern matches, in the order of their names.

    The folders that it begins with are taken as they are called if they are there, brackets and all; brackets in the
    rest are meant literally if nothing matches them otherwise.
    """
    there = next((parent for parent in pattern.parents if parent.exists()), Path())
    rest = str(pattern.relative_to(there))
    for text in (rest, re.sub(r"\[", "[[]", rest)):
        found = glob(str(Path(escape(str(there))) / text), recursive=True)
        if found:
            return sorted(Path(match) for match in found)
    return []


def without_results(pictures: Sequence[Path], results: Sequence[Path | None]) -> Sequence[Path]:
    """Pictures without those in folders of results; all, if they all lie there."""
    folders = [path.resolve() for path in results if path is not None and path.is_dir()]
    return [path for path in pictures if not lies_in(path, folders)] or pictures


def fitting(name: str) -> str:
    """The same path with a file name no longer than one can be: the end of its stem is cut.

    Example:
        >>> fitting("album/" + 300 * "a" + ".gif.png")[-12:], len(fitting("album/" + 300 * "a" + ".png"))
        ('aaaaaaaa.png', 261)
    """
    path = Path(name)
    if len(os.fsencode(path.name)) <= LONGEST_NAME:
        return name
    room = LONGEST_NAME - len(os.fsencode(path.suffix))
    return path.with_name(shortened(path.stem, room) + path.suffix).as_posix()


def pictures_below(folder: Path, results: Sequence[Path | None] = ()) -> list[Path]:
    """Pictures in a folder and in its folders, in the order of their names, without hidden ones and earlier results."""
    found = find_pictures(folder)
    apart = results_below(folder, results)
    for inner in sorted(path for path in folder.rglob("*") if path.is_dir()):
        hidden = any(part.startswith(".") for part in inner.relative_to(folder).parts)
        if not hidden and not lies_in(inner, apart):
            found += find_pictures(inner)
    return found


def check_folder_name(folder: Path, option: str, pictures: int) -> None:
    """Refuse a name that cannot be that of a folder, for an option that must name one."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, but a folder is needed there; name another.")
    if folder.suffix.lower() in READABLE_SUFFIXES and not folder.is_dir():
        raise ValueError(f"There are {pictures} pictures, so {option} must be a folder; got {folder}.")


def check_suffix(target: Path, suffixes: Sequence[str]) -> None:
    """Refuse a file name of a format that is not written."""
    if target.suffix.lower() not in suffixes:
        wanted = suffixes[0] if len(suffixes) == 1 else f"one of {', '.join(suffixes)}"
        raise ValueError(
            f"{target} must end in {wanted}, got {target.suffix!r}; to write into a folder of that name, make it first."
        )


def check_targets(jobs: Sequence[Job], more: Mapping[Path, Sequence[Path]], kept: Sequence[Path]) -> None:
    """Refuse, before any work is done, what could not be written or would replace what must stay.

    Args:
        more: Further files to write, by the source of their job.
        kept: Further files that are read.

    Raises:
        ValueError: If a file would be written twice or is an input, or is or would be where a folder must be.
        PermissionError: If a folder cannot be written to.
    """
    sources = {file_key(path) for path in (*kept, *(job.source for job in jobs if not job.from_stdin))}
    planned: dict[Path, Path] = {}
    for job in jobs:
        for target in (*job.targets, *more.get(job.source, ())):
            place = target.resolve()
            if file_key(target) in sources:
                raise ValueError(f"{target} is an input and would be replaced; name another folder or file.")
            if place in planned:
                raise ValueError(
                    f"{target} would be written twice, for {planned[place]} and for {job.source}; write one of them to "
                    "another folder, or under another name."
                )
            planned[place] = job.source
    for folder in {parent for target in planned for parent in target.parents} & planned.keys():
        raise ValueError(f"{folder} would be a file and a folder of others; name another folder for one of them.")
    for folder in {target.parent for target in planned}:
        check_folder(folder)
    check_case(planned)


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


def missing_jobs(jobs: Sequence[Job], overwrite: bool) -> list[Job]:
    """Jobs whose result is not there yet, or all; says how many are there, and which of their sheets are not."""
    wanted = [job for job in jobs if overwrite or job.to_stdout or not job.output.exists()]
    if not wanted and len(jobs) == 1:
        say(f"{jobs[0].output} is there already; --overwrite makes it again.")
    elif len(wanted) < len(jobs):
        say(f"{len(jobs) - len(wanted)} of {len(jobs)} pictures are there already; --overwrite makes them again.")
    missing = set(wanted)
    bare = [job.sheet for job in jobs if job not in missing and job.sheet is not None and not job.sheet.exists()]
    if bare:
        which = f"{bare[0]} is" if len(bare) == 1 else f"{len(bare)} sheets are"
        say(f"{which} not there: sheets are made with their results, which --overwrite makes again.")
    return wanted
