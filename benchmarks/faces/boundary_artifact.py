"""BoundaryArtifact on real portraits, from untouched to badly pasted faces; and its time."""

from collections.abc import Sequence
from functools import partial
from statistics import mean

import torch

from benchmarks.faces.boundary_pastes import DEGREES, PASTES, Portrait, blend, portrait, portraits_folder, yunet
from benchmarks.reporting.table import Cell, Suite, Table
from benchmarks.speed.timing import cpu_seconds
from faceops.metrics.seam_scores import seam_scores
from portraitdata.loading.workers import one_thread

PORTRAITS = (
    *("18f_cc0/kate.jpg", "lisa_cc0/lisa2.jpg", "lisa_cc0/zoom45cm.jpg", "usds_usgov/dave-methvin.jpg"),
    *("usds_usgov/jordan-kasper.jpg", "usds_usgov/kathy-pham.jpg", "usds_usgov/tracy-chou.jpg"),
    *("london_ccby4/034_neutral.jpg", "london_ccby4/108_neutral.jpg"),
)
"""Heads small enough that there is photograph around them."""

ALONE = ("hard square", "feathered square", "hard oval", "feathered oval")
"""Masks of which the score is measured on the image alone."""

REFERENCED = ("feathered square", "feathered oval")
"""And with the untouched photograph as a reference."""

EVERY: dict[Suite, int] = {"quick": 2, "full": 1}
"""Of how many portraits one is taken."""

SIDES = (512, 1024, 2048)
"""Sides of the images that are timed, in pixels."""


def measure(suite: Suite) -> list[Table]:
    """Scores by kind of paste and mask, and time by size."""
    return [*quality(PORTRAITS[:: EVERY[suite]]), speed()]


def quality(names: Sequence[str]) -> list[Table]:
    """Mean score over the portraits, without and with the untouched one as a reference; and untouched ones alone."""
    detector = yunet()
    portraits = [portrait(portraits_folder() / name, detector) for name in names]
    rows = [_row("untouched", [(p, p.photo) for p in portraits])]
    rows.append(_row("aligned, put back", [(p, p.pasted_back) for p in portraits]))
    for kind, changes in PASTES.items():
        for degree, change in zip(DEGREES, changes, strict=True):
            rows.append(_row(f"{kind}, {degree}", [(p, change(p.photo)) for p in portraits]))
    columns = ("paste", *ALONE, *(f"{mask}, reference" for mask in REFERENCED))
    title = f"BoundaryArtifact, mean over {len(portraits)} portraits, 0 is no seam"
    return [Table("boundary_artifact", title, columns, tuple(rows), ALONE, "score"), untouched(portraits)]


def untouched(portraits: list[Portrait]) -> Table:
    """How many of the photographs have no seam as they are, and what the worst of them scores."""
    rows = []
    for mask in ALONE:
        scores = [seam_scores(p.photo, p.masks[mask]).total.item() for p in portraits]
        rows.append((mask, scores.count(0.0), max(scores)))
    title = f"BoundaryArtifact of the {len(portraits)} portraits untouched"
    return Table("boundary_artifact_untouched", title, ("mask", "without a seam", "worst score"), tuple(rows))


def _row(name: str, changed: list[tuple[Portrait, torch.Tensor]]) -> tuple[Cell, ...]:
    """Scores of one kind of paste, for every mask, without and with reference."""

    def score(mask: str, referenced: bool) -> float:
        return mean(
            seam_scores(blend(p, image, p.masks[mask]), p.masks[mask], p.photo if referenced else None).total.item()
            for p, image in changed
        )

    alone, referenced = [score(mask, False) for mask in ALONE], [score(mask, True) for mask in REFERENCED]
    return (name, *alone, *referenced)


def speed() -> Table:
    """CPU time of one image, on one thread."""
    rows = []
    for side in SIDES:
        image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
        mask = torch.zeros(1, 1, side, side)
        mask[:, :, side // 4 : -side // 4, side // 4 : -side // 4] = 1
        with one_thread():
            (seconds,) = cpu_seconds([partial(seam_scores, image, mask)], repeats=3)
        rows.append((side, 1e3 * seconds, 1e3 * seconds / (side * side / 1e6)))
    columns = ("side", "ms", "ms per megapixel")
    title = "BoundaryArtifact, one image, a face half as wide as the image"
    return Table("boundary_artifact_time", title, columns, tuple(rows), ("ms",), "CPU time, ms")
