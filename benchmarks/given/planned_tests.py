"""What is tested, found on disk: whatever is missing or does not fit is told before torch is imported."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.given.given_tests import GivenSet, GivenTests, Task
from benchmarks.given.others_results import find_results, folder_of
from benchmarks.headsup.headings import HEADINGS
from faceops.weights.header import read_metadata
from headsup.restoring.public_restorers.public_files import check_spandrel, is_public
from headsup.weights.shipped import find_weights
from hime.weights.shipped import shipped_weights as hime_weights
from portraitdata.restoration.paired_layouts import PairedFiles, PairedLayout, paired_files, recognised, within

INDEX = "images.parquet"
"""File by which a folder is a portrait index."""

METRICS: Mapping[Task, tuple[str, ...]] = {
    "faces": ("psnr", "ssim", "lpips-vgg", "fid", "niqe", "ida_daefr"),
    "portraits": ("psnr", "ssim", "lpips", "dists", "fid", "niqe", "musiq", "id"),
    "general": ("psnr", "ssim", "lpips", "dists", "fid", "niqe", "musiq", "clipiqa", "maniqa-pipal"),
}
"""Columns of the paper's tables."""

GENERAL_SETS = ("DRealSR", "RealSR", "DIV2K")
"""Test sets of Table 3; a name that contains one is of the first of them."""

TAKEN = {"bicubic", "input", "hq", "lq", "reference"}
"""Rows that are there anyway, and folders of pictures of an index."""

WITH_REFERENCE = ", with reference"
"""What the name of a row has after that of the weights."""

BLENDING = "blending, Real-ESRGAN compact + "
"""What the name of a row has before that of the weights of a restorer of faces alone."""

NAME = re.compile(r"\w[\w .()+-]*")
"""Names that make files and links."""

AROUND = ("", ""), ("", WITH_REFERENCE), (BLENDING, "")
"""What stands before and after the name of weights in the names of their rows."""

Kind = Literal["headsup", "hime", "public"]
"""Whose weights a file holds: one of ours, or a network that spandrel knows."""


@dataclass(frozen=True)
class PlannedSet:
    """A test set that was found."""

    name: str
    given: GivenSet
    task: Task
    index: Path | None = None
    """Folder of the index; None for pairs of files."""
    files: PairedFiles | None = None
    magnification: int = 4

    @property
    def tables(self) -> tuple[tuple[int, str], ...]:
        """The paper's tables of the task, as number and test set; of Table 3 that of the set, or all of it."""
        if self.task == "faces":
            return ((1, "CelebA-Test"),)
        if self.task == "portraits":
            return (2, "PortraitSR-4K-Te"), (4, "PortraitSR-4K-Te")
        told = f"{self.name} {self.given.folder.name}".lower()
        known = [data for data in GENERAL_SETS if data.lower() in told]
        return tuple((3, data) for data in known[:1] or reversed(GENERAL_SETS))


@dataclass(frozen=True)
class PlannedTests:
    """All that is tested."""

    given: GivenTests
    sets: tuple[PlannedSet, ...]
    kinds: Mapping[str, Kind]
    """Whose weights they are, by the name of the row."""
    output: Path
    """Folder of the pictures."""

    def results(self, each: PlannedSet) -> dict[str, Path]:
        """Folders of other software's pictures for a set, by the name of the row."""
        return {name: folder_of(path, each.name, len(self.sets)) for name, path in self.given.results.items()}


def plan_tests(given: GivenTests, output: Path) -> PlannedTests:
    """Find everything.

    Args:
        given: What is wanted.
        output: Folder of the pictures that are made.

    Raises:
        ValueError: If something does not fit; the sentence names it.
        OSError: If something is missing.
        MissingPackageError: If a restorer needs spandrel, which is not installed.
    """
    check_names(given)
    kinds = {name: kind_of(weights) for name, weights in given.weights.items()}
    sets = tuple(plan_set(name, each) for name, each in given.sets.items())
    planned = PlannedTests(given, sets, kinds, output)
    check_output(planned)
    for each in sets:
        for folder in planned.results(each).values():
            if each.files is not None:
                find_results(folder, each.files, partly=given.limit is not None)
    return planned


