"""HIME's ablations (Tables 2, 3, 4, 6 and Figure 8) in miniature, on people that no training has seen.

Every row is its own training: the paper's experiment, `hime fit` on its file, at a few hundred steps of four pictures
(`benchmarks.hime.miniature_trainings`). What wins in the end of a long training, they cannot say.

Scored are two sets of references: other photographs of the person, as in the paper, and warped copies of the target.
Photographs of LFW are so different from each other that references hardly help there; copies tell what references
are worth where aligning them can succeed.
"""

import csv
from collections.abc import Iterator, Mapping
from itertools import pairwise

import torch
from torch import Tensor

from benchmarks.hime.agreement import change, told
from benchmarks.hime.experiments import EXPERIMENTS, FIGURE8, FROM_SCRATCH, Experiment
from benchmarks.hime.miniature_trainings import Training, train
from benchmarks.hime.portrait_scores import (
    Enlarge,
    enlarged_by_bicubic,
    held_out,
    perceptual_distance,
    scored,
    with_copies,
)
from benchmarks.reporting.table import Cell, LeftOutError, Published, Suite, Table
from hime.network import HIME
from hime.weights.files import load_network

SCALE = 8
QUICK = 40
"""Photographs of the quick suite, evenly spread over all."""
REFERENCES = 3

Way = tuple[Training, int]
"""A training, and how many references it is given."""

NOTE = (
    "± is twice the standard error over the people, who have several photographs each; what another seed of the "
    "training would change is not in it."
)


