"""Score a folder of restored images beside a folder of targets."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from faceops.images.files import load_picture
from faceops.progress.display import tracked
from portraitdata.scoring.learned_metric_table import find_learned_metric
from portraitdata.scoring.metric import Column, ImagePair, Metric, NoFaceInImageError, SetMetric
from portraitdata.scoring.pairing import FilePair, Pairing, pair_folders
from portraitdata.scoring.selection import ScoringSettings, Selection, select_metrics
from portraitdata.scoring.table import ScoreTable


def score_folders(
    restored: Path,
    target: Path,
    metrics: Sequence[str | Metric | SetMetric],
    settings: ScoringSettings,
    *,
    references: Path | None = None,
    masks: Path | None = None,
    restored_suffix: str = "",
) -> ScoreTable:
    """Score all pairs of two folders, which are paired by name; nothing is resized.

    What fails is in the table: a pair that cannot be read or whose sizes differ has no row, a metric that cannot
    measure one image has None there, a metric that cannot be computed here is among the skipped.

    Args:
        restored: Folder of restored images.
        target: Folder of what they should be.
        metrics: Names (`metric_names`), or metrics of your own.
        settings: How they are computed.
        references: Folder of photographs of the same people, for ``id``.
        masks: Folder of the masks that faces were pasted with, for ``boundary``.
        restored_suffix: See `pair_folders`.

    Raises:
        FileNotFoundError: If a folder, or a file of weights that the settings name, is not there.
        ValueError: If there are no pairs, none can be scored, no metric can be computed, or a name is not known.
    """
    pairing = pair_folders(restored, target, references=references, masks=masks, restored_suffix=restored_suffix)
    chosen = select_metrics(metrics, settings, with_references=references is not None, with_masks=masks is not None)
    if not chosen.metrics and not chosen.set_metrics:
        reasons = " ".join(f"{name}: {reason}" for name, reason in chosen.skipped.items())
        raise ValueError(f"None of the metrics can be computed here. {reasons}".strip())
    return score_pairs(pairing, chosen, settings)


def score_pairs(pairing: Pairing, chosen: Selection, settings: ScoringSettings) -> ScoreTable:
    """Score pairs of files, wherever they lie.

    Args:
        pairing: The pairs, and what is to be said of files that have no partner.
        chosen: Metrics; they may be used for several sets of pairs.
        settings: What they were built by.

    Raises:
        ValueError: If none can be scored.
    """
    scored = _Scores(chosen.metrics, list(pairing.problems))
    for files in tracked(pairing.pairs, "Scoring"):
        scored.add(files, settings.device)
    if not scored.rows:
        raise ValueError(f"None of the {len(pairing.pairs)} pairs could be scored. {' '.join(scored.problems[:3])}")
    done = [files for files in pairing.pairs if files.name in scored.rows]
    set_columns, set_scores = scored.measure_set(chosen.set_metrics, done)
    columns = tuple(column for metric in chosen.metrics for column in metric.columns)
    return ScoreTable(
        convention=settings.convention,
        crop=settings.crop,
        columns=columns,
        rows=scored.rows,
        set_columns=set_columns,
        set_scores=set_scores,
        skipped=chosen.skipped,
        without_face=tuple(scored.without_face),
        problems=tuple(scored.problems),
        versions=versions_of([column.name for column in (*columns, *set_columns)]),
    )


@dataclass
class _Scores:
    """Measurements so far."""

    metrics: Sequence[Metric]
    problems: list[str]
    rows: dict[str, tuple[float | None, ...]] = field(default_factory=dict)
    without_face: dict[str, None] = field(default_factory=dict)
    """As a set that keeps the order."""

    def add(self, files: FilePair, device: str) -> None:
        """Measure one pair."""
        try:
            pair = load_pair(files, device)
        except (ValueError, OSError) as error:
            self.problems.append(str(error))
            return
        row: list[float | None] = []
        for metric in self.metrics:
            row += self._measured(metric, pair)
        self.rows[files.name] = tuple(row)

    def _measured(self, metric: Metric, pair: ImagePair) -> Sequence[float | None]:
        try:
            numbers = metric(pair)
        except NoFaceInImageError as error:
            self.without_face[f"{error.name} ({error.role})"] = None
        except (ValueError, OSError) as error:
            self.problems.append(f"{pair.name}: {error}")
        else:
            return [number if number is not None and isfinite(number) else None for number in numbers]
        return [None] * len(metric.columns)

    def measure_set(
        self, metrics: Sequence[SetMetric], done: Sequence[FilePair]
    ) -> tuple[tuple[Column, ...], tuple[float | None, ...]]:
        """Numbers of the whole set."""
        scores: list[float | None] = []
        for metric in metrics:
            try:
                scores.append(metric([files.restored for files in done], [files.target for files in done]))
            except (ValueError, OSError, RuntimeError) as error:
                self.problems.append(f"{metric.column.name} of {len(done)} images: {error}")
                scores.append(None)
        return tuple(metric.column for metric in metrics), tuple(scores)


def load_pair(files: FilePair, device: str = "cpu") -> ImagePair:
    """Read the images of a pair. Opacity is not looked at.

    Raises:
        ImageFileError: If a file cannot be read.
        ValueError: If the restored image, or the mask, is not of the target's size.
    """
    restored, target = (load_picture(path).pixels.unsqueeze(0) for path in (files.restored, files.target))
    check_size(files.restored, restored, files.target, target)
    reference = mask = None
    if files.reference is not None:
        reference = load_picture(files.reference).pixels.unsqueeze(0).to(device)
    if files.mask is not None:
        mask = load_picture(files.mask).pixels.mean(dim=0, keepdim=True).unsqueeze(0)
        check_size(files.mask, mask, files.target, target)
        mask = mask.to(device)
    return ImagePair(files.name, restored.to(device), target.to(device), reference, mask)


def check_size(first: Path, image: Float[Tensor, "1 c h w"], second: Path, other: Float[Tensor, "1 d oh ow"]) -> None:
    """Refuse images of different sizes.

    Example:
        >>> import torch
        >>> check_size(Path("a.png"), torch.zeros(1, 3, 4, 6), Path("b.png"), torch.zeros(1, 3, 4, 8))
        Traceback (most recent call last):
        ...
        ValueError: a.png has 6 x 4 pixels and b.png 8 x 4; images are compared at one size, and none is resized here.
    """
    if image.shape[-2:] != other.shape[-2:]:
        sizes = [f"{picture.shape[-1]} x {picture.shape[-2]}" for picture in (image, other)]
        raise ValueError(
            f"{first} has {sizes[0]} pixels and {second} {sizes[1]}; images are compared at one size, and none is "
            "resized here."
        )


def versions_of(names: Sequence[str]) -> dict[str, str]:
    """Versions of the packages that compute metrics.

    Example:
        >>> sorted(versions_of(["psnr"]))
        ['faceops', 'portraitdata', 'torch']
    """
    packages = {"portraitdata", "faceops", "torch"}
    for name in names:
        learned = find_learned_metric(name)
        if learned is not None:
            packages.add(learned.library)
    return {package: _version(package) for package in sorted(packages)}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # imported from a folder that nobody has installed
        return "unknown"
