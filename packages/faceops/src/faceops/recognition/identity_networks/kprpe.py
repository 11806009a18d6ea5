"""A vision transformer told where the landmarks are: KeyPoint Relative Position Encoding (Kim et al., CVPR 2024).

The key table is that of CVLFace (MIT), in which the weights are published (WebFace4M and WebFace12M, research data).
They expect the five landmarks of the face that they are given. A face aligned to the template has them nearly there,
so the template's are taken, and what they add to the attention is the same for every face: it is computed once.
"""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from faceops.geometry.landmarks import ARCFACE_112
from faceops.recognition.identity_networks.checkpoint import KeyTable, fill, numbered

KEYS = KeyTable(
    (
        ("patch_embed.proj", "patches"),
        ("pos_embed", "position"),
        ("blocks.#.norm1", "blocks.#.attention_norm"),
        ("blocks.#.attn.qkv", "blocks.#.attention.projections"),
        ("blocks.#.attn.proj", "blocks.#.attention.out"),
        ("blocks.#.norm2", "blocks.#.norm"),
        ("blocks.#.mlp.fc1", "blocks.#.widen"),
        ("blocks.#.mlp.fc2", "blocks.#.narrow"),
        ("norm", "norm"),
        ("feature.0", "squeeze"),
        ("feature.1", "squeeze_norm"),
        ("feature.2", "embed"),
        ("feature.3", "embed_norm"),
        ("keypoint_linear", "by_landmarks"),
    )
)

NEAR, FAR, FARTHEST = 1.9, 3.8, 15.2
"""Distances in patches: up to the first each has a bucket of its own, beyond it they grow with the logarithm, and the
last of the scale would have the second (Wu et al., iRPE, ICCV 2021, Equation 18)."""

REACH = int(FAR)
"""Largest bucket to each side."""

EPSILON = 2e-5
"""Of the batch normalisations."""


