"""From names of metrics to metrics, and of those that cannot be computed here to the reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from faceops.detection.detector import Detector
from faceops.detection.detector_names import DEFAULT_DETECTOR, DetectorName
from faceops.detection.selection import build_detector
from faceops.recognition.identity import DEFAULT_NETWORK, build_identity
from faceops.weights.cache import MissingWeightsError, cached_path, find_weights, missing_sentence
from faceops.weights.table import WEIGHTS
from portraitdata.scoring.conventions import Convention, describe, known_convention
from portraitdata.scoring.face_geometry import FaceEmbedder, FaceFinder
from portraitdata.scoring.face_metrics import (
    boundary_metric,
    daefr_ida_metric,
    ida_metric,
    identity_metric,
    landmark_metric,
    reference_identity_metric,
)
from portraitdata.scoring.learned_metric_table import LEARNED_METRICS, find_learned_metric
from portraitdata.scoring.learned_metrics import build_learned
from portraitdata.scoring.metric import Column, Metric, SetMetric, TensorMetric, UnavailableMetricError
from portraitdata.scoring.psnr import psnr
from portraitdata.scoring.ssim import ssim

PIXEL_METRICS = ("psnr", "ssim")
FACE_METRICS = ("id", "ida", "ida_daefr", "lmd", "boundary")
"""Of the face; measured by faceops."""
DAEFR_NETWORK = "arcface-grey18"
"""Name of the weights of DAEFR's network."""


@dataclass(frozen=True)
class ScoringSettings:
    """Settings of the metrics."""

    convention: Convention
    """Of PSNR and SSIM."""
    crop: int = 0
    """Pixels that PSNR and SSIM leave out along every border."""
    aligned: bool = False
    """True if the images are faces aligned to FFHQ's template."""
    detector: DetectorName = DEFAULT_DETECTOR
    detector_weights: str | Path | None = None
    """File or name of the detector's weights; None for its own."""
    identity_weights: str | Path = DEFAULT_NETWORK
    """File or name of the weights of the recognition network, for id and ida."""
    daefr_weights: str | Path = DAEFR_NETWORK
    """File or name of the weights of the network for ida_daefr."""
    download: bool = False
    """Fetch weights that are missing; otherwise the metric is skipped."""
    device: str = "cpu"

    def __post_init__(self) -> None:
        known_convention(self.convention)
        if self.crop < 0:
            raise ValueError(f"The border to leave out must be 0 pixels or more, got {self.crop}.")


@dataclass(frozen=True)
class Selection:
    """Metrics that can be computed, and those that cannot."""

    metrics: tuple[Metric, ...]
    set_metrics: tuple[SetMetric, ...]
    skipped: dict[str, str]
    """Reason by name."""


def metric_names() -> tuple[str, ...]:
    """All names that are known."""
    return (*PIXEL_METRICS, *FACE_METRICS, *(row.name for row in LEARNED_METRICS))


def select_metrics(
    wanted: Sequence[str | Metric | SetMetric],
    settings: ScoringSettings,
    *,
    with_references: bool = False,
    with_masks: bool = False,
) -> Selection:
    """Build metrics.

    Args:
        with_references: Whether there are references; ``id`` compares with them, too.
        with_masks: Whether there are masks, which ``boundary`` needs.

    Raises:
        ValueError: If a name is not known or there twice, or a file of weights is of the wrong kind.
        MissingWeightsError: If a file of weights that the settings name is not there.
    """
    names = [metric for metric in wanted if isinstance(metric, str)]
    check_names(names)
    builder = _Builder(settings, with_references, with_masks)
    metrics: list[Metric] = []
    set_metrics: list[SetMetric] = []
    skipped: dict[str, str] = {}
    for want in wanted:
        try:
            built = builder.build(want) if isinstance(want, str) else [want]
        except UnavailableMetricError as error:
            skipped[str(want)] = str(error)
            continue
        metrics += [metric for metric in built if isinstance(metric, Metric)]
        set_metrics += [metric for metric in built if not isinstance(metric, Metric)]
    return Selection(tuple(metrics), tuple(set_metrics), skipped)


