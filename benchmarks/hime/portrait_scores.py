"""Portraits with references, and how near an enlargement of them comes to the truth, image by image."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from benchmarks.hime.miniature_trainings import lfw_index
from benchmarks.photographs import photographs
from portraitdata.exemplars.index import ExemplarIndex
from portraitdata.exemplars.self_exemplars import SelfExemplars
from portraitdata.exemplars.sets import Choice, EvaluationExemplarSets, ExemplarSet
from portraitdata.images.resampling import bicubic, to_8_bit
from portraitdata.networks.perceptual_backbones import load_backbone
from portraitdata.scoring.learned_metric_table import find_learned_metric
from portraitdata.scoring.learned_metrics import build_learned
from portraitdata.scoring.metric import ImagePair, Metric, UnavailableMetricError
from portraitdata.scoring.psnr import psnr
from portraitdata.scoring.ssim import ssim

SIDE = 128
"""Of the truths, in pixels; LFW's centred 128 of 250 pixels, as the shipped weights know them."""
BATCH = 16

Key = TypeVar("Key", bound=Hashable)
Enlarge = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Of an input (b, 3, h, w), references (b, n, 3, sh, sw) and which are present (b, n): the result."""


class Portraits(NamedTuple):
    """Truths and their references, 0 to 255."""

    images: UInt8[Tensor, "b m 3 s s"]
    """The truth first; m = 1 + n."""
    present: Bool[Tensor, "b n"]
    people: tuple[str, ...] = ()
    """Who is on each; empty where nobody asks."""


def gathered(sets: Dataset[ExemplarSet] | Sequence[ExemplarSet]) -> Portraits:
    """All sets of a data set."""
    items = [sets[number] for number in range(len(sets))]  # type: ignore[arg-type]
    return Portraits(torch.stack([item.images for item in items]), torch.stack([item.present for item in items]))


def held_out(references: int, limit: int | None, choose: Choice = "same") -> Portraits:
    """Photographs of LFW's people that nothing was trained on, with the first other ones of the person.

    Raises:
        NoPhotographsError: If LFW is not there.
    """
    index = lfw_index()
    sets = EvaluationExemplarSets(index, SIDE, references, SIDE, choose=choose, limit=limit)
    items = [sets[number] for number in range(len(sets))]
    identities = {row.name: row.identity for row in ExemplarIndex.read(index).select("test").photographs}
    return gathered(items)._replace(people=tuple(identities[item.name] for item in items))


def with_copies(portraits: Portraits, references: int) -> Portraits:
    """The same truths, with warped copies of each as its references, as different as in training at most."""
    curriculum = SelfExemplars(ramp=1, first=1.0, last=1.0)
    truths = portraits.images[:, :1].numpy()
    copies = [
        [warp(truth[0]) for warp in curriculum.draw(1, references, np.random.default_rng(number)) if warp]
        for number, truth in enumerate(truths)
    ]
    images = np.concatenate((truths, np.array(copies)), axis=1)
    return Portraits(torch.from_numpy(images), torch.ones(len(images), references, dtype=torch.bool))


@dataclass(frozen=True)
class Distance:
    """A perceptual distance of two images; lower is better."""

    name: str
    to: Callable[[Tensor], Callable[[Tensor], Tensor]]
    """Of truths (b, 3, h, w), then of results: one number for each image."""
    remark: str = ""
    """What it is, where it is not the paper's."""


def perceptual_distance() -> Distance:
    """LPIPS (AlexNet) where torch's cache has its backbone, else the VGG distance.

    Raises:
        NoPhotographsError: If neither is there.
    """
    row = find_learned_metric("lpips")
    assert row is not None
    try:
        metric = build_learned(row)
    except UnavailableMetricError:
        return vgg_distance()
    assert isinstance(metric, Metric)

    def lpips(truths: Tensor) -> Callable[[Tensor], Tensor]:
        def measure(results: Tensor) -> Tensor:
            pairs = zip(results.split(1), truths.split(1), strict=True)
            return torch.tensor([metric(ImagePair("", *pair))[0] for pair in pairs])

        return measure

    return Distance("LPIPS", lpips)


def vgg_distance() -> Distance:
    """Mean absolute difference of the features of the slim VGG-19 of Collaborative Distillation, summed over layers.

    Raises:
        NoPhotographsError: If it is not there.
    """
    backbone = load_backbone(photographs() / "weights/perceptual/vgg19_16x_SE5.pth")
    layers = backbone.layers

    def to(truths: Tensor) -> Callable[[Tensor], Tensor]:
        theirs = backbone(truths, list(layers))

        def measure(results: Tensor) -> Tensor:
            ours = backbone(results, list(layers))
            terms = [layers[name] * (ours[name] - theirs[name]).abs().flatten(1).mean(dim=1) for name in ours]
            return torch.stack(terms).sum(dim=0)

        return measure

    remark = (
        "VGG distance stands in for LPIPS, whose backbone (torchvision's AlexNet) is not in torch's cache: the mean "
        "absolute difference of features of a slim VGG-19, not calibrated on people's judgements; lower is better, and "
        "its numbers do not compare to LPIPS."
    )
    return Distance("VGG distance", to, remark)


class Scores(NamedTuple):
    """Of every image."""

    psnr: Float[Tensor, " b"]
    """In dB, RGB."""
    ssim: Float[Tensor, " b"]
    """RGB; `portraitdata.scoring.ssim` with the convention ``rgb``."""
    distance: Float[Tensor, " b"]
    """Perceptual."""

    @property
    def means(self) -> tuple[float, float, float]:
        """Over the images."""
        return self.psnr.mean().item(), self.ssim.mean().item(), self.distance.mean().item()


@torch.inference_mode()
def scored(ways: Mapping[Key, Enlarge], portraits: Portraits, scale: int, distance: Distance) -> dict[Key, Scores]:
    """Reduce the truths by bicubic, rounded to eight bits, enlarge them again in every way, and compare."""
    parts: dict[Key, list[tuple[Tensor, ...]]] = {key: [] for key in ways}
    for images, present in zip(portraits.images.split(BATCH), portraits.present.split(BATCH), strict=True):
        truths, references = images[:, 0].float() / 255, images[:, 1:].float() / 255
        lr, distance_to_truths = reduced(truths, scale), distance.to(truths)
        for key, enlarge in ways.items():
            results = enlarge(lr, references, present).clamp(0, 1)
            parts[key].append((psnr(results, truths), ssim(results, truths), distance_to_truths(results)))
    return {key: Scores(*map(torch.cat, zip(*part, strict=True))) for key, part in parts.items()}


def reduced(truths: Float[Tensor, "b 3 h w"], scale: int) -> Float[Tensor, "b 3 _ _"]:
    """The inputs of an evaluation."""
    return to_8_bit(bicubic(truths, truths.shape[-2] // scale, truths.shape[-1] // scale))


def enlarged_by_bicubic(scale: int) -> Enlarge:
    """The least that everything is compared to."""
    return lambda lr, references, present: bicubic(lr, lr.shape[-2] * scale, lr.shape[-1] * scale)
