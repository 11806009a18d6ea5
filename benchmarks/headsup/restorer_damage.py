"""What a restorer makes of portraits with every kind of damage, from none to Real-ESRGAN's, and of good ones."""

from collections.abc import Mapping, Sequence

from benchmarks.headsup.damage import Damage
from benchmarks.headsup.judged_methods import blended, ours, rivals
from benchmarks.headsup.methods import Method
from benchmarks.headsup.original_portraits import Portrait, everybody
from benchmarks.headsup.samples import Sample
from benchmarks.headsup.scores import Judges, score_methods
from benchmarks.measures.restoration_judges import restoration_judges
from benchmarks.reporting.table import Cell, Suite, Table
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.weights.shipped import DEFAULT_WEIGHTS

METRICS = ("psnr", "vgg16_hed", "sharpness", "niqe", "id_mobilefacenet", "id_edgeface", "grid")

DAMAGES: dict[Suite, tuple[Damage, ...]] = {
    "quick": (Damage(4), Damage(4, quality=35), Damage(4, "mild"), Damage(4, "realesrgan")),
    "full": (Damage(4), Damage(4, quality=75), Damage(4, quality=35), Damage(4, "mild"), Damage(4, "realesrgan")),
}
OTHER_SCALES = tuple(Damage(scale, preset) for preset in ("mild", "realesrgan") for scale in (2, 1))
"""Of the full suite; Real-ESRGAN x4plus takes up to sixteen times as long on these as on those above."""

SIDE, LARGE = 512, 768
"""Of the truths in pixels, and of those of another size, which are reduced but not damaged."""

PORTRAITS: dict[Suite, int | None] = {"quick": 3, "full": None}
"""How many photographs; None for all."""
FEW_PORTRAITS: dict[Suite, int] = {"quick": 0, "full": 4}
"""How many of other scales, and of other sizes."""

NOTE = (
    "Held-out portraits, reduced from their originals. PSNR is of RGB. The VGG-16 (HED) distance is that of unit "
    "feature vectors of the VGG-16 of Holistically-Nested Edge Detection, all channels and its five blocks alike, "
    "around the face; it is not LPIPS. Sharpness is the energy of the finest Laplacian band in the face's box over the "
    "truth's. NIQE is BasicSR's. ID: cosine of true and restored face. 2 px grid: how much the finest band differs "
    "between the places of squares of 2 x 2 pixels, in levels of 255."
)


def measure(suite: Suite, weights: str = DEFAULT_WEIGHTS) -> list[Table]:
    """One table.

    Args:
        suite: How much.
        weights: Name of shipped weights, or a file.

    Raises:
        LeftOutError: If the photographs are not there.
    """
    others, scorer = rivals(), restoration_judges(METRICS)
    restorer = PhotoRestorer.load(weights)
    methods = {**others.methods, **blended(others, restorer), **ours(restorer)}
    people = everybody(SIDE, PORTRAITS[suite])
    rows = originals(f"{SIDE} px", people, scorer)
    for damage in DAMAGES[suite]:
        rows += damaged(damage, f"{SIDE} px", people, methods, scorer)
    if few := FEW_PORTRAITS[suite]:
        some, larger = everybody(SIDE, few), everybody(LARGE, few)
        for damage in OTHER_SCALES:
            rows += damaged(damage, f"{SIDE} px, {few} of them", some, methods, scorer)
        rows += [*originals(f"{LARGE} px", larger, scorer), *damaged(Damage(4), f"{LARGE} px", larger, methods, scorer)]
    headings = scorer.columns
    return [
        Table(
            "restorer_damage",
            f"{weights} on {len(people)} held-out portraits",
            ("damage, truth", "method", headings[0], "over bicubic, dB", *headings[1:]),
            tuple(rows),
            note=f"{NOTE} {scorer.remark()} {others.remark}".strip(),
        )
    ]


def originals(size: str, people: Sequence[Portrait], scorer: Judges) -> list[tuple[Cell, ...]]:
    """A row of what the truths themselves have."""
    samples = [portrait.sample(Damage(1), 0) for portrait in people]
    scores = score_methods({"truth": lambda sample: sample.truth}, samples, scorer)
    ((name, _, *cells),) = scores.rows()
    return [(f"none, {size}", name, "", "", *cells)]


def damaged(
    damage: Damage, size: str, people: Sequence[Portrait], methods: Mapping[str, Method], scorer: Judges
) -> list[tuple[Cell, ...]]:
    """A row of each method for one kind of damage; the first method is the bicubic."""
    samples: list[Sample] = [portrait.sample(damage, seed) for seed, portrait in enumerate(people)]
    return over_first(f"{damage.words}, {size}", score_methods(methods, samples, scorer).rows())


def over_first(kind: str, rows: Sequence[tuple[Cell, ...]]) -> list[tuple[Cell, ...]]:
    """Rows of method and numbers, with what they are about before, and after the first number the gain over the first.

    Example:
        >>> over_first("clean", [("bicubic", 30.0, 0.1), ("ours", 31.5, 0.2)])
        [('clean', 'bicubic', 30.0, 0.0, 0.1), ('clean', 'ours', 31.5, 1.5, 0.2)]
    """
    least = rows[0][1]
    assert isinstance(least, float)
    return [
        (kind, name, number, number - least if isinstance(number, float) else "", *others)
        for name, number, *others in rows
    ]
