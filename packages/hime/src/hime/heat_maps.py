"""Heat maps: numbers as colours, and the scale on which similarities can be seen."""

from math import log

import torch
from jaxtyping import Float
from torch import Tensor

STOPS = ((0.05, 0.03, 0.20), (0.35, 0.07, 0.43), (0.75, 0.22, 0.33), (0.97, 0.55, 0.13), (0.99, 0.95, 0.65))
"""RGB of 0, 1/4, 1/2, 3/4 and 1: dark violet over red to light yellow, lightness rising evenly."""

FAINTEST = 1e-6
"""Ratio of similarities below which it makes no difference how small it is."""


def heat_map(values: Float[Tensor, "*batch h w"]) -> Float[Tensor, "*batch 3 h w"]:
    """Colour numbers in [0, 1], dark for 0 and light for 1; what lies outside is clamped.

    Example:
        >>> heat_map(torch.tensor([[0.0, 1.0]]))[:, 0].T.tolist()[1]
        [0.9900000095367432, 0.949999988079071, 0.6499999761581421]
    """
    stops = torch.tensor(STOPS, device=values.device)
    position = values.clamp(0, 1) * (len(STOPS) - 1)
    low = position.floor().clamp(max=len(STOPS) - 2).long()
    share = (position - low).unsqueeze(-1)
    return (stops[low] * (1 - share) + stops[low + 1] * share).movedim(-1, -3)


def relative_similarity(weight: Float[Tensor, "*batch n h w"]) -> Float[Tensor, "*batch n h w"]:
    """Similarity of every reference beside that of the best one at the same pixel, on a logarithmic scale.

    Only the ratios of the similarities mu have an effect (HIME, Eq. 5), and in trained networks all mu may be too
    small for float32. Their ratios are those of the weights, which never are.

    Args:
        weight: Share of every reference, as CoFA makes them; zero for an absent one.

    Returns:
        1 for the best reference at a pixel, falling to 0 for one that is a million times less similar.

    Example:
        >>> weight = torch.tensor([0.999, 0.000999, 1e-9]).reshape(3, 1, 1)
        >>> relative_similarity(weight).flatten().mul(100).round().tolist()
        [100.0, 50.0, 0.0]
    """
    best = weight.amax(dim=-3, keepdim=True).clamp(min=torch.finfo(weight.dtype).tiny)
    return 1 - (weight / best).clamp(min=FAINTEST).log() / log(FAINTEST)
