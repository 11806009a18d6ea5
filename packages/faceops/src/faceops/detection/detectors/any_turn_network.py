"""The network of the detector any-turn: four scales, no anchors, one face at most for each place.

Plain convolutions: on a CPU they are faster than depthwise ones of as many parameters.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

STRIDES = (8, 16, 32, 64)
"""Pixels between the places of each scale."""

VALUES = 15
"""Score, box and five landmarks of a place."""


class Predictions(NamedTuple):
    """Output for every place, all scales after another, each row by row; see `faceops.detection.places`."""

    logits: Float[Tensor, "b p"]
    boxes: Float[Tensor, "b p 4"]
    """Middle against the place in strides; logarithm of width and height in strides."""
    landmarks: Float[Tensor, "b p 5 2"]
    """Points against the place, in strides."""


class AnyTurnArguments(NamedTuple):
    """Channels: of the two stem convolutions, of the scales, of the neck and heads."""

    stem: int = 16
    entry: int = 24
    fine: int = 40
    middle: int = 64
    coarse: int = 64
    neck: int = 48


class ConvUnit(nn.Sequential):
    """Convolution, normalisation and ReLU; after `fold` a convolution with bias and ReLU."""

    def __init__(self, inputs: int, outputs: int, size: int = 3, stride: int = 1, folded: bool = False) -> None:
        convolution = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=folded)
        normalisation = nn.Identity() if folded else nn.BatchNorm2d(outputs)
        super().__init__(convolution, normalisation, nn.ReLU(inplace=True))

    def fold(self) -> None:
        """Take the normalisation into the convolution; in evaluation mode nothing changes but the time."""
        convolution, normalisation, _ = self
        if isinstance(convolution, nn.Conv2d) and isinstance(normalisation, nn.BatchNorm2d):
            self[0] = nn.utils.fuse_conv_bn_eval(convolution.eval(), normalisation.eval())
            self[1] = nn.Identity()


class Residual(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, width: int, folded: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(*(ConvUnit(width, width, folded=folded) for _ in range(2)))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Map of the same size."""
        return x + self.body(x)


class AnyTurnNetwork(nn.Module):
    """Predictions for the places of four scales.

    Args:
        arguments: Channels.
        folded: Build it without normalisation, for folded weights.
    """

    def __init__(self, arguments: AnyTurnArguments = AnyTurnArguments(), folded: bool = False) -> None:  # noqa: B008
        super().__init__()
        self.arguments = arguments
        stem, entry, fine, middle, coarse, neck = arguments
        self.stem = nn.Sequential(
            ConvUnit(3, stem, 3, 2, folded), ConvUnit(stem, entry, 3, 2, folded), ConvUnit(entry, fine, 3, 2, folded)
        )
        self.stages = nn.ModuleList(
            (
                Residual(fine, folded),
                nn.Sequential(ConvUnit(fine, middle, 3, 2, folded), Residual(middle, folded)),
                nn.Sequential(ConvUnit(middle, coarse, 3, 2, folded), Residual(coarse, folded)),
                ConvUnit(coarse, coarse, 3, 2, folded),
            )
        )
        self.lateral = nn.ModuleList(ConvUnit(w, neck, 1, 1, folded) for w in (fine, middle, coarse, coarse))
        self.heads = nn.ModuleList(ConvUnit(neck, neck, 3, 1, folded) for _ in STRIDES)
        self.out = nn.ModuleList(nn.Conv2d(neck, VALUES, 1) for _ in STRIDES)

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Predictions:
        """Predictions for images.

        Args:
            x: RGB in [-1, 1]; height and width are multiples of 64.
        """
        maps = []
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        maps = [lateral(features) for lateral, features in zip(self.lateral, maps, strict=True)]
        for finer in (2, 1, 0):
            maps[finer] = maps[finer] + F.interpolate(maps[finer + 1], scale_factor=2.0, mode="nearest")
        values = torch.cat(
            [
                out(head(features)).permute(0, 2, 3, 1).reshape(len(features), -1, VALUES)
                for out, head, features in zip(self.out, self.heads, maps, strict=True)
            ],
            dim=1,
        )
        return Predictions(values[..., 0], values[..., 1:5], values[..., 5:].unflatten(-1, (5, 2)))

    def fold(self) -> "AnyTurnNetwork":
        """Take all normalisations into the convolutions, in place."""
        for module in list(self.modules()):
            if isinstance(module, ConvUnit):
                module.fold()
        return self.eval()
