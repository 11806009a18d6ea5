"""The HIME network (HIME, Section 3, Figure 2)."""

from typing import Literal, NamedTuple

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hime.blocks.aggregation import Average, ContentConditioned, Maximum
from hime.blocks.alignment import ConvolutionAlignment, DeformableAlignment, FlowGuidedAlignment
from hime.blocks.extraction import HighResolutionExtractor, LowResolutionExtractor
from hime.blocks.reconstruction import Reconstructor
from hime.blocks.spynet import FlowGrid
from portraitdata.images.resampling import bicubic

Alignment = Literal["none", "conv", "dcn", "flow_dcn"]
Aggregation = Literal["average", "max", "cofa"]


class SuperResolution(NamedTuple):
    """Output of HIME for one batch, with the maps that explain it."""

    image: Float[Tensor, "b 3 sh sw"]
    """I^SR, not clamped."""
    similarity: Float[Tensor, "b n h w"] | None
    """mu of every reference (Eq. 7), zero for an absent one; only ratios of it count, and it may be tiny throughout.

    None without references or without CoFA.
    """
    weight: Float[Tensor, "b n h w"] | None
    """Share of every reference in the aggregated features; None without references."""
    offset: Float[Tensor, "bn yx h w"] | None
    """Sampling offsets Phi in low-resolution pixels; None where nothing is aligned."""


class HimeArguments(NamedTuple):
    """Arguments of a HIME; ``HIME(*arguments)`` builds its like."""

    scale: int
    alignment: Alignment
    aggregation: Aggregation
    channels: int
    hr_blocks: int
    lr_blocks: int
    reconstruction_blocks: int
    offset_channels: int
    offset_layers: int
    offset_groups: int
    flow_grid: FlowGrid = "centres"


