"""MobileFaceNet (Chen et al., CCBR 2018), in the variant of foamliu/MobileFaceNet (Apache-2.0): 1 M weights."""

from collections.abc import Mapping

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from faceops.recognition.identity_networks.checkpoint import KeyTable, fill
from faceops.recognition.identity_networks.encoder import InputConvention

KEYS = KeyTable(
    (
        ("conv1.0", "stem.conv"),
        ("conv1.1", "stem.norm"),
        ("dw_conv.depthwise", "depthwise.conv"),
        ("dw_conv.bn1", "depthwise.norm"),
        ("dw_conv.pointwise", "pointwise.conv"),
        ("dw_conv.bn2", "pointwise.norm"),
        ("features.#.conv.0.0", "blocks.#.expand.conv"),
        ("features.#.conv.0.1", "blocks.#.expand.norm"),
        ("features.#.conv.1.0", "blocks.#.depthwise.conv"),
        ("features.#.conv.1.1", "blocks.#.depthwise.norm"),
        ("features.#.conv.2", "blocks.#.project.conv"),
        ("features.#.conv.3", "blocks.#.project.norm"),
        ("conv2.0", "widen.conv"),
        ("conv2.1", "widen.norm"),
        ("gdconv.depthwise", "pool.conv"),
        ("gdconv.bn", "pool.norm"),
        ("conv3", "embed.conv"),
        ("bn", "embed.norm"),
    )
)

CONVENTION = InputConvention(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""These weights were trained with the statistics of ImageNet."""

STAGES = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
"""Table 1 of the paper: expansion, channels, blocks, stride of the first block."""


class ConvNorm(nn.Module):
    """Convolution and batch normalisation."""

    def __init__(
        self, channels_in: int, channels: int, kernel: int = 1, stride: int = 1, padding: int = 0, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels, kernel, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Features."""
        return self.norm(self.conv(x))


class InvertedResidual(nn.Module):
    """Bottleneck of MobileNetV2: widen, convolve each channel, narrow; the sum with the input where shapes allow."""

    def __init__(self, channels_in: int, channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels_in * expansion
        self.residual = stride == 1 and channels_in == channels
        self.expand = ConvNorm(channels_in, wide)
        self.depthwise = ConvNorm(wide, wide, 3, stride, padding=1, groups=wide)
        self.project = ConvNorm(wide, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Features, at half the size with stride two."""
        out = self.project(F.relu6(self.depthwise(F.relu6(self.expand(x)))))
        return x + out if self.residual else out


class MobileFaceNet(nn.Module):
    """MobileFaceNet; features are not normalised.

    Args:
        dimensions: Length d of the embedding.
    """

    def __init__(self, dimensions: int = 128) -> None:
        super().__init__()
        self.stem = ConvNorm(3, 64, 3, stride=2, padding=1)
        self.depthwise = ConvNorm(64, 64, 3, padding=1, groups=64)
        self.pointwise = ConvNorm(64, 64)
        blocks = []
        before = 64
        for expansion, channels, count, stride in STAGES:
            for block in range(count):
                blocks.append(InvertedResidual(before, channels, stride if block == 0 else 1, expansion))
                before = channels
        self.blocks = nn.Sequential(*blocks)
        self.widen = ConvNorm(before, 512)
        self.pool = ConvNorm(512, 512, 7, groups=512)
        self.embed = ConvNorm(512, dimensions)
        self.embed.conv = nn.Conv2d(512, dimensions, 1)

    def forward(self, x: Float[Tensor, "n 3 112 112"]) -> Float[Tensor, "n d"]:
        """Features of prepared faces."""
        x = F.relu(self.pointwise(F.relu(self.depthwise(F.relu6(self.stem(x))))))
        return self.embed(self.pool(F.relu6(self.widen(self.blocks(x))))).flatten(1)


def mobilefacenet_from(tensors: Mapping[str, Tensor]) -> MobileFaceNet:
    """Network of published weights; ValueError if they do not fit."""
    network = MobileFaceNet(tensors["conv3.weight"].shape[0] if "conv3.weight" in tensors else 128)
    fill(network, tensors, KEYS)
    return network
