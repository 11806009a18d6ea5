"""Scores of restorers by the metrics of HeadsUp's tables, those of them that can be computed here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor

from benchmarks.headsup.headings import HEADINGS
from benchmarks.headsup.methods import Method, from_folder
from benchmarks.headsup.samples import Sample
from benchmarks.photographs import photographs
from benchmarks.reporting.table import Cell
from headsup.losses.lpips import PerceptualDistance
from portraitdata.images.resampling import to_8_bit
from portraitdata.scoring.conventions import Convention
from portraitdata.scoring.learned_metric_table import find_learned_metric
from portraitdata.scoring.metric import Column, ImagePair, Metric, NoFaceInImageError, TensorMetric
from portraitdata.scoring.selection import ScoringSettings, select_metrics

VGG_REMARK = (
    "VGG direction distance stands in for LPIPS: its formula with equal weights on a slim VGG-19, which the "
    "training saw, twice one minus the cosine of the features of a place. It is not calibrated and does not compare "
    "with LPIPS; lower is better."
)


@dataclass(frozen=True)
class Judges:
    """Metrics that can be computed here."""

    metrics: tuple[Metric, ...]
    left_out: Mapping[str, str]
    """What is needed, by heading."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Headings of the numbers."""
        return tuple(HEADINGS[column.name] for metric in self.metrics for column in metric.columns)

    def remark(self) -> str:
        """What is left out and why, in sentences."""
        headings: dict[str, list[str]] = {}
        for heading, wanted in self.left_out.items():
            headings.setdefault(wanted, []).append(heading)
        missing = [f"Without {', '.join(names)}: needs {wanted}." for wanted, names in headings.items()]
        return " ".join([*missing, *([VGG_REMARK] if HEADINGS["vgg"] in self.columns else [])])


def judges(names: Sequence[str], convention: Convention, aligned: bool = False) -> Judges:
    """Metrics by `portraitdata score`'s names, with networks that no loss of the shipped weights has seen.

    The identity is EdgeFace-XS's, which the training did not see; the training's is MobileFaceNet's. Where LPIPS
    cannot be computed, a distance of features of a slim VGG-19 stands in its place under another name. The training
    does see that one.

    Args:
        names: Of the paper's columns.
        convention: Of PSNR and SSIM.
        aligned: Whether the pictures are faces aligned to FFHQ.

    Raises:
        NoPhotographsError: If PORTRAIT_ASSETS does not lead to the networks' weights.
    """
    weights = photographs() / "weights"
    settings = ScoringSettings(
        convention,
        aligned=aligned,
        detector="yunet",
        detector_weights=weights / "detect/yunet_n_640_640.onnx",
        identity_weights=weights / "identity/edgeface_xs_dequant_fp16.safetensors",
    )
    chosen = select_metrics(names, settings, with_masks=True)
    metrics = [*chosen.metrics, *(_replaced(name, weights) for name in chosen.skipped if name.startswith("lpips"))]
    left_out = {HEADINGS[name]: needed(name) for name in chosen.skipped}
    return Judges(tuple(metrics), left_out | {"FID": "Inception's weights and thousands of pictures"})


def needed(name: str) -> str:
    """What a metric that cannot be computed lacks, in a few words.

    Example:
        >>> needed("ida_daefr")
        "DAEFR's network, arcface_resnet18.pth"
    """
    row = find_learned_metric(name)
    if row is None:
        return "DAEFR's network, arcface_resnet18.pth"
    if find_spec(row.library) is None:
        return f"the package {row.library} and weights"
    return "torchvision's " + ", ".join(file.file for file in row.missing)


def _replaced(name: str, weights: Path) -> TensorMetric:
    """What stands in the place of LPIPS."""
    distance = PerceptualDistance(weights / "perceptual/vgg19_16x_SE5.pth")
    return TensorMetric(Column("vgg", f"slim VGG-19, instead of {name}", higher_is_better=False), distance)


@dataclass
class Scores:
    """Numbers of several methods on several samples."""

    judges: Judges
    numbers: dict[str, list[list[float | None]]] = field(default_factory=dict)
    """One list for each sample, by method."""
    without_face: set[str] = field(default_factory=set)
    """Names of samples whose truth shows no face that the detector finds."""
    pictures: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    """Results to be shown, by sample and method."""

    def means(self, method: str) -> list[float]:
        """Mean of each column over the samples that have a number; NaN if none has."""
        columns = zip(*self.numbers[method], strict=True)
        return [mean([n for n in column if n is not None] or [float("nan")]) for column in columns]

    def rows(self) -> tuple[tuple[Cell, ...], ...]:
        """A row for each method."""
        return tuple((name, *("" if n != n else n for n in self.means(name))) for name in self.numbers)

    def remark(self) -> str:
        """What is to be said of missing numbers."""
        found = f"No face is found in {', '.join(sorted(self.without_face))}." if self.without_face else ""
        return f"{self.judges.remark()} {found}".strip()


def score_methods(
    methods: Mapping[str, Method], samples: Sequence[Sample], judges: Judges, shown: Sequence[str] = ()
) -> Scores:
    """Score methods on samples; results are rounded to eight bits, as files are.

    Args:
        methods: By name.
        samples: What they restore.
        judges: Metrics.
        shown: Names of samples whose results are kept.
    """
    scores = Scores(judges, {name: [] for name in methods})
    for sample in samples:
        for name, method in methods.items():
            restored = to_8_bit(method(sample))
            if sample.name in shown:
                scores.pictures.setdefault(sample.name, {})[name] = restored
            pair = ImagePair(sample.name, restored[None], sample.truth[None], mask=sample.mask)
            scores.numbers[name].append(list(_measured(pair, scores)))
    return scores


@torch.no_grad()
def _measured(pair: ImagePair, scores: Scores) -> Iterator[float | None]:
    for metric in scores.judges.metrics:
        try:
            yield from (n if n is not None and isfinite(n) else None for n in metric(pair))
        except NoFaceInImageError:
            scores.without_face.add(pair.name)
            yield from [None] * len(metric.columns)


def score_folder(name: str, folder: Path, samples: Sequence[Sample], judges: Judges) -> tuple[Cell, ...]:
    """Row of a table for other software's results.

    Args:
        name: Of the software.
        folder: Its results, each named as its input.
        samples: What it restored.
        judges: Metrics.

    Raises:
        OSError: If a result is missing or cannot be read.
        ValueError: If one has not the truth's size.
    """
    return score_methods({name: from_folder(folder, samples)}, samples, judges).rows()[0]