class HIME(nn.Module):
    """Headshot super-resolution from a low-resolution image and any number of exemplars of the same person.

    Everything but the last pixel shuffle happens at the resolution of the input. References are folded into the batch
    dimension, so any number works in one trained model, zero included; their order does not matter.

    Args:
        scale: Magnification s.
        alignment: How reference features are aligned: by a deformable convolution (``dcn``, HIME small), guided by
            optical flow (``flow_dcn``, HIME large), by a common convolution (``conv``); ``none`` builds no reference
            branch at all, the non-reference baseline of Table 4.
        aggregation: How the references' features become one: ``cofa``, ``average`` or ``max`` (Table 3).
        channels: Channels C of all features; the paper gives none.
        hr_blocks: k_h, residual blocks of the reference extractor.
        lr_blocks: k_l, residual blocks of the input's extractor.
        reconstruction_blocks: k_r, residual blocks of the reconstructor.
        offset_channels: Hidden channels of the offset estimator.
        offset_layers: Hidden layers of the offset estimator.
        offset_groups: Groups of channels that the deformable convolution moves together.
        flow_grid: How the optical flow is enlarged; ``corners`` for published weights of SPyNet.

    Raises:
        ValueError: If the scale or a count does not fit.
    """

    def __init__(
        self,
        scale: int = 8,
        alignment: Alignment = "dcn",
        aggregation: Aggregation = "cofa",
        channels: int = 32,
        hr_blocks: int = 3,
        lr_blocks: int = 5,
        reconstruction_blocks: int = 20,
        offset_channels: int = 64,
        offset_layers: int = 4,
        offset_groups: int = 8,
        flow_grid: FlowGrid = "centres",
    ) -> None:
        super().__init__()
        if scale < 2:
            raise ValueError(f"HIME magnifies by a whole number of at least 2, got {scale}.")
        if channels % offset_groups:
            raise ValueError(f"{channels} channels cannot be split into {offset_groups} offset groups.")
        self.arguments = HimeArguments(
            scale,
            alignment,
            aggregation,
            channels,
            hr_blocks,
            lr_blocks,
            reconstruction_blocks,
            offset_channels,
            offset_layers,
            offset_groups,
            flow_grid,
        )
        self.scale = scale
        self.lr_extractor = LowResolutionExtractor(channels, lr_blocks)
        self.alignment: nn.Module | None = None
        self.aggregation: nn.Module | None = None
        if alignment != "none":
            self._add_reference_branch(self.arguments)
        self.reconstructor = Reconstructor(channels, reconstruction_blocks, scale)

    def _add_reference_branch(self, wanted: HimeArguments) -> None:
        self.hr_extractor = HighResolutionExtractor(wanted.channels, wanted.hr_blocks, wanted.scale)
        offsets = wanted.offset_channels, wanted.offset_groups, wanted.offset_layers
        if wanted.alignment == "conv":
            self.alignment = ConvolutionAlignment(wanted.channels)
        elif wanted.alignment == "dcn":
            self.alignment = DeformableAlignment(wanted.channels, *offsets)
        else:
            self.alignment = FlowGuidedAlignment(wanted.channels, *offsets, wanted.flow_grid)
        if wanted.aggregation == "cofa":
            self.aggregation = ContentConditioned(wanted.channels)
        else:
            self.aggregation = Average() if wanted.aggregation == "average" else Maximum()

    def forward(
        self,
        lr: Float[Tensor, "b 3 h w"],
        references: Float[Tensor, "b n 3 sh sw"] | None = None,
        present: Bool[Tensor, "b _"] | None = None,
    ) -> Float[Tensor, "b 3 sh sw"]:
        """Super-resolve; see `explain`."""
        return self.explain(lr, references, present).image

    def explain(
        self,
        lr: Float[Tensor, "b 3 h w"],
        references: Float[Tensor, "b n 3 sh sw"] | None = None,
        present: Bool[Tensor, "b _"] | None = None,
    ) -> SuperResolution:
        """Super-resolve and keep the maps.

        Args:
            lr: Low-resolution headshots, RGB in [0, 1].
            references: n exemplars for each, RGB in [0, 1], exactly `scale` times as high and wide. None or n = 0
                means no reference.
            present: Which exemplars are there; False marks the padding of smaller sets. None means all.

        Raises:
            ValueError: If the references do not fit the input.
        """
        lr_features = self.lr_extractor(lr)
        upscaled = bicubic(lr, lr.shape[-2] * self.scale, lr.shape[-1] * self.scale)
        if references is None or references.shape[1] == 0 or self.alignment is None or self.aggregation is None:
            return SuperResolution(upscaled + self.reconstructor(lr_features), None, None, None)
        self._check(lr, references, present)
        n = references.shape[1]
        folded = rearrange(references, "b n c h w -> (b n) c h w")
        aligned = self.alignment(
            self.hr_extractor(folded),
            repeat(lr_features, "b c h w -> (b n) c h w", n=n),
            folded,
            repeat(lr, "b c h w -> (b n) c h w", n=n),
        )
        if present is None:
            present = torch.ones(references.shape[:2], dtype=torch.bool, device=lr.device)
        features = rearrange(aligned.features, "(b n) c h w -> b n c h w", n=n)
        aggregated = self.aggregation(features, lr_features, present)
        residual = self.reconstructor(aggregated.features + lr_features)  # F_f = F_a + F^L
        return SuperResolution(upscaled + residual, aggregated.similarity, aggregated.weight, aligned.offset)

    def _check(self, lr: Tensor, references: Tensor, present: Tensor | None) -> None:
        wanted = (lr.shape[0], 3, lr.shape[-2] * self.scale, lr.shape[-1] * self.scale)
        if (references.shape[0], *references.shape[2:]) != wanted:
            raise ValueError(
                f"References for {tuple(lr.shape)} at scale {self.scale} must be "
                f"({wanted[0]}, n, 3, {wanted[2]}, {wanted[3]}), got {tuple(references.shape)}."
            )
        if present is not None and present.shape != references.shape[:2]:
            raise ValueError(
                f"`present` must say of each of {tuple(references.shape[:2])} references whether it is there, "
                f"got {tuple(present.shape)}."
            )
