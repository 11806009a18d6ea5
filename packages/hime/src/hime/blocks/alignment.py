"""Reference feature alignment, RFA (HIME, Section 3.2, Eq. 1-4)."""

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from hime.blocks.deformable import DeformableConv2d
from hime.blocks.residual import LEAK
from hime.blocks.sampling import warp
from hime.blocks.spynet import FlowGrid, SPyNet
from portraitdata.images.resampling import bicubic

TAPS = 9
"""Taps of the 3x3 deformable convolution."""


class Aligned(NamedTuple):
    """Result of an alignment."""

    features: Float[Tensor, "b c h w"]
    """F^refA, the reference features in the place of the low-resolution content."""
    offset: Float[Tensor, "b yx h w"] | None
    """Phi, the displacement of every tap in low-resolution pixels; None where nothing moves."""


class OffsetEstimator(nn.Module):
    """g of Eq. 3: offsets and modulation of a deformable convolution from two feature maps.

    The paper says "a general operation of convolution layers". Here: four 3x3 convolutions with leaky rectifiers and
    a last one that starts at zero, so that training starts from a plain convolution with every tap modulated by 1/2.

    Args:
        groups: Groups of channels that move together.
    """

    def __init__(self, channels: int, hidden: int, groups: int, layers: int = 4) -> None:
        super().__init__()
        widths = [2 * channels, *[hidden] * layers]
        self.hidden = nn.Sequential(
            *(module for a, b in pairwise(widths) for module in (nn.Conv2d(a, b, 3, padding=1), nn.LeakyReLU(LEAK)))
        )
        self.head = nn.Conv2d(hidden, groups * TAPS * 3, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(
        self, reference: Float[Tensor, "b c h w"], lr: Float[Tensor, "b c h w"]
    ) -> tuple[Float[Tensor, "b yx h w"], Float[Tensor, "b gk h w"]]:
        """Offset in pixels and modulation in (0, 1), both float32."""
        out = self.head(self.hidden(torch.cat((reference, lr), dim=1))).float()
        offset, mask = out.split((2 * out.shape[1] // 3, out.shape[1] // 3), dim=1)
        return offset, mask.sigmoid()


class ConvolutionAlignment(nn.Module):
    """No alignment: a common convolution in the place of the deformable one (Table 2, "Conv")."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(
        self,
        reference_features: Float[Tensor, "b c h w"],
        lr_features: Float[Tensor, "b c h w"],
        references: Float[Tensor, "b 3 sh sw"],
        lr: Float[Tensor, "b 3 h w"],
    ) -> Aligned:
        """Convolve the reference features; the other arguments are not used."""
        return Aligned(self.conv(reference_features), None)


class DeformableAlignment(nn.Module):
    """Offsets estimated directly from both features: HIME (small) (Eq. 1, 3, 4 without flow; Table 2, "Dconv")."""

    def __init__(self, channels: int, hidden: int = 64, groups: int = 8, layers: int = 4) -> None:
        super().__init__()
        self.estimator = OffsetEstimator(channels, hidden, groups, layers)
        self.conv = DeformableConv2d(channels, channels)

    def forward(
        self,
        reference_features: Float[Tensor, "b c h w"],
        lr_features: Float[Tensor, "b c h w"],
        references: Float[Tensor, "b 3 sh sw"],
        lr: Float[Tensor, "b 3 h w"],
    ) -> Aligned:
        """Eq. 4 with Phi = g([F^ref, F^L]); the images are not used."""
        offset, mask = self.estimator(reference_features, lr_features)
        return Aligned(self.conv(reference_features, offset, mask), offset)


class FlowGuidedAlignment(nn.Module):
    """Optical flow guides the offsets: HIME (large) (Eq. 1-4; Table 2, "Dconv-flow").

    The paper does not say at which resolution the flow is estimated. At half the reference's resolution a six-level
    SPyNet on three references costs 3.93 GMACs at 128 px, the difference between the large and the small rows of
    Table 1; at that of the input six levels would reach below one pixel.

    Args:
        grid: How a flow field is enlarged, see `hime.blocks.spynet.SPyNet`.
    """

    def __init__(
        self,
        channels: int,
        hidden: int = 64,
        groups: int = 8,
        layers: int = 4,
        grid: FlowGrid = "centres",
    ) -> None:
        super().__init__()
        self.flow = SPyNet(grid=grid)
        self.estimator = OffsetEstimator(channels, hidden, groups, layers)
        self.conv = DeformableConv2d(channels, channels)

    def forward(
        self,
        reference_features: Float[Tensor, "b c h w"],
        lr_features: Float[Tensor, "b c h w"],
        references: Float[Tensor, "b 3 sh sw"],
        lr: Float[Tensor, "b 3 h w"],
    ) -> Aligned:
        """Eq. 2-4: warp by the flow, estimate the residual offset, sample the unwarped features at their sum."""
        flow = self.estimate_flow(references, lr)
        warped = warp(reference_features, flow)
        residual, mask = self.estimator(warped, lr_features)
        # Flow is (right, down), an offset (down, right); every tap of every group follows the flow.
        guided = residual + flow.flip(1).repeat(1, residual.shape[1] // 2, 1, 1)
        return Aligned(self.conv(reference_features, guided, mask), guided)

    def estimate_flow(
        self, references: Float[Tensor, "b 3 sh sw"], lr: Float[Tensor, "b 3 h w"]
    ) -> Float[Tensor, "b 2 h w"]:
        """Flow o from every pixel of the input to the reference, (right, down) in low-resolution pixels."""
        height, width = references.shape[-2] // 2, references.shape[-1] // 2
        flow = self.flow(bicubic(lr, height, width), bicubic(references, height, width))
        size = lr.shape[-2:]
        per_pixel = flow.new_tensor((size[1] / width, size[0] / height)).reshape(1, 2, 1, 1)
        return F.interpolate(flow, size, mode="bilinear", align_corners=False) * per_pixel
