"""Arithmetic of boxes: left, top, right and bottom edge in pixels, pixel centres at integers."""

import torch
from jaxtyping import Float
from torch import Tensor


def rescaled_points(points: Float[Tensor, "*n 2"], across: float, down: float) -> Float[Tensor, "*n 2"]:
    """Points of images whose width becomes `across` times and whose height `down` times as large.

    Convention: the corners of the images coincide, so a pixel centre x is moved to (x + 0.5) * across - 0.5.

    Example:
        >>> rescaled_points(torch.tensor([-0.5, 0.0]), 4.0, 2.0).tolist()
        [-0.5, 0.5]
    """
    return (points + 0.5) * points.new_tensor([across, down]) - 0.5


def rescaled_boxes(boxes: Float[Tensor, "n 4"], across: float, down: float) -> Float[Tensor, "n 4"]:
    """Boxes of images resized likewise: their edges are points.

    Example:
        >>> rescaled_boxes(torch.tensor([[-0.5, -0.5, 3.5, 3.5]]), 4.0, 2.0).tolist()
        [[-0.5, -0.5, 15.5, 7.5]]
    """
    return rescaled_points(boxes.unflatten(1, (2, 2)), across, down).flatten(1)


def overlaps(a: Float[Tensor, "*b n 4"], b: Float[Tensor, "*b m 4"]) -> Float[Tensor, "*b n m"]:
    """Areas that boxes have in common, in square pixels.

    Example:
        >>> overlaps(torch.tensor([[0.0, 0.0, 4.0, 4.0]]), torch.tensor([[2.0, 3.0, 9.0, 9.0]])).item()
        2.0
    """
    low = torch.maximum(a[..., :, None, :2], b[..., None, :, :2])
    high = torch.minimum(a[..., :, None, 2:], b[..., None, :, 2:])
    return (high - low).clamp(min=0).prod(dim=-1)


def areas(boxes: Float[Tensor, "*b n 4"]) -> Float[Tensor, "*b n"]:
    """Areas of boxes in square pixels."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(dim=-1)


def longer_sides(boxes: Float[Tensor, "n 4"]) -> Float[Tensor, " n"]:
    """Longer side of every box in pixels."""
    return (boxes[:, 2:] - boxes[:, :2]).amax(dim=1)


def shares_inside(boxes: Float[Tensor, "n 4"], others: Float[Tensor, "m 4"]) -> Float[Tensor, "n m"]:
    """Share of each box that lies inside each of the others, in [0, 1].

    Example:
        >>> shares_inside(torch.tensor([[0.0, 0.0, 4.0, 4.0]]), torch.tensor([[1.0, 0.0, 9.0, 9.0]])).item()
        0.75
    """
    return overlaps(boxes, others) / areas(boxes)[:, None].clamp(min=torch.finfo(boxes.dtype).tiny)


def intersection_over_union(a: Float[Tensor, "*b n 4"], b: Float[Tensor, "*b m 4"]) -> Float[Tensor, "*b n m"]:
    """Intersection over union of boxes, in [0, 1].

    Example:
        >>> intersection_over_union(torch.tensor([[0.0, 0.0, 4.0, 4.0]]), torch.tensor([[0.0, 0.0, 4.0, 2.0]])).item()
        0.5
    """
    common = overlaps(a, b)
    return common / (areas(a)[..., :, None] + areas(b)[..., None, :] - common).clamp(min=torch.finfo(common.dtype).tiny)
