"""The grey ArcFace ResNet-18 of GFPGAN's identity loss and of DAEFR's IDA.

Unlike other recognisers it takes one channel and a whole head: an FFHQ-aligned face reduced to 128 pixels.
"""

from collections.abc import Mapping

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from faceops.geometry.landmarks import FFHQ_512
from faceops.recognition.identity_networks.checkpoint import KeyTable, fill, numbered
from faceops.recognition.identity_networks.encoder import InputConvention

KEYS = KeyTable(
    (
        ("conv1", "stem.conv"),
        ("bn1", "stem.norm"),
        ("prelu", "stem.activation"),
        *(
            (f"layer{stage}.#.{theirs}", f"stage{stage}.#.{ours}")
            for stage in (1, 2, 3, 4)
            for theirs, ours in (
                ("bn0", "norm1"),
                ("conv1", "conv1"),
                ("bn1", "norm2"),
                ("prelu", "activation"),
                ("conv2", "conv2"),
                ("bn2", "norm3"),
                ("downsample.0", "shortcut.0"),
                ("downsample.1", "shortcut.1"),
            )
        ),
        ("bn4", "norm"),
        ("fc5", "linear"),
        ("bn5", "whiten"),
    )
)

CONVENTION = InputConvention(template=FFHQ_512.scaled(128), channels="grey")
"""Grey in [-1, 1], as it was trained. DAEFR's IDA gives it [0, 1] of misread channels: see `faceops.metrics`."""

FINAL_SIDE = 8
"""Side of the last feature map for faces of 128 pixels."""


class Stem(nn.Module):
    """First convolution, and a reduction to half the size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.activation = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Features of prepared faces."""
        return F.max_pool2d(self.activation(self.norm(self.conv(x))), 2)


class GreyBlock(nn.Module):
    """Block of an IR network with one PReLU, used inside and again after the sum."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels_in, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_in)
        self.activation = nn.PReLU()
        self.conv2 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.norm3 = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels:
            projection = nn.Conv2d(channels_in, channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Features, at half the size with stride two."""
        inner = self.activation(self.norm2(self.conv1(self.norm1(x))))
        return self.activation(self.norm3(self.conv2(inner)) + self.shortcut(x))


class ArcFaceGray(nn.Module):
    """ResNet-18 with IR blocks on one channel; features are not normalised.

    Args:
        blocks: Blocks of each of the four stages, which have 1, 2, 4 and 8 times `channels`.
        dimensions: Length d of the embedding.
    """

    def __init__(
        self, blocks: tuple[int, int, int, int] = (2, 2, 2, 2), channels: int = 64, dimensions: int = 512
    ) -> None:
        super().__init__()
        self.stem = Stem(channels)
        self.stage1 = _stage(channels, channels, blocks[0], 1)
        self.stage2 = _stage(channels, channels * 2, blocks[1], 2)
        self.stage3 = _stage(channels * 2, channels * 4, blocks[2], 2)
        self.stage4 = _stage(channels * 4, channels * 8, blocks[3], 2)
        self.norm = nn.BatchNorm2d(channels * 8)
        self.linear = nn.Linear(channels * 8 * FINAL_SIDE**2, dimensions)
        self.whiten = nn.BatchNorm1d(dimensions)

    def forward(self, x: Float[Tensor, "n 1 128 128"]) -> Float[Tensor, "n d"]:
        """Features of prepared faces."""
        out = self.stage4(self.stage3(self.stage2(self.stage1(self.stem(x)))))
        return self.whiten(self.linear(self.norm(out).flatten(1)))


def _stage(channels_in: int, channels: int, count: int, stride: int) -> nn.Sequential:
    rest = (GreyBlock(channels, channels, 1) for _ in range(count - 1))
    return nn.Sequential(GreyBlock(channels_in, channels, stride), *rest)


def arcface_gray_from(tensors: Mapping[str, Tensor]) -> ArcFaceGray:
    """Network of published weights; ValueError if they do not fit."""
    first, second, third, fourth = (numbered(tensors, f"layer{stage}.#.") for stage in (1, 2, 3, 4))
    network = ArcFaceGray(
        (first, second, third, fourth), tensors["conv1.weight"].shape[0], tensors["fc5.weight"].shape[0]
    )
    fill(network, tensors, KEYS)
    return network