def check_names(names: Sequence[str]) -> None:
    """Refuse names that are not known or there twice.

    Example:
        >>> check_names(["psnr", "pnsr"])
        Traceback (most recent call last):
        ...
        ValueError: There is no metric 'pnsr'; metrics are psnr, ssim, id, ida, ida_daefr, lmd, boundary, lpips, \
lpips-vgg, dists, niqe, musiq, clipiqa, maniqa-pipal, fid.
    """
    for place, name in enumerate(names):
        if name not in metric_names():
            raise ValueError(f"There is no metric {name!r}; metrics are {', '.join(metric_names())}.")
        if name in names[:place]:
            raise ValueError(f"The metric {name} is asked for twice.")


class _Builder:
    """Makes metrics of one selection, which share detector, network and what these find."""

    def __init__(self, settings: ScoringSettings, with_references: bool, with_masks: bool) -> None:
        self.settings, self.with_references, self.with_masks = settings, with_references, with_masks

    def build(self, name: str) -> Sequence[Metric | SetMetric]:
        """Metrics that a name stands for."""
        learned = find_learned_metric(name)
        if learned is not None:
            return [build_learned(learned, download=self.settings.download, device=self.settings.device)]
        if name in PIXEL_METRICS:
            return [self._pixel(name)]
        if name == "id":
            others = [reference_identity_metric(self.embedder)] if self.with_references else []
            return [identity_metric(self.embedder), *others]
        return [self._face(name)]

    def _pixel(self, name: str) -> TensorMetric:
        convention, crop = self.settings.convention, self.settings.crop
        column = Column(name, describe(convention, crop), higher_is_better=True, digits=2 if name == "psnr" else 4)
        return TensorMetric(column, partial(psnr if name == "psnr" else ssim, convention=convention, crop=crop))

    def _face(self, name: str) -> Metric:
        if name == "ida":
            return ida_metric(self.embedder)
        if name == "lmd":
            return landmark_metric(FaceFinder(self.detector, aligned=True) if self.settings.aligned else self.finder)
        if name == "ida_daefr":
            network = build_identity(present_weights(self.settings.daefr_weights, self.settings.download)).network
            return daefr_ida_metric(self.finder, network.to(self.settings.device))
        if not self.with_masks:
            raise UnavailableMetricError("It needs the masks that faces were pasted with; give --masks FOLDER.")
        return boundary_metric()

    @cached_property
    def detector(self) -> Detector:
        """Finds faces and landmarks."""
        chosen = self.settings
        own = {"any-turn": None, "retinaface": "retinaface-mobilenet0.25"}.get(chosen.detector, chosen.detector)
        wanted = chosen.detector_weights or own
        weights = None if wanted is None else present_weights(wanted, chosen.download)
        return build_detector(chosen.detector, weights, turned=False, device=chosen.device)

    @cached_property
    def finder(self) -> FaceFinder:
        """Where the face of the target is; without a detector for aligned sets."""
        if self.settings.aligned:
            return FaceFinder(None, aligned=True)
        return FaceFinder(self.detector)

    @cached_property
    def embedder(self) -> FaceEmbedder:
        """Recognition network for id and ida."""
        finder = self.finder
        encoder = build_identity(present_weights(self.settings.identity_weights, self.settings.download))
        return FaceEmbedder(finder, encoder.to(self.settings.device), encoder.name)


def present_weights(name_or_path: str | Path, download: bool) -> Path:
    """File of weights of faceops; of a name, only what is in the cache already unless `download`.

    Raises:
        UnavailableMetricError: If named weights are not in the cache and must not be fetched, or cannot be.
        MissingWeightsError: If there is no such name or file.
    """
    entry = next((entry for entry in WEIGHTS if entry.name == str(name_or_path)), None)
    if entry is None:
        return find_weights(name_or_path)
    if not cached_path(entry).is_file() and not download:
        raise UnavailableMetricError(missing_sentence(entry, "nothing is fetched without --download"))
    try:
        return find_weights(name_or_path)
    except MissingWeightsError as error:
        raise UnavailableMetricError(str(error)) from error
