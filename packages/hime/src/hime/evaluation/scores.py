"""Scores of a network on held-out people: with how many references, and whose."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset

from faceops.device import select_device
from faceops.progress.display import tracked
from faceops.progress.verbosity import say
from hime.command_options import EvaluateOptions
from hime.evaluation.quality import QualityScores
from hime.network import HIME
from hime.weights.files import load_network
from portraitdata.exemplars.index import ExemplarIndex
from portraitdata.exemplars.sets import EvaluationExemplarSets, ExemplarSet
from portraitdata.images.resampling import bicubic, to_8_bit

Whose = Literal["same", "stranger", "blank"]


class Condition(NamedTuple):
    """Exemplars that the network is given."""

    name: str
    """As it stands in the table."""
    references: int
    """References a set; 0 for none."""
    whose: Whose
    """Photos of the same person, of another person, or black images."""


def conditions(references: Sequence[int], stranger: bool, blank: bool) -> list[Condition]:
    """The rows of a table: each number of references, then the largest of a stranger's and of black ones.

    Raises:
        ValueError: If a number is negative.
    """
    if min(references) < 0:
        raise ValueError(f"Weights are scored with zero references or more, got {min(references)}.")
    rows = [Condition(f"{n} reference{'' if n == 1 else 's'}", n, "same") for n in references]
    most = max(references)
    if stranger and most:
        rows.append(Condition(f"{most} of a stranger", most, "stranger"))
    if blank and most:
        rows.append(Condition(f"{most} blank", most, "blank"))
    return rows


@torch.inference_mode()
def evaluate_condition(
    network: HIME, sets: Dataset[ExemplarSet], references: int, *, device: torch.device, batch_size: int = 16
) -> dict[str, float]:
    """Mean scores of a network over exemplar sets, in float32.

    Args:
        sets: Exemplar sets of the network's high-resolution size.
        references: How many of each set's references are used, the first ones.

    Returns:
        ``psnr`` and ``psnr_bicubic`` in dB, ``ssim``, and ``lpips`` where it is measured.
    """
    quality = QualityScores().to(device)
    there = count = 0
    for images, present in _batches(sets, batch_size):
        images = images.to(device).float() / 255
        hr = images[:, 0]
        lr = to_8_bit(bicubic(hr, hr.shape[-2] // network.scale, hr.shape[-1] // network.scale))
        used = slice(0, references)
        there, count = there + int(present[:, used].sum()), count + len(images)
        sr = network(lr, images[:, 1:][:, used], present.to(device)[:, used])
        quality.update(sr, hr, lr)
    if there < references * count:
        say(f"Sets have {there / count:.2g} references on average, where {references} were asked for.")
    return {name: float(value) for name, value in quality.compute().items()}


def _batches(sets: Dataset[ExemplarSet], batch_size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    loader: DataLoader[ExemplarSet] = DataLoader(sets, batch_size=batch_size, collate_fn=list)
    for batch in loader:
        yield torch.stack([item.images for item in batch]), torch.stack([item.present for item in batch])


def evaluate(weights: str, options: EvaluateOptions) -> dict[str, dict[str, float]]:
    """Scores of named weights under every condition, with a progress bar.

    Raises:
        ValueError: If the size is no multiple of the network's scale, or a number of references is negative.
    """
    rows = conditions(options.references, options.stranger, options.blank)
    device, size = select_device(options.device), options.size
    network = load_network(weights).to(device).eval()
    if size % network.scale:
        raise ValueError(f"A size of {size} px cannot be divided by the scale {network.scale} of {weights}.")
    table: dict[str, dict[str, float]] = {}
    photographs = ExemplarIndex.read(options.index)
    for row in tracked(rows, f"Evaluating {weights}"):
        most = max(row.references, 1)
        sets = EvaluationExemplarSets(
            photographs, size, most, options.crop, options.split, choose=row.whose, limit=options.limit
        )
        table[row.name] = evaluate_condition(network, sets, row.references, device=device)
    return table
