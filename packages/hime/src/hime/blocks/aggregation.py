"""Content-conditioned feature aggregation, CoFA (HIME, Section 3.3, Eq. 5-7), and what Table 3 compares it with.

Every aggregation maps the features of n references to one map and may be told which references are present, so that
sets of different sizes share a batch. A set without any reference gives a zero map.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from jaxtyping import Bool, Float
from torch import Tensor, nn


class Aggregated(NamedTuple):
    """Result of an aggregation."""

    features: Float[Tensor, "b c h w"]
    """F_a, the features of the set."""
    similarity: Float[Tensor, "b n h w"] | None
    """mu in [0, 1] of every reference (Eq. 7), zero for an absent one; None where none is computed.

    Eq. 5 depends on the ratios of the references' mu only, so nothing in training keeps mu from being tiny everywhere.
    """
    weight: Float[Tensor, "b n h w"]
    """Share of every reference in F_a: mu over the sum of mu."""


class Average(nn.Module):
    """Mean over the references that are present (Table 3, "Average")."""

    def forward(
        self, aligned: Float[Tensor, "b n c h w"], lr_features: Float[Tensor, "b c h w"], present: Bool[Tensor, "b n"]
    ) -> Aggregated:
        """Average; the low-resolution features are not used."""
        weight = present.float() / present.sum(dim=1, keepdim=True).clamp(min=1)
        weight = rearrange(weight, "b n -> b n 1 1").expand(-1, -1, *aligned.shape[-2:])
        return Aggregated(weighted_sum(aligned, weight), None, weight)


class Maximum(nn.Module):
    """Element-wise maximum over the references that are present (Table 3, "Max-pool").

    The share of a reference is the share of channels in which it is the largest.
    """

    def forward(
        self, aligned: Float[Tensor, "b n c h w"], lr_features: Float[Tensor, "b c h w"], present: Bool[Tensor, "b n"]
    ) -> Aggregated:
        """Maximum; the low-resolution features are not used."""
        absent = rearrange(~present, "b n -> b n 1 1 1")
        values, index = aligned.masked_fill(absent, torch.finfo(aligned.dtype).min).max(dim=1)
        some = rearrange(present.any(dim=1), "b -> b 1 1 1")
        # not one_hot: exporters would take its number of classes for a constant
        numbers = torch.arange(aligned.shape[1], device=aligned.device).reshape(1, -1, 1, 1, 1)
        weight = (index.unsqueeze(1) == numbers).float().mean(dim=2) * some
        return Aggregated(torch.where(some, values, torch.zeros_like(values)), None, weight)


class ContentConditioned(nn.Module):
    """CoFA: every reference weighted, pixel by pixel, by its similarity to the low-resolution content.

    The paper calls similarity and aggregation parameter-free; the g_1 and g_2 of its Eq. 7 are convolutions, here 3x3.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.g1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.g2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(
        self, aligned: Float[Tensor, "b n c h w"], lr_features: Float[Tensor, "b c h w"], present: Bool[Tensor, "b n"]
    ) -> Aggregated:
        """Eq. 5-7.

        ``mu_i / sum(mu)`` is computed as ``softmax(log mu)``: the same number, and still one when every sigmoid
        underflows, where Eq. 5 as printed is 0 / 0.
        """
        n = aligned.shape[1]
        keys = rearrange(self.g1(rearrange(aligned, "b n c h w -> (b n) c h w")), "(b n) c h w -> b n c h w", n=n)
        queries = self.g2(lr_features)
        with torch.autocast(aligned.device.type, enabled=False):
            logit = reduce(keys.float() * queries.float().unsqueeze(1), "b n c h w -> b n h w", "sum")
            there = rearrange(present, "b n -> b n 1 1")
            log_mu = F.logsigmoid(logit).masked_fill(~there, torch.finfo(torch.float32).min)
            weight = log_mu.softmax(dim=1) * there
        return Aggregated(weighted_sum(aligned, weight), logit.sigmoid() * there, weight)


def weighted_sum(features: Float[Tensor, "b n c h w"], weight: Float[Tensor, "b n h w"]) -> Float[Tensor, "b c h w"]:
    """Sum over the references, every pixel by its weight."""
    return (features * weight.unsqueeze(2).to(features.dtype)).sum(dim=1)
