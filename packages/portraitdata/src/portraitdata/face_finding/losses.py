"""Losses of a face detector: scores that say how well the box fits, boxes, landmarks."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from faceops.detection.detectors.any_turn_network import Predictions
from faceops.detection.places import boxes_at, points_at
from portraitdata.face_finding.scene_batch import SceneBatch
from portraitdata.face_finding.targets import Targets

FOCUS = 2.0
"""Exponent of the distance between score and quality: easy places count less."""


class FinderLosses(NamedTuple):
    """Means over the places that learn a face."""

    score: Tensor
    box: Tensor
    landmarks: Tensor


def finder_losses(
    predictions: Predictions, places: Float[Tensor, "p 3"], batch: SceneBatch, targets: Targets
) -> FinderLosses:
    """All three losses; landmarks in roots of the face's area."""
    image, place = (targets.face >= 0).nonzero(as_tuple=True)
    face = targets.face[image, place]
    wanted_boxes, wanted_points = batch.boxes[image, face], batch.landmarks[image, face]
    boxes = boxes_at(predictions.boxes[image, place], places[place])
    points = points_at(predictions.landmarks[image, place], places[place])
    overlap, generalised = paired_overlaps(boxes, wanted_boxes)
    quality = torch.zeros_like(predictions.logits)
    quality[image, place] = overlap.detach().to(quality.dtype)
    count = max(1, len(face))
    score = quality_focal_loss(predictions.logits, quality).masked_fill(targets.ignored, 0).sum() / count
    size = (wanted_boxes[:, 2:] - wanted_boxes[:, :2]).prod(dim=-1).sqrt()
    apart = (points - wanted_points).abs().sum(dim=-1).mean(dim=-1) / size
    return FinderLosses(score, (1 - generalised).sum() / count, apart.sum() / count)


def quality_focal_loss(logits: Float[Tensor, "*n"], quality: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Cross entropy towards a quality in [0, 1], weighted by the distance to it (Li et al., NeurIPS 2020).

    Example:
        >>> quality_focal_loss(torch.tensor([0.0]), torch.tensor([1.0]))  # log(2) / 4
        tensor([0.1733])
    """
    weight = (logits.sigmoid() - quality).abs() ** FOCUS
    return weight * F.binary_cross_entropy_with_logits(logits, quality, reduction="none")


def paired_overlaps(
    boxes: Float[Tensor, "n 4"], wanted: Float[Tensor, "n 4"]
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Intersection over union of each box and its counterpart, and the generalised one (Rezatofighi et al., CVPR 2019).

    Example:
        >>> a, b = torch.tensor([[0.0, 0.0, 2.0, 2.0]]), torch.tensor([[2.0, 0.0, 4.0, 4.0]])
        >>> paired_overlaps(a, b)  # beside each other: none, less the quarter of the hull that neither fills
        (tensor([0.]), tensor([-0.2500]))
    """
    low, high = torch.maximum(boxes[:, :2], wanted[:, :2]), torch.minimum(boxes[:, 2:], wanted[:, 2:])
    common = (high - low).clamp(min=0).prod(dim=-1)
    union = (boxes[:, 2:] - boxes[:, :2]).prod(dim=-1) + (wanted[:, 2:] - wanted[:, :2]).prod(dim=-1) - common
    first, last = torch.minimum(boxes[:, :2], wanted[:, :2]), torch.maximum(boxes[:, 2:], wanted[:, 2:])
    hull = (last - first).prod(dim=-1)
    overlap = common / union
    return overlap, overlap - (hull - union) / hull
