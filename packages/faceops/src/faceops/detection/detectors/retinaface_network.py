"""The network of RetinaFace (Deng et al., CVPR 2020) as its PyTorch ports train it: backbone, pyramid, context, heads.

Trained weights come in the key layout of those ports; `own_key` translates.
"""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from faceops.detection.detectors.retinaface_backbones import MobileNetQuarter, ResNet50Stages, conv_unit

Backbone = Literal["mobilenet0.25", "resnet50"]

ANCHORS = 2
"""Prior boxes at each place of a feature map."""


class Predictions(NamedTuple):
    """Output of the heads for every prior, all feature maps after another, each row by row."""

    logits: Float[Tensor, "b p 2"]
    """Background, face."""
    boxes: Float[Tensor, "b p 4"]
    """Centre and size against the prior."""
    landmarks: Float[Tensor, "b p 10"]
    """Points against the prior."""


class FeaturePyramid(nn.Module):
    """Brings three feature maps to one width and adds the coarser ones to the finer ones."""

    def __init__(self, widths: tuple[int, int, int], width: int, slope: float) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(conv_unit(channels, width, 1, slope=slope) for channels in widths)
        self.smooth = nn.ModuleList(conv_unit(width, width, 3, slope=slope) for _ in range(2))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Fine to coarse, as the input."""
        fine, middle, coarse = (lateral(x) for lateral, x in zip(self.lateral, maps, strict=True))
        middle = self.smooth[1](middle + F.interpolate(coarse, size=middle.shape[2:], mode="nearest"))
        fine = self.smooth[0](fine + F.interpolate(middle, size=fine.shape[2:], mode="nearest"))
        return [fine, middle, coarse]


class ContextModule(nn.Module):
    """Sees three neighbourhoods of every place, of 3, 5 and 7 pixels (the context module of SSH).

    Args:
        width: Channels in and out.
    """

    def __init__(self, width: int, slope: float) -> None:
        super().__init__()
        self.near = conv_unit(width, width // 2, 3, slope=None)
        self.entry = conv_unit(width, width // 4, 3, slope=slope)
        self.middle = conv_unit(width // 4, width // 4, 3, slope=None)
        self.bridge = conv_unit(width // 4, width // 4, 3, slope=slope)
        self.far = conv_unit(width // 4, width // 4, 3, slope=None)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Map of the same size."""
        entry = self.entry(x)
        return F.relu(torch.cat([self.near(x), self.middle(entry), self.far(self.bridge(entry))], dim=1))


class RetinaFaceNetwork(nn.Module):
    """Predictions for the priors of every place of three feature maps, of strides 8, 16 and 32."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        small = backbone == "mobilenet0.25"
        self.backbone = MobileNetQuarter() if small else ResNet50Stages()
        width, slope = (64, 0.1) if small else (256, 0.0)
        self.pyramid = FeaturePyramid(self.backbone.widths, width, slope)
        self.contexts = nn.ModuleList(ContextModule(width, slope) for _ in range(3))
        self.score_heads, self.box_heads, self.landmark_heads = (
            nn.ModuleList(nn.Conv2d(width, ANCHORS * values, 1) for _ in range(3)) for values in (2, 4, 10)
        )

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Predictions:
        """Predictions for images.

        Args:
            x: BGR in [0, 255], less the mean colour.
        """
        maps = self.pyramid(self.backbone(x))
        maps = [context(features) for context, features in zip(self.contexts, maps, strict=True)]
        return Predictions(
            by_prior(self.score_heads, maps, 2),
            by_prior(self.box_heads, maps, 4),
            by_prior(self.landmark_heads, maps, 10),
        )


def by_prior(heads: nn.ModuleList, maps: list[Tensor], values: int) -> Float[Tensor, "b p v"]:
    """Values of a kind, in the order of the priors."""
    outputs = [head(features) for head, features in zip(heads, maps, strict=True)]
    return torch.cat([out.permute(0, 2, 3, 1).reshape(len(out), -1, values) for out in outputs], dim=1)


KEYS = (
    ("fpn.output{}.", "pyramid.lateral.{}."),
    ("fpn.merge{}.", "pyramid.smooth.{}."),
    ("ssh{}.conv3X3.", "contexts.{}.near."),
    ("ssh{}.conv5X5_1.", "contexts.{}.entry."),
    ("ssh{}.conv5X5_2.", "contexts.{}.middle."),
    ("ssh{}.conv7X7_2.", "contexts.{}.bridge."),
    ("ssh{}.conv7x7_3.", "contexts.{}.far."),
    ("body.stage{}.", "backbone.stages.{}."),
)
"""Beginnings of foreign keys, which count from one, and of ours, which count from zero."""

HEADS = (
    ("ClassHead.{}.conv1x1.", "score_heads.{}."),
    ("BboxHead.{}.conv1x1.", "box_heads.{}."),
    ("LandmarkHead.{}.conv1x1.", "landmark_heads.{}."),
)
"""The same for the heads, which both count from zero."""

TABLE = tuple(
    (foreign.format(i + first), own.format(i))
    for pairs, first in ((KEYS, 1), (HEADS, 0))
    for foreign, own in pairs
    for i in range(3)
)


def own_key(foreign: str) -> str:
    """Our name of a foreign weight.

    Example:
        >>> own_key("module.fpn.merge1.0.weight"), own_key("body.layer2.0.conv1.weight")
        ('pyramid.smooth.0.0.weight', 'backbone.layer2.0.conv1.weight')
    """
    key = foreign.removeprefix("module.")
    for old, new in (*TABLE, ("body.", "backbone.")):
        if key.startswith(old):
            return new + key.removeprefix(old)
    return key
