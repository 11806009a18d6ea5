"""Twelve people to look at: input, bicubic, public networks, ours without and with references, truth."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from benchmarks.headsup.damage import Damage
from benchmarks.headsup.judged_methods import rivals
from benchmarks.headsup.methods import Method, by_restorer
from benchmarks.headsup.original_portraits import londoners
from benchmarks.headsup.other_days import people_of_other_days
from benchmarks.headsup.samples import Sample
from benchmarks.measures.laplacian_band import pixel_box
from benchmarks.reporting.table import Suite, Table
from faceops.images.sheet import Panel, draw_sheet
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.weights.shipped import DEFAULT_WEIGHTS
from portraitdata.images.resampling import bicubic, to_8_bit

DAMAGES = (Damage(4), Damage(4, quality=35), Damage(4, "mild"), Damage(4, "realesrgan"))
"""What is done to the Londoners, in turn."""

DAYS_DAMAGES = (Damage(2, "realesrgan"), Damage(4, "mild"))
"""What is done to people of Labeled Faces in the Wild, in turn."""

LONDON_SIDE, DAYS = 512, 5
"""Side of the truths of seven Londoners in pixels, and number of people with references of other days."""

REFERENCES = 3
"""Most references of a face."""

AROUND, LEAST = 1.3, 256
"""Side of what is shown over the longer side of the face's box, and in pixels: what is smaller is enlarged to it."""

ROWS = 3
"""People on a sheet."""

NOTE = (
    "Shown is the face at the result's size; faces of Labeled Faces in the Wild are enlarged by a bicubic to be seen. "
    "Londoners have one reference of another expression, the others three of other days."
)


class Shown(NamedTuple):
    """A person on a sheet."""

    sample: Sample
    damage: Damage


def measure(suite: Suite, weights: str = DEFAULT_WEIGHTS) -> list[Table]:
    """A table of who is shown, with the sheets.

    Args:
        suite: How much.
        weights: Name of shipped weights, or a file.

    Raises:
        LeftOutError: If the photographs are not there.
    """
    others, restorer = rivals(), PhotoRestorer.load(weights)
    methods: dict[str, Method] = {
        **others.methods,
        "no reference": by_restorer(restorer, referenced=False),
        "one reference": by_restorer(restorer, referenced=True),
        "three references": by_restorer(restorer, referenced=True, most=REFERENCES),
    }
    people = list(shown_people())
    sheets = {
        f"{weights}, people {start + 1} to {start + ROWS}": sheet(people[start : start + ROWS], methods)
        for start in range(0, len(people), ROWS)
    }
    rows = tuple((sample.name, damage.words, 1 + len(sample.further)) for sample, damage in people)
    title = f"{weights}: {len(people)} held-out people to look at"
    columns = "photograph", "damage", "references"
    return [Table("restorer_sheet", title, columns, rows, note=f"{NOTE} {others.remark}".strip(), pictures=sheets)]


def shown_people() -> Iterator[Shown]:
    """Each Londoner once, smiling and neutral in turn, then people of other days.

    Raises:
        LeftOutError: If the photographs are not there, or were trained on.
    """
    london = londoners(LONDON_SIDE)
    for number in range(len(london) // 2):
        pair = london[2 * number : 2 * number + 2]
        one, other = pair if number % 2 else reversed(pair)
        damage = DAMAGES[number % len(DAMAGES)]
        yield Shown(one.sample(damage, number, [other]), damage)
    for number, (one, *others) in enumerate(people_of_other_days(DAYS, 1 + REFERENCES)):
        damage = DAYS_DAMAGES[number % len(DAYS_DAMAGES)]
        yield Shown(one.sample(damage, number, others), damage)


def sheet(people: Sequence[Shown], methods: Mapping[str, Method]) -> Float[Tensor, "3 h w"]:
    """A row for each person."""
    return draw_sheet([row(sample, damage, methods) for sample, damage in people], narrowest=LEAST)


def row(sample: Sample, damage: Damage, methods: Mapping[str, Method]) -> list[Panel]:
    """The face in the input, its pixels as squares, in every result, in the truth, and in the references."""
    results = {name: to_8_bit(method(sample)) for name, method in methods.items()}
    images = {f"input, {damage.words}": squares(sample, damage), **results, "truth": sample.truth}
    panels = [Panel(close(image, sample), caption) for caption, image in images.items()]
    side = panels[0].image.shape[2]
    references = [sample.reference, *sample.further]
    return [
        *panels,
        *(Panel(bicubic(each, side, side).clamp(0, 1), "reference") for each in references if each is not None),
    ]


def squares(sample: Sample, damage: Damage) -> Float[Tensor, "3 h w"]:
    """The input at the truth's size, its pixels as squares."""
    return sample.low.repeat_interleave(damage.scale, dim=1).repeat_interleave(damage.scale, dim=2)


def close(image: Float[Tensor, "3 h w"], sample: Sample) -> Float[Tensor, "3 s s"]:
    """The square around the face, enlarged if it is small."""
    box, (height, width) = sample.face.boxes[0], image.shape[1:]
    half = min(AROUND * (box[2:] - box[:2]).amax().item() / 2, min(height, width) / 2)
    centre = ((box[:2] + box[2:]) / 2).clamp(min=half)
    centre = centre.minimum(centre.new_tensor([width - half, height - half]))
    left, top, right, bottom = pixel_box(centre.repeat(2) + half * centre.new_tensor([-1, -1, 1, 1]), height, width)
    part = image[:, top:bottom, left:right]
    factor = LEAST / max(part.shape[1:])
    if factor <= 1:
        return part
    return bicubic(part, round(part.shape[1] * factor), round(part.shape[2] * factor)).clamp(0, 1)
