"""Pale clothes before a pale wall: what a restorer makes of the bottom quarter of the London set."""

from benchmarks.headsup.damage import Damage
from benchmarks.headsup.judged_methods import ours, rivals
from benchmarks.headsup.original_portraits import londoners
from benchmarks.headsup.restorer_damage import over_first
from benchmarks.headsup.scores import Judges, score_methods
from benchmarks.reporting.table import Suite, Table
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.weights.shipped import DEFAULT_WEIGHTS
from portraitdata.scoring.metric import Column, ImagePair
from portraitdata.scoring.psnr import psnr

SIDE, DAMAGE = 512, Damage(4, "mild")

EVERY: dict[Suite, int] = {"quick": 3, "full": 1}
"""Of how many photographs one is taken."""

NOTE = "Everybody of the set wears a white shirt before a light grey wall. PSNR is of RGB in the bottom quarter."


class BottomPsnr:
    """PSNR of the bottom quarter, in dB."""

    columns = (Column("psnr", "RGB, bottom quarter", higher_is_better=True, digits=2),)

    def __call__(self, pair: ImagePair) -> tuple[float]:
        """The number of one pair."""
        top = pair.target.shape[-2] * 3 // 4
        return (psnr(pair.restored[..., top:, :], pair.target[..., top:, :], "rgb").item(),)


def measure(suite: Suite, weights: str = DEFAULT_WEIGHTS) -> list[Table]:
    """One table.

    Args:
        suite: How much.
        weights: Name of shipped weights, or a file.

    Raises:
        LeftOutError: If the photographs are not there.
    """
    others, people = rivals(), londoners(SIDE, EVERY[suite])
    samples = [portrait.sample(DAMAGE, seed) for seed, portrait in enumerate(people)]
    methods = {**others.methods, **ours(PhotoRestorer.load(weights))}
    scores = score_methods(methods, samples, Judges((BottomPsnr(),), {}))
    rows = over_first(f"{DAMAGE.words}, {SIDE} px", scores.rows())
    title = f"{weights} on pale clothes: bottom quarter of {len(samples)} photographs of the London set"
    columns = "damage, truth", "method", "PSNR", "over bicubic, dB"
    return [Table("restorer_clothes", title, columns, tuple(rows), note=f"{NOTE} {others.remark}".strip())]
