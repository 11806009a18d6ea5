"""EdgeFace (George et al., T-BIOM 2024): the EdgeNeXt of Maaz et al. (2022) as a face recogniser.

The key table is that of timm's EdgeNeXt (Apache-2.0), in which EdgeFace's weights (CC BY-NC-SA 4.0) are published.
Where a published layer is a product of two thin matrices (the "gamma" variants) it is multiplied out when it is loaded.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from faceops.recognition.identity_networks.checkpoint import KeyTable, fill, numbered

KEYS = KeyTable(
    (
        ("stem.0", "stem.conv"),
        ("stem.1", "stem.norm"),
        ("stages.#.downsample.0", "stages.#.reduce.norm"),
        ("stages.#.downsample.1", "stages.#.reduce.conv"),
        ("stages.#.blocks.#", "stages.#.blocks.#"),
        ("stages.#.blocks.#.conv_dw", "stages.#.blocks.#.depthwise"),
        ("stages.#.blocks.#.convs.#", "stages.#.blocks.#.splits.#"),
        ("stages.#.blocks.#.norm", "stages.#.blocks.#.mix.norm"),
        ("stages.#.blocks.#.mlp.fc1", "stages.#.blocks.#.mix.widen"),
        ("stages.#.blocks.#.mlp.fc2", "stages.#.blocks.#.mix.narrow"),
        ("stages.#.blocks.#.norm_xca", "stages.#.blocks.#.attention_norm"),
        ("stages.#.blocks.#.xca", "stages.#.blocks.#.attention"),
        ("stages.#.blocks.#.xca.qkv", "stages.#.blocks.#.attention.projections"),
        ("stages.#.blocks.#.xca.proj", "stages.#.blocks.#.attention.out"),
        ("stages.#.blocks.#.pos_embd.token_projection", "stages.#.blocks.#.position"),
        ("head.norm", "head_norm"),
        ("head.fc", "head"),
    )
)

EPSILON = 1e-6
"""Of the layer normalisations."""
WAVES = 32
"""Sines and cosines along each axis in the position code."""
VARIANTS = {24: "edgeface-xxs", 32: "edgeface-xs", 48: "edgeface-s", 80: "edgeface-base"}
"""Name by the channels of the first stage."""


@dataclass(frozen=True)
class Stage:
    """One resolution of the network."""

    channels: int
    kernel: int
    """Side of the depthwise convolutions."""
    convolution_blocks: int
    splits: int = 0
    """Convolutions among the groups of channels of the attention block; 0: there is no such block."""
    heads: int = 0
    position: bool = False
    """True if the attention block has a positional encoding."""


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of a feature map."""

    def forward(self, x: Tensor) -> Tensor:
        """Features (b, c, h, w) with mean zero and variance one at each pixel, then scaled and shifted."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Patches(nn.Module):
    """Reduction by a convolution without overlap, normalised after it (stem) or before it (between stages)."""

    def __init__(self, channels_in: int, channels: int, side: int, norm_first: bool) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.norm = ChannelNorm(channels_in if norm_first else channels, EPSILON)
        self.conv = nn.Conv2d(channels_in, channels, side, side)

    def forward(self, x: Tensor) -> Tensor:
        """Features, reduced."""
        return self.conv(self.norm(x)) if self.norm_first else self.norm(self.conv(x))


class Mix(nn.Module):
    """Normalisation and a two-layer perceptron at each pixel; channels last."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels, EPSILON)
        self.widen = nn.Linear(channels, 4 * channels)
        self.narrow = nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Features (..., c)."""
        return self.narrow(F.gelu(self.widen(self.norm(x))))


class ConvolutionBlock(nn.Module):
    """Depthwise convolution and a perceptron, beside the identity (the block of ConvNeXt)."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.mix = Mix(channels)
        self.gamma = nn.Parameter(torch.full((channels,), EPSILON))

    def forward(self, x: Tensor) -> Tensor:
        """Features of the same shape."""
        return x + (self.gamma * self.mix(self.depthwise(x).movedim(1, -1))).movedim(-1, 1)


class CrossCovarianceAttention(nn.Module):
    """Attention among channels instead of pixels: linear in their number (El-Nouby et al., NeurIPS 2021)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.projections = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Float[Tensor, "b pixels c"]) -> Float[Tensor, "b pixels c"]:
        """Features of the same shape."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).permute(0, 2, 3, 1) for part in self.projections(x).chunk(3, dim=-1)
        )
        likeness = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).mT
        mixed = (likeness * self.temperature).softmax(dim=-1) @ value
        return self.out(mixed.flatten(1, 2).mT)


