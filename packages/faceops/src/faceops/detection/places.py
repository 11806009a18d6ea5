"""Places of the maps of an anchor-free detector, and the faces that are predicted for them."""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.detection.detectors.any_turn_network import STRIDES

LARGEST_LOGARITHM = 6.0
"""Largest logarithm of a side in strides: an untrained network must not predict infinite boxes."""


@lru_cache(maxsize=16)
def places_of(height: int, width: int) -> Float[Tensor, "p 3"]:
    """Middle x, middle y and stride of every place, in pixels; kept, as sizes repeat.

    Convention: a convolution of stride 2 with three taps and padding 1 is centred at every second pixel from the first
    one on, so the place of column c is centred at pixel c * stride, pixel centres at integers.

    Args:
        height: A multiple of the largest stride.
        width: Likewise.

    Example:
        >>> places_of(64, 128).shape, places_of(64, 128)[[1, -1]].tolist()
        (torch.Size([170, 3]), [[8.0, 0.0, 8.0], [64.0, 0.0, 64.0]])
    """
    scales = []
    for stride in STRIDES:
        y, x = (torch.arange(length // stride, dtype=torch.float32) * stride for length in (height, width))
        grid = torch.cartesian_prod(y, x, torch.tensor([float(stride)]))
        scales.append(grid[:, [1, 0, 2]])
    return torch.cat(scales)


def boxes_at(values: Float[Tensor, "*n 4"], places: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 4"]:
    """Left, top, right and bottom edge from predictions.

    Example:
        >>> boxes_at(torch.tensor([[0.5, 0.0, 0.0, 0.0]]), torch.tensor([[16.0, 8.0, 8.0]])).tolist()
        [[16.0, 4.0, 24.0, 12.0]]
    """
    stride = places[..., 2:]
    middle = places[..., :2] + values[..., :2] * stride
    half = values[..., 2:].clamp(max=LARGEST_LOGARITHM).exp() * stride / 2
    return torch.cat([middle - half, middle + half], dim=-1)


def points_at(values: Float[Tensor, "*n k 2"], places: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n k 2"]:
    """Landmarks from predictions.

    Example:
        >>> points_at(torch.tensor([[[0.5, -1.0]]]), torch.tensor([[16.0, 8.0, 8.0]])).tolist()
        [[[20.0, 0.0]]]
    """
    return places[..., None, :2] + values * places[..., None, 2:]
