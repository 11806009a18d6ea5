"""What a reference does to a face: of the same person with another expression or on another day, and of a stranger."""

from collections.abc import Sequence
from typing import TypeVar

from benchmarks.headsup.damage import Damage
from benchmarks.headsup.methods import by_restorer, enlarged, reference_pasted
from benchmarks.headsup.original_portraits import Portrait, londoners
from benchmarks.headsup.other_days import people_of_other_days
from benchmarks.headsup.samples import Sample
from benchmarks.headsup.scores import score_methods
from benchmarks.measures.restoration_judges import restoration_judges
from benchmarks.reporting.table import Cell, Suite, Table
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.weights.shipped import DEFAULT_WEIGHTS

T = TypeVar("T")

METRICS = ("psnr_face", "id_mobilefacenet", "id_edgeface", "mouth", "sharpness")

DAMAGES = (Damage(4, "mild"), Damage(4, "realesrgan"))

LONDON_SIDE = 512
"""Of the truths of the London set, in pixels."""

EVERY: dict[Suite, int] = {"quick": 4, "full": 1}
"""Of how many photographs of the London set one is taken."""

PEOPLE: dict[Suite, int] = {"quick": 6, "full": 32}
"""Of Labeled Faces in the Wild."""

STRANGER = "a stranger"
"""Reference of the portraits that have another expression as reference before: rows without it are those."""

PASTED, GIVEN = REFERENCED = "reference pasted", "ours, with reference"
"""Rows that a reference makes."""

NOTE = (
    "Held-out people. Another expression: Londoners neutral with a smiling reference and smiling with a neutral one, "
    "of one day. Another day: Labeled Faces in the Wild. Stranger: the Londoner who is next in the list, for the same "
    "inputs as other expressions, so the rows without reference are those. Face PSNR is of RGB in the face's box; ID "
    "is the cosine of true and restored face; mouth and eyes off: mean distance of the lips' and the eyes' points of "
    "MediaPipe's face mesh from the truth's, in percent of the distance of the eyes. The row `reference pasted` "
    "restores nothing: the reference's face lies over the bicubic."
)


def measure(suite: Suite, weights: str = DEFAULT_WEIGHTS) -> list[Table]:
    """One table.

    Args:
        suite: How much.
        weights: Name of shipped weights, or a file.

    Raises:
        LeftOutError: If the photographs are not there.
    """
    restorer, scorer = PhotoRestorer.load(weights), restoration_judges(METRICS)
    methods = {
        "bicubic": enlarged,
        PASTED: reference_pasted,
        "ours, no reference": by_restorer(restorer, referenced=False),
        GIVEN: by_restorer(restorer, referenced=True),
    }
    rows: list[tuple[Cell, ...]] = []
    for words, pairs in referenced(suite).items():
        for damage in DAMAGES:
            samples = damaged_pairs(damage, pairs)
            kind = f"{words}, {damage.words}, {samples[0].truth.shape[1]} px"
            asked = {name: method for name, method in methods.items() if words != STRANGER or name in REFERENCED}
            rows += [(kind, *row) for row in score_methods(asked, samples, scorer).rows()]
    counts = ", ".join(f"{len(pairs)} of {words}" for words, pairs in referenced(suite).items())
    columns = "reference, damage, truth", "method", *scorer.columns
    title = f"{weights} with references: {counts}"
    return [Table("restorer_references", title, columns, tuple(rows), note=f"{NOTE} {scorer.remark()}".strip())]


def referenced(suite: Suite) -> dict[str, list[tuple[Portrait, Portrait]]]:
    """Portraits with their references, by what these are.

    Raises:
        LeftOutError: If the photographs are not there, or were trained on.
    """
    london, every = londoners(LONDON_SIDE), EVERY[suite]
    expressions, strangers = other_expressions(london), next_people(london)
    days = [(first, second) for first, second, *_ in people_of_other_days(PEOPLE[suite], 2)]
    return {
        "another expression": alternating(expressions, every),
        STRANGER: alternating(strangers, every),
        "another day": days,
    }


def other_expressions(london: Sequence[Portrait]) -> list[tuple[Portrait, Portrait]]:
    """Each photograph with the other one of the person."""
    return [(one, other) for one in london for other in london if one.person == other.person and one is not other]


def next_people(london: Sequence[Portrait]) -> list[tuple[Portrait, Portrait]]:
    """Each photograph with that of the next person who has the same expression; two photographs of each in a row."""
    return [(one, london[(number + 2) % len(london)]) for number, one in enumerate(london)]


def alternating(items: Sequence[T], every: int) -> list[T]:
    """Some of the items, taken in turn from the even and from the odd ones.

    Example:
        >>> alternating(range(14), 4)
        [0, 5, 8, 13]
    """
    return [items[min(start + turn % 2, len(items) - 1)] for turn, start in enumerate(range(0, len(items), every))]


def damaged_pairs(damage: Damage, pairs: Sequence[tuple[Portrait, Portrait]]) -> list[Sample]:
    """Tests of one kind of damage."""
    return [portrait.sample(damage, seed, [other]) for seed, (portrait, other) in enumerate(pairs)]
