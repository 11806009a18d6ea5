"""Suppression of boxes that overlap a likelier one."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from faceops.geometry.boxes import intersection_over_union


def suppress_overlaps(
    boxes: Float[Tensor, "n 4"], scores: Float[Tensor, " n"], image_index: Int[Tensor, " n"], threshold: float
) -> Bool[Tensor, " n"]:
    """Mask of the boxes that stay: from the highest score down, each that overlaps none that stays (greedy NMS).

    All images at once, each with a matrix of its own, and without a loop over boxes: what stays is settled from the
    top of the order, and a sweep over the matrices settles at least one more; in practice a handful of sweeps does.

    Args:
        boxes: Left, top, right and bottom.
        scores: Higher ones are kept; of equals the first.
        image_index: Boxes of different images do not overlap.
        threshold: Intersection over union above which the lower one goes.

    Example:
        >>> boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [1.0, 0.0, 11.0, 10.0], [20.0, 0.0, 30.0, 10.0]])
        >>> suppress_overlaps(boxes, torch.tensor([0.8, 0.9, 0.7]), torch.tensor([0, 0, 0]), 0.4)
        tensor([False,  True,  True])
    """
    if not len(boxes):
        return torch.ones_like(scores, dtype=torch.bool)
    order = scores.argsort(descending=True, stable=True)
    order = order[image_index[order].argsort(stable=True)]
    of_image = image_index[order].unique_consecutive(return_counts=True)[1]
    rows = pad_sequence(list(boxes[order].split(of_image.tolist())), batch_first=True)
    beats = (intersection_over_union(rows, rows) > threshold).triu(diagonal=1)
    stays = rows.new_ones(rows.shape[:2], dtype=torch.bool)
    while True:
        settled = ~(beats & stays[:, :, None]).any(dim=1)
        if torch.equal(settled, stays):
            break
        stays = settled
    out = torch.empty_like(order, dtype=torch.bool)
    out[order] = stays[torch.arange(rows.shape[1], device=rows.device) < of_image[:, None]]
    return out
