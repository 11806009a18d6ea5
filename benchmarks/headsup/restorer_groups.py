"""For whom a restorer works less well: the London set's people by gender, age and ethnicity."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import NamedTuple

from benchmarks.headsup.damage import Damage
from benchmarks.headsup.judged_methods import ours
from benchmarks.headsup.methods import Method, enlarged
from benchmarks.headsup.original_portraits import Portrait, read_portrait
from benchmarks.headsup.portrait_sets import held_out
from benchmarks.headsup.scores import Judges, score_methods
from benchmarks.measures.restoration_judges import restoration_judges
from benchmarks.photographs import photographs
from benchmarks.reporting.table import Cell, Suite, Table
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.weights.shipped import DEFAULT_WEIGHTS

SIDE, DAMAGES = 512, (Damage(4, "mild"), Damage(4, "realesrgan"))

PEOPLE: dict[Suite, int | None] = {"quick": 6, "full": None}
"""How many of the people."""

OLDER = 26
"""Age in years from which on somebody counts as older; half of the people are."""

NOTE = (
    "The people of whom the set's table says who they are, neutral and smiling, each figure a mean over people; ID is "
    "the cosine of true and restored face by EdgeFace-XS, and both errors are standard errors of the change from the "
    "bicubic. **Most were trained on**: the last "
    "two rows say what that brings. Of groups this small only large differences mean anything."
)


class Person(NamedTuple):
    """A row of the set's table."""

    name: str
    age: int | None
    gender: str
    ethnicity: str


class Gain(NamedTuple):
    """What restoring brings for one person, a mean over the photographs."""

    psnr: float
    """Over the bicubic, in dB."""
    likeness: float
    likeness_before: float
    """Of the bicubic."""


def measure(suite: Suite, weights: str = DEFAULT_WEIGHTS) -> list[Table]:
    """One table.

    Args:
        suite: How much.
        weights: Name of shipped weights, or a file.

    Raises:
        NoPhotographsError: If the photographs are not there.
    """
    folder = photographs() / "images/portraits/london_ccby4"
    people = listed_people(folder / "info.csv")[: PEOPLE[suite]]
    methods = {"bicubic": enlarged, "ours": ours(PhotoRestorer.load(weights))["ours"]}
    scorer = restoration_judges(("psnr", "id_edgeface"))
    rows: list[tuple[Cell, ...]] = []
    for damage in DAMAGES:
        gains = {person: gain(methods, photographs_of(person, folder), damage, scorer) for person in people}
        rows += group_rows(damage.words, gains)
    columns = (
        "damage",
        "people",
        "how many",
        "PSNR over bicubic, dB",
        "standard error",
        "ID of bicubic",
        "ID",
        "error of the change",
    )
    return [
        Table(
            "restorer_groups", f"{weights} on {len(people)} people of the London set", columns, tuple(rows), note=NOTE
        )
    ]


def listed_people(table: Path) -> list[Person]:
    """People of the set's table, by name."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return sorted(
        Person(
            row["face_id"],
            int(row["face_age"]) if row["face_age"].isdigit() else None,
            row["face_gender"],
            row["face_eth"].replace("_", " "),
        )
        for row in rows
    )


def photographs_of(person: Person, folder: Path) -> list[Portrait]:
    """Neutral and smiling, those that there are."""
    files = (folder / f"{person.name}_{expression}.jpg" for expression in ("neutral", "smiling"))
    return [read_portrait(file, SIDE) for file in files if file.is_file()]


def gain(methods: Mapping[str, Method], portraits: Sequence[Portrait], damage: Damage, scorer: Judges) -> Gain:
    """What a restorer brings for one person's photographs."""
    samples = [portrait.sample(damage, seed) for seed, portrait in enumerate(portraits)]
    scores = score_methods(methods, samples, scorer)
    (before, likeness_before), (after, likeness) = scores.means("bicubic"), scores.means("ours")
    return Gain(after - before, likeness, likeness_before)


def groups() -> Mapping[str, Callable[[Person], bool]]:
    """Who belongs to each group, by its name."""
    aside = {Path(name).name.split("_")[0] for name in held_out("portraits")}
    return {
        "women": lambda person: person.gender == "female",
        "men": lambda person: person.gender == "male",
        f"younger than {OLDER}": lambda person: person.age is not None and person.age < OLDER,
        f"{OLDER} and older": lambda person: person.age is not None and person.age >= OLDER,
        "Black": lambda person: person.ethnicity == "black",
        "East Asian": lambda person: person.ethnicity == "east asian",
        "West Asian": lambda person: person.ethnicity == "west asian",
        "white": lambda person: person.ethnicity == "white",
        "trained on": lambda person: person.name not in aside,
        "not trained on": lambda person: person.name in aside,
    }


def group_rows(damage: str, gains: Mapping[Person, Gain]) -> list[tuple[Cell, ...]]:
    """A row for each group that has anybody in it."""
    rows: list[tuple[Cell, ...]] = []
    for name, belongs in groups().items():
        own = [gain for person, gain in gains.items() if belongs(person)]
        if own:
            psnr, likeness, before = zip(*own, strict=True)
            changes = [after - first for after, first in zip(likeness, before, strict=True)]
            errors = standard_error(psnr), standard_error(changes)
            rows.append((damage, name, len(own), mean(psnr), errors[0], mean(before), mean(likeness), errors[1]))
    return rows


def standard_error(values: Sequence[float]) -> Cell:
    """Of their mean; nothing for one value.

    Example:
        >>> standard_error([1.0, 3.0]), standard_error([1.0])
        (1.0, '')
    """
    return stdev(values) / len(values) ** 0.5 if len(values) > 1 else ""