def check_names(given: GivenTests) -> None:
    """Refuse names that make no folders or are taken, metrics that are not known, and limits below 1.

    Raises:
        ValueError: If there are some.
    """
    for name in (*given.sets, *given.weights, *given.results):
        if not NAME.fullmatch(name):
            raise ValueError(
                f"A name of a set or a row is also that of a folder: letters, digits, spaces and . ( ) + - _, "
                f"a letter or digit first; got {name!r}. Give it one with NAME=PATH."
            )
    taken = given.weights.keys() & given.results.keys() | TAKEN & {*given.weights, *given.results}
    if taken:
        raise ValueError(f"The name {', '.join(sorted(taken))} is taken; give that row another one with NAME=PATH.")
    known = sorted({name for names in METRICS.values() for name in names} | {"ida", "lpips-vgg"})
    unknown = [name for name in given.metrics if name not in known]
    if unknown:
        raise ValueError(f"There is no metric {unknown[0]}; metrics of the tables are {', '.join(known)}.")
    headings = [HEADINGS[name] for name in given.metrics]
    if len(set(headings)) < len(headings):
        raise ValueError(f"Each column stands once in a table; the metrics are {', '.join(given.metrics)}.")
    if given.limit is not None and given.limit < 1:
        raise ValueError(f"At least one picture of a set is tested, the limit is {given.limit}.")


def check_output(planned: PlannedTests) -> None:
    """Refuse results and sets that lie where this run writes its own pictures: they would be lost before they are read.

    Raises:
        ValueError: If there are some.
        FileNotFoundError: If results have no folder for a set.
    """
    named = (f"{before}{name}{after}" for name in planned.given.weights for before, after in AROUND)
    rows = ("input", "bicubic", *named)
    written = [(planned.output / each.name / row).resolve() for each in planned.sets for row in rows]
    for each in planned.sets:
        used = {*planned.results(each).values(), *folders_of(each)}
        for folder in sorted(used):
            if any(folder.resolve().is_relative_to(place) for place in written):
                raise ValueError(
                    f"{folder} is where this run writes pictures of its own; move it, or name another folder for those "
                    "with --output."
                )


def folders_of(planned: PlannedSet) -> Iterator[Path]:
    """Folders that pictures of a set are read from."""
    yield planned.given.folder
    if planned.files is not None:
        for files in (planned.files.hq, planned.files.lq, planned.files.references):
            yield from {path.parent for path in files.values()}


def kind_of(weights: str) -> Kind:
    """Whose weights a file or a shipped name is.

    Raises:
        ValueError: If it is neither, a training checkpoint, or weights of another program of ours.
        OSError: If there is no such file.
        MissingPackageError: If it may be a public restorer and spandrel is not installed.
    """
    if weights in hime_weights():
        return "hime"
    if not is_public(weights):
        architecture = read_metadata(find_weights(weights))["architecture"]
        if architecture not in ("headsup", "hime"):
            raise ValueError(f"{weights} holds weights of {architecture[:40]}, which restores no pictures.")
        return "hime" if architecture == "hime" else "headsup"
    check_spandrel()
    return "public"


def plan_set(name: str, given: GivenSet) -> PlannedSet:
    """Tell what a folder is, and find the pairs in it.

    Raises:
        FileNotFoundError: If a folder is not there.
        ValueError: If it is nothing that is known, or pairs do not fit.
    """
    if not given.folder.is_dir():
        raise FileNotFoundError(f"There is no folder {given.folder}, which the set {name} is to be.")
    if given.hq is None and given.lq is None:
        for index in (given.folder, given.folder / "shards"):
            if (index / INDEX).is_file():
                return PlannedSet(name, given, given.task or "portraits", index=index, magnification=given.scale)
        layout = recognised(given.folder)
    elif given.hq is None or given.lq is None:
        raise ValueError(f"The set {name} names hq and lq together or not at all, got {given.hq} and {given.lq}.")
    else:
        layout = PairedLayout("named", given.hq, given.lq, given.reference)
        absent = [place for place in (given.hq, given.lq) if not within(given.folder, place)]
        if absent:
            raise FileNotFoundError(f"There is no folder {given.folder / absent[0]}, which the set {name} names.")
    files = paired_files(given.folder, layout, needs_references=given.reference is not None)
    task = given.task or task_of(f"{name} {given.folder.name}", layout.name, bool(files.references))
    return PlannedSet(name, given, task, files=files, magnification=files.scale())


def task_of(name: str, layout: str, has_references: bool) -> Task:
    """What a set of pairs tests, by its name, its layout's and by whether there are references.

    Example:
        >>> task_of("mine", "DAEFR CelebA-Test", False), task_of("mine", "HR/LR", True), task_of("mine", "HR/LR", False)
        ('faces', 'portraits', 'general')
    """
    if "celeba" in f"{name} {layout}".lower():
        return "faces"
    return "portraits" if has_references or "portrait" in name.lower() else "general"