class AttentionBlock(nn.Module):
    """Split depthwise transpose attention (EdgeNeXt, Section 3.2): groups of channels see ever larger windows."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        channels = stage.channels
        width = math.ceil(channels / (stage.splits + 1))
        self.splits = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1, groups=width) for _ in range(stage.splits))
        self.position = nn.Conv2d(2 * WAVES, channels, 1) if stage.position else None
        self.attention_norm = nn.LayerNorm(channels, EPSILON)
        self.attention = CrossCovarianceAttention(channels, stage.heads)
        self.gamma_xca = nn.Parameter(torch.full((channels,), EPSILON))
        self.mix = Mix(channels)
        self.gamma = nn.Parameter(torch.full((channels,), EPSILON))

    def forward(self, x: Tensor) -> Tensor:
        """Features of the same shape."""
        height, width = x.shape[2:]
        *groups, last = x.chunk(len(self.splits) + 1, dim=1)
        seen: list[Tensor] = []
        for group, convolution in zip(groups, self.splits, strict=True):
            seen.append(convolution(group + seen[-1] if seen else group))
        out = torch.cat((*seen, last), dim=1)
        if self.position is not None:
            out = out + self.position(position_code(height, width).to(out))
        tokens = out.flatten(2).mT
        tokens = tokens + self.gamma_xca * self.attention(self.attention_norm(tokens))
        return x + (self.gamma * self.mix(tokens)).mT.unflatten(2, (height, width))


def position_code(height: int, width: int) -> Float[Tensor, "1 waves {height} {width}"]:
    """Sines and cosines of the row, then of the column, in the manner of Carion et al. (ECCV 2020).

    Positions count from one and are scaled so that the last is a full turn; wavelengths grow up to 10,000 turns.

    Example:
        >>> code = position_code(4, 2)
        >>> code[0, 0, :, 0].round(decimals=2).add(0.0).tolist()
        [1.0, 0.0, -1.0, 0.0]
    """
    frequency = 10_000 ** (-torch.arange(WAVES // 2) / (WAVES // 2))
    codes = []
    for count in (height, width):
        angle = torch.arange(1, count + 1).float() / (count + EPSILON) * 2 * math.pi
        waves = angle * frequency.unsqueeze(1)
        codes.append(torch.stack((waves.sin(), waves.cos()), dim=1).flatten(0, 1))
    rows = codes[0].unsqueeze(2).expand(-1, -1, width)
    columns = codes[1].unsqueeze(1).expand(-1, height, -1)
    return torch.cat((rows, columns)).unsqueeze(0)


class StageBlocks(nn.Module):
    """Blocks of one resolution, after the reduction to it."""

    def __init__(self, channels_in: int, stage: Stage, first: bool) -> None:
        super().__init__()
        self.reduce = None if first else Patches(channels_in, stage.channels, 2, norm_first=True)
        blocks: list[nn.Module] = [
            ConvolutionBlock(stage.channels, stage.kernel) for _ in range(stage.convolution_blocks)
        ]
        self.blocks = nn.Sequential(*blocks, *([AttentionBlock(stage)] if stage.splits else []))

    def forward(self, x: Tensor) -> Tensor:
        """Features, at half the size unless it is the first stage."""
        return self.blocks(x if self.reduce is None else self.reduce(x))


class EdgeFace(nn.Module):
    """EdgeFace; features are not normalised.

    Args:
        dimensions: Length d of the embedding.
    """

    def __init__(self, stages: tuple[Stage, ...], dimensions: int = 512) -> None:
        super().__init__()
        self.stem = Patches(3, stages[0].channels, 4, norm_first=False)
        before = (stages[0].channels, *(stage.channels for stage in stages))
        self.stages = nn.Sequential(*(StageBlocks(before[i], stage, first=i == 0) for i, stage in enumerate(stages)))
        self.head_norm = nn.LayerNorm(stages[-1].channels, EPSILON)
        self.head = nn.Linear(stages[-1].channels, dimensions)

    def forward(self, x: Float[Tensor, "n 3 112 112"]) -> Float[Tensor, "n d"]:
        """Features of faces in [-1, 1]."""
        return self.head(self.head_norm(self.stages(self.stem(x)).mean(dim=(2, 3))))


def edgeface_from(tensors: Mapping[str, Tensor]) -> EdgeFace:
    """Network of published weights; its stages are read from their names and shapes.

    Raises:
        ValueError: If they do not fit.
    """
    tensors = merge_low_rank(tensors)
    stages = tuple(stage_of(tensors, number) for number in range(numbered(tensors, "stages.#.")))
    network = EdgeFace(stages, tensors["head.fc.weight"].shape[0])
    fill(network, tensors, KEYS)
    return network


def merge_low_rank(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Replace two thin matrices (``linear1``, ``linear2``) by their product.

    Example:
        >>> thin = {"fc.linear1.weight": torch.ones(1, 3), "fc.linear2.weight": torch.ones(2, 1)}
        >>> merge_low_rank(thin | {"fc.linear2.bias": torch.ones(2)})["fc.weight"].shape
        torch.Size([2, 3])
    """
    merged = {name: value for name, value in tensors.items() if ".linear1." not in name and ".linear2." not in name}
    for name in tensors:
        if name.endswith(".linear2.weight"):
            layer = name.removesuffix(".linear2.weight")
            merged[f"{layer}.weight"] = tensors[name] @ tensors[f"{layer}.linear1.weight"]
            if f"{layer}.linear2.bias" in tensors:
                merged[f"{layer}.bias"] = tensors[f"{layer}.linear2.bias"]
    return merged


def stage_of(tensors: Mapping[str, Tensor], number: int) -> Stage:
    """Shape of one stage, read from the weights."""
    prefix = f"stages.{number}.blocks."
    blocks = numbered(tensors, f"{prefix}#.")
    last = f"{prefix}{blocks - 1}."
    splits = numbered(tensors, f"{last}convs.#.")
    return Stage(
        channels=tensors[f"{prefix}0.gamma"].shape[0],
        kernel=tensors[f"{prefix}0.conv_dw.weight"].shape[-1],
        convolution_blocks=blocks - 1 if splits else blocks,
        splits=splits,
        heads=tensors[f"{last}xca.temperature"].shape[0] if splits else 0,
        position=f"{last}pos_embd.token_projection.weight" in tensors,
    )