class Attention(nn.Module):
    """Attention among patches, to whose scores a term for each pair of places is added."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.projections = nn.Linear(channels, 3 * channels, bias=False)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Float[Tensor, "b n c"], added: Float[Tensor, "h n n"]) -> Float[Tensor, "b n c"]:
        """Features of the same shape."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.projections(x).chunk(3, dim=-1)
        )
        found = F.scaled_dot_product_attention(query, key, value, added[None].to(query.dtype))
        return self.out(found.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and a perceptron, each normalised before and beside the identity."""

    def __init__(self, channels: int, heads: int, wide: int) -> None:
        super().__init__()
        self.attention_norm, self.norm = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attention = Attention(channels, heads)
        self.widen, self.narrow = nn.Linear(channels, wide), nn.Linear(wide, channels)

    def forward(self, x: Float[Tensor, "b n c"], added: Float[Tensor, "h n n"]) -> Float[Tensor, "b n c"]:
        """Features of the same shape."""
        x = x + self.attention(self.attention_norm(x), added)
        return x + self.narrow(F.relu6(self.widen(self.norm(x))))


class KeypointTransformer(nn.Module):
    """ViT with KP-RPE; features are not normalised.

    Args:
        side: Patches on the side of a face of 112 pixels.
        depth: Number of blocks.
        wide: Channels within a block's perceptron.
        dimensions: Length d of the embedding.
    """

    def __init__(self, side: int, channels: int, depth: int, heads: int, wide: int, dimensions: int = 512) -> None:
        super().__init__()
        self.side, self.depth, self.heads = side, depth, heads
        patch = ARCFACE_112.size // side
        self.patches = nn.Conv2d(3, channels, patch, patch)
        self.position = nn.Parameter(torch.zeros(1, side * side, channels))
        self.blocks = nn.ModuleList(Block(channels, heads, wide) for _ in range(depth))
        self.norm = nn.LayerNorm(channels)
        self.squeeze = nn.Linear(channels * side * side, channels, bias=False)
        self.squeeze_norm = nn.BatchNorm1d(channels, EPSILON)
        self.embed = nn.Linear(channels, dimensions, bias=False)
        self.embed_norm = nn.BatchNorm1d(dimensions, EPSILON)
        self.by_landmarks = nn.Linear(2 * 5, buckets() * heads * depth)

    def forward(self, x: Float[Tensor, "n 3 112 112"]) -> Float[Tensor, "n d"]:
        """Features of faces in [-1, 1], aligned to ArcFace's template."""
        tokens = self.patches(x).flatten(2).transpose(1, 2) + self.position
        for block, added in zip(self.blocks, self.added_to_scores(), strict=True):
            tokens = block(tokens, added)
        features = self.squeeze_norm(self.squeeze(self.norm(tokens.float()).flatten(1)))
        return self.embed_norm(self.embed(features))

    def added_to_scores(self) -> Float[Tensor, "depth h n n"]:
        """Terms of every block's attention, from where each patch is to the landmarks (KP-RPE, Equation 8)."""
        places = patch_centres(self.side).to(self.position)
        marks = ARCFACE_112.tensor().to(places) / ARCFACE_112.size
        offsets = (places[:, None] - marks[None]).flatten(1)
        table = self.by_landmarks(offsets).unflatten(1, (self.depth, self.heads, buckets())).permute(1, 2, 0, 3)
        where = bucket_of_pairs(self.side).to(table.device)
        return table.gather(3, where.expand(self.depth, self.heads, -1, -1))


def patch_centres(side: int) -> Float[Tensor, "n 2"]:
    """Centres of patches, across and down, in sides of the face.

    Example:
        >>> patch_centres(2).tolist()
        [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
    """
    centres = (torch.arange(side) + 0.5) / side
    down, across = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack((across, down), dim=-1).flatten(0, 1)


def buckets() -> int:
    """Number of buckets that offsets between patches fall into."""
    return (2 * REACH + 1) ** 2


def bucket_of_pairs(side: int) -> Int[Tensor, "n n"]:
    """Bucket of the offset between each two patches: rows and columns by themselves.

    Example:
        >>> bucket_of_pairs(2).tolist()
        [[24, 23, 17, 16], [25, 24, 18, 17], [31, 30, 24, 23], [32, 31, 25, 24]]
    """
    steps = torch.tensor([bucket(offset) + REACH for offset in range(1 - side, side)])
    places = torch.arange(side)
    along = steps[places[:, None] - places[None] + side - 1]
    rows, columns = along.repeat_interleave(side, 0).repeat_interleave(side, 1), along.repeat(side, side)
    return rows * (2 * REACH + 1) + columns


def bucket(offset: int) -> int:
    """Bucket of an offset in patches (iRPE, Equation 18), cut off as the published code does.

    Example:
        >>> [bucket(offset) for offset in (-13, -3, -1, 0, 1, 2, 3, 5, 13)]
        [-3, -2, -1, 0, 1, 2, 2, 3, 3]
    """
    distance = abs(offset)
    if distance <= NEAR:
        return offset
    scaled = NEAR + math.log(distance / NEAR) / math.log(FARTHEST / NEAR) * (FAR - NEAR)
    return int(math.copysign(min(round(scaled), REACH), offset))


def kprpe_from(tensors: Mapping[str, Tensor]) -> KeypointTransformer:
    """Network of published weights, whose shape their names and shapes tell.

    Raises:
        ValueError: If they do not fit.
    """
    depth, wide = numbered(tensors, "blocks.#."), tensors["blocks.0.mlp.fc1.weight"].shape[0]
    (_, places, channels), outputs = tensors["pos_embed"].shape, tensors["keypoint_linear.weight"].shape[0]
    heads, dimensions = outputs // (buckets() * depth), tensors["feature.2.weight"].shape[0]
    network = KeypointTransformer(math.isqrt(places), channels, depth, heads, wide, dimensions)
    fill(network, tensors, KEYS)
    return network