class Scoring:
    """Scores of all trainings on both sets of references.

    Args:
        suite: The full one runs trainings that are not finished; the quick one leaves them out.

    Raises:
        NoPhotographsError: If PORTRAIT_ASSETS does not lead to the photographs.
        LeftOutError: If there is not one training to score.
    """

    def __init__(self, suite: Suite) -> None:
        if suite == "full":
            train(training for training, _ in wanted())
        ways: dict[Way, Enlarge] = {
            (training, references): with_first(load_network(training.weights), references)
            for training, references in wanted()
            if training.finished
        }
        self.trainings = {training for training, _ in ways}
        if not ways:
            raise LeftOutError("needs its trainings, which `python -m benchmarks hime_ablations --suite full` runs")
        people = held_out(REFERENCES, QUICK if suite == "quick" else None)
        self.count, self.people = len(people.images), people.people
        self.distance = perceptual_distance()
        bicubic = enlarged_by_bicubic(SCALE)
        self.photographs, self.copies = (
            scored({**ways, None: bicubic}, portraits, SCALE, self.distance)
            for portraits in (people, with_copies(people, REFERENCES))
        )

    @property
    def metrics(self) -> tuple[str, str, str]:
        """Names of the scores."""
        return "PSNR", "SSIM", self.distance.name

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that `cells` fills."""
        return *self.metrics, *(f"{metric}, copies" for metric in self.metrics)

    def has(self, training: Training) -> bool:
        """Whether it is among those that are scored."""
        return training in self.trainings

    def cells(self, way: Way | None) -> tuple[float, ...]:
        """Means of a training, or of bicubic."""
        return *self.photographs[way].means, *self.copies[way].means

    def left_out(self, trainings: Mapping[str, Training]) -> str:
        """A sentence about rows that are missing, if there are any."""
        missing = [name for name, training in trainings.items() if not self.has(training)]
        if not missing:
            return ""
        return f"Left out, because not trained here yet: {', '.join(missing)}; `--suite full` trains them."


def wanted() -> Iterator[Way]:
    """All trainings of all experiments, those of several tables once."""
    ways = [
        (training, experiment.references.get(name, REFERENCES))
        for experiment in EXPERIMENTS
        for name, training in experiment.rows.items()
    ]
    ways += [(training, REFERENCES) for by_window in FIGURE8.values() for training in by_window.values()]
    yield from dict.fromkeys(ways)


def with_first(network: HIME, references: int) -> Enlarge:
    """The network with so many of the references."""
    return lambda lr, exemplars, present: network(lr, exemplars[:, :references], present[:, :references])


def measure(suite: Suite) -> list[Table]:
    """A table for each of the paper's, Figure 8 as a table, and the curves of the trainings.

    Raises:
        NoPhotographsError: If PORTRAIT_ASSETS does not lead to the photographs.
        LeftOutError: If no training is finished and the suite is the quick one.
    """
    scoring = Scoring(suite)
    return [*(tabulated(experiment, scoring) for experiment in EXPERIMENTS), *figure8(scoring), curves(scoring)]


def tabulated(experiment: Experiment, scoring: Scoring) -> Table:
    """One of the paper's tables: its rows, and whether every change has the paper's sign."""
    ways = {
        name: (training, experiment.references.get(name, REFERENCES))
        for name, training in experiment.rows.items()
        if scoring.has(training)
    }
    rows: list[tuple[Cell, ...]] = [("bicubic", *scoring.cells(None))]
    rows += [(name, *scoring.cells(way)) for name, way in ways.items()]
    sentences = [*signs(experiment, ways, scoring), NOTE, experiment.remark, scoring.left_out(experiment.rows)]
    return Table(
        f"hime_{experiment.name}",
        f"HIME, {experiment.title}, in miniature: {scoring.count} photographs of held-out people of LFW",
        (experiment.column, *scoring.columns),
        tuple(rows),
        note=" ".join(filter(None, (*sentences, scoring.distance.remark))),
        published=Published(
            f"HIME, {experiment.title}: CelebAMask-HQ, 287 people, other people of it in training",
            (experiment.column, "PSNR", "SSIM", "LPIPS"),
            tuple((name, *row) for name, row in experiment.published.items()),
        ),
    )


def signs(experiment: Experiment, ways: dict[str, Way], scoring: Scoring) -> Iterator[str]:
    """A sentence for every change that the paper draws a conclusion from, on photographs and on copies."""
    for before, after in experiment.pairs:
        if before not in ways or after not in ways:
            continue
        published = zip(experiment.published[before], experiment.published[after], strict=True)
        papers = [theirs - first for first, theirs in published]
        for whose, scores in (("photographs of the person", scoring.photographs), ("copies", scoring.copies)):
            measured = zip(scoring.metrics, scores[ways[before]], scores[ways[after]], papers, strict=True)
            changes = [
                told(metric, change(first, ours, scoring.people), paper) for metric, first, ours, paper in measured
            ]
            yield f"From {before} to {after}, with {whose}: {', '.join(changes)}."


def figure8(scoring: Scoring) -> Iterator[Table]:
    """Scores by the window of the correlation loss, if there are any."""
    rows: list[tuple[Cell, ...]] = []
    lines: dict[str, list[tuple[float, float]]] = {}
    everything = {f"{kind}, k = {k}": one for kind, by_window in FIGURE8.items() for k, one in by_window.items()}
    for kind, by_window in FIGURE8.items():
        for k, training in by_window.items():
            if scoring.has(training):
                row = scoring.cells((training, REFERENCES))
                rows.append((kind, k, *row))
                lines.setdefault(kind, []).append((float(k), row[0]))
    sentences = [
        f"{scoring.count} photographs of held-out people of LFW.",
        "The paper draws its numbers and does not print them. It says that with the correlation loss alone PSNR and "
        "SSIM grow with k, ever less; that fine-tuned, they change little from k = 3 on while LPIPS falls.",
        *(rising(kind, points) for kind, points in lines.items()),
        "150 steps each, a third of the other trainings'.",
        scoring.left_out(everything),
        scoring.distance.remark,
    ]
    if not rows:
        return
    yield Table(
        "hime_figure8",
        "HIME, Figure 8: window of the correlation loss, in miniature",
        ("training", "k", *scoring.columns),
        tuple(rows),
        note=" ".join(filter(None, sentences)),
        curves=lines,
        axes=("k", "PSNR, dB, photographs of the person"),
    )


def rising(kind: str, points: list[tuple[float, float]]) -> str:
    """A sentence on how PSNR goes with the window.

    Example:
        >>> rising("cor alone", [(1.0, 24.0), (3.0, 24.5), (9.0, 24.25)])
        'Here, cor alone: PSNR rises in 1 of 2 steps of k, +0.250 dB from k = 1 to k = 9.'
    """
    steps = [later - earlier for (_, earlier), (_, later) in pairwise(points)]
    if not steps:
        return ""
    (first, least), (last, most) = points[0], points[-1]
    return (
        f"Here, {kind}: PSNR rises in {sum(step > 0 for step in steps)} of {len(steps)} steps of k, "
        f"{most - least:+.3f} dB from k = {first:.0f} to k = {last:.0f}."
    )


def curves(scoring: Scoring) -> Table:
    """Reconstruction losses of the trainings that begin at random, all on the same batches."""
    lines = {
        name: reconstruction_losses(training) for name, training in FROM_SCRATCH.items() if training.curve.is_file()
    }
    rows = []
    for name, line in lines.items():
        fifth = max(1, len(line) // 5)
        losses = torch.tensor([loss for _, loss in line])
        rows.append((name, int(line[-1][0]), mean(losses[:fifth]), mean(losses[-fifth:])))
    drawn = any(scoring.has(training) for by_window in FIGURE8.values() for training in by_window.values())
    absent = "" if drawn else "Figure 8 is left out: none of its trainings is finished; `--suite full` runs them."
    return Table(
        "hime_ablation_curves",
        "Reconstruction loss of the miniature trainings by step, batches of four photographs",
        ("training", "steps", "first fifth", "last fifth"),
        tuple(rows),
        note=f"All see the same photographs in the same order, so that lines compare point by point. {absent}".strip(),
        curves=lines,
        axes=("step", "Charbonnier loss of a batch"),
    )


def mean(losses: Tensor) -> float:
    """Of a part of a curve."""
    return losses.mean().item()


def reconstruction_losses(training: Training) -> list[tuple[float, float]]:
    """Step and loss, as the training logged them."""
    with training.curve.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("train/rec")]
    return [(float(row["step"]) + 1, float(row["train/rec"])) for row in rows]
