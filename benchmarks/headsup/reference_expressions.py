"""How often `headsup restore` says that a reference shows another expression, rightly and wrongly.

Its bound, `headsup.restoring.expressions.LEAD`, is chosen on the first half of the people of the Face Research Lab
London Set; these shares are of the second half, and of one woman in eight photographs with the same expression. The
parts of the face that are compared were chosen on all of these. Needs the folder that PORTRAIT_ASSETS points to.
"""

from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from benchmarks.headsup.damage import Damage
from benchmarks.headsup.original_portraits import Portrait, detector, read_portrait
from benchmarks.photographs import photographs
from benchmarks.reporting.table import Cell, Suite, Table
from faceops.geometry.alignment import align
from faceops.geometry.landmarks import FFHQ_512
from headsup.restoring.expressions import SIDE, expressions_differ
from headsup.restoring.references.face_recognition import find_faces

PORTRAIT_SIDE = 512
"""Of the portraits before they are damaged, in pixels."""

EVERY: dict[Suite, int] = {"quick": 4, "full": 1}
"""Of how many people, and of how many photographs of the woman, one is taken."""

DAMAGES = (Damage(4), Damage(4, quality=35), Damage(4, "mild"), Damage(4, "realesrgan"))

NOTE = (
    "Of faces that are large enough and found. Another expression: neutral with a smiling reference and smiling with "
    "a neutral one. The same photograph: damaged, with itself undamaged as reference. One woman: each photograph with "
    "every other one, at several distances and poses, taken for one expression. The bound was chosen on other people, "
    "the parts of the face that are compared on these too."
)


def measure(suite: Suite) -> list[Table]:
    """Shares of the faces about which the sentence is said, in percent.

    Raises:
        NoPhotographsError: If PORTRAIT_ASSETS does not lead to the photographs.
    """
    people, woman = second_half(EVERY[suite]), one_woman(EVERY[suite] // 2 or 1)
    rows = tuple(row(damage, people, woman) for damage in DAMAGES)
    columns = "damage", "another expression %", "same photograph %", "one woman %"
    title = f"References said to show another expression, {len(people) // 2} Londoners and one woman"
    return [Table("reference_expressions", title, columns, rows, columns[1:2], "%", note=NOTE, logarithmic=False)]


def second_half(every: int) -> list[Portrait]:
    """People on whom nothing was chosen: neutral and smiling one after the other."""
    folder = photographs() / "images/portraits/london_ccby4"
    files = sorted(folder.glob("*_neutral.jpg"))
    chosen = files[len(files) // 2 :: every]
    return [read_portrait(with_expression(file, name), PORTRAIT_SIDE) for file in chosen for name in EXPRESSIONS]


EXPRESSIONS = ("neutral", "smiling")


def with_expression(neutral: Path, expression: str) -> Path:
    """The same person's file."""
    return neutral.with_name(neutral.name.replace("neutral", expression))


def one_woman(every: int) -> list[Portrait]:
    """Photographs of one person."""
    files = sorted((photographs() / "images/portraits/lisa_cc0").glob("*.jpg"))
    return [read_portrait(file, PORTRAIT_SIDE) for file in files[::every]]


def row(damage: Damage, people: Sequence[Portrait], woman: Sequence[Portrait]) -> tuple[Cell, ...]:
    """Shares in percent of one kind of damage."""
    own = [damaged_face(portrait, damage, seed) for seed, portrait in enumerate(people)]
    hers = [damaged_face(portrait, damage, seed) for seed, portrait in enumerate(woman)]
    others = [people[number ^ 1] for number in range(len(people))]
    pairs = [(face, other) for face, one in zip(hers, woman, strict=True) for other in woman if other is not one]
    return (
        damage.words,
        said(list(zip(own, others, strict=True))),
        said(list(zip(own, people, strict=True))),
        said(pairs),
    )


def damaged_face(portrait: Portrait, damage: Damage, seed: int) -> Float[Tensor, "3 s s"] | None:
    """The largest face of a damaged portrait as it is compared; None if none is found, or it is too small."""
    low = damage(portrait.truth, seed)
    face = find_faces(low, detector()).largest()
    if not len(face) or face.eye_distance().item() < FFHQ_512.scaled(SIDE).eye_distance():
        return None
    return align(low.unsqueeze(0), face, SIDE).crops[0]


def said(pairs: Sequence[tuple[Float[Tensor, "3 s s"] | None, Portrait]]) -> float:
    """Share of the faces that differ from their reference, in percent of those that are judged."""
    judged = [expressions_differ(face, reference.aligned) for face, reference in pairs if face is not None]
    return 100 * sum(judged) / max(len(judged), 1)
