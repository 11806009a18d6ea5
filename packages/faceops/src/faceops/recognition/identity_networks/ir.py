"""IR-18, 34, 50 and 101: the "improved residual" networks of ArcFace (Deng et al., CVPR 2019, Section 3.2.2), AdaFace.

The key table is that of AdaFace and CVLFace (MIT), whose weights are published for research.
"""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn

from faceops.recognition.identity_networks.checkpoint import KeyTable, fill, numbered

KEYS = KeyTable(
    (
        ("input_layer.0", "stem.conv"),
        ("input_layer.1", "stem.norm"),
        ("input_layer.2", "stem.activation"),
        ("body.#.res_layer.0", "blocks.#.norm1"),
        ("body.#.res_layer.1", "blocks.#.conv1"),
        ("body.#.res_layer.2", "blocks.#.norm2"),
        ("body.#.res_layer.3", "blocks.#.activation"),
        ("body.#.res_layer.4", "blocks.#.conv2"),
        ("body.#.res_layer.5", "blocks.#.norm3"),
        ("body.#.shortcut_layer.0", "blocks.#.shortcut.conv"),
        ("body.#.shortcut_layer.1", "blocks.#.shortcut.norm"),
        ("output_layer.0", "norm"),
        ("output_layer.3", "linear"),
        ("output_layer.4", "whiten"),
    )
)

BLOCKS_OF = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 101: (3, 13, 30, 3)}
"""Blocks of the four stages by the depth in the name; 101 is sometimes called 100."""
FINAL_SIDE = 7
"""Side of the last feature map for faces of 112 pixels."""


class Stem(nn.Module):
    """First convolution, at full resolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.activation = nn.PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Features of prepared faces."""
        return self.activation(self.norm(self.conv(x)))


class Shortcut(nn.Module):
    """Way past a block that changes the number of channels."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels, 1, stride, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Features in the new shape."""
        return self.norm(self.conv(x))


class Block(nn.Module):
    """BN, convolution, BN, PReLU, convolution (with the stride), BN, beside a shortcut; nothing after the sum."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.shortcut = None if channels_in == channels else Shortcut(channels_in, channels, stride)
        self.norm1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.activation = nn.PReLU(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.norm3 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Features, at half the size with stride two."""
        past = x[..., :: self.stride, :: self.stride] if self.shortcut is None else self.shortcut(x)
        return past + self.norm3(self.conv2(self.activation(self.norm2(self.conv1(self.norm1(x))))))


class IR(nn.Module):
    """IR network; features are not normalised.

    Args:
        blocks: Blocks of each of the four stages, which have 1, 2, 4 and 8 times `channels`.
        dimensions: Length d of the embedding.
    """

    def __init__(self, blocks: tuple[int, ...] = BLOCKS_OF[50], channels: int = 64, dimensions: int = 512) -> None:
        super().__init__()
        self.stem = Stem(channels)
        layers = []
        before = channels
        for stage, count in enumerate(blocks):
            width = channels * 2**stage
            for block in range(count):
                layers.append(Block(before, width, stride=2 if block == 0 else 1))
                before = width
        self.blocks = nn.Sequential(*layers)
        self.norm = nn.BatchNorm2d(before)
        self.linear = nn.Linear(before * FINAL_SIDE**2, dimensions)
        self.whiten = nn.BatchNorm1d(dimensions, affine=False)

    def forward(self, x: Float[Tensor, "n 3 112 112"]) -> Float[Tensor, "n d"]:
        """Features of faces in [-1, 1]."""
        return self.whiten(self.linear(self.norm(self.blocks(self.stem(x))).flatten(1)))


def ir_from(tensors: Mapping[str, Tensor]) -> IR:
    """Network of published weights; its depth and widths are read from their shapes.

    Raises:
        ValueError: If they do not fit an IR network.
    """
    channels = tensors["input_layer.0.weight"].shape[0]
    widths = [
        tensors[f"body.{block}.res_layer.4.weight"].shape[0] if f"body.{block}.res_layer.4.weight" in tensors else 0
        for block in range(numbered(tensors, "body.#."))
    ]
    blocks = tuple(widths.count(channels * 2**stage) for stage in range(4))
    if sum(blocks) != len(widths) or "output_layer.3.weight" not in tensors:
        raise ValueError(
            "These weights are of an IR network of another kind: known are those of plain blocks (IR-18 to IR-101, "
            "without squeeze-and-excitation)."
        )
    network = IR(blocks, channels, tensors["output_layer.3.weight"].shape[0])
    fill(network, tensors, KEYS)
    return network


def ir_name(network: IR) -> str:
    """Name of a network of this depth.

    Example:
        >>> ir_name(IR((2, 2, 2, 2), channels=2, dimensions=4))
        'ir-18'
    """
    total = len(network.blocks)
    return next((f"ir-{depth}" for depth, blocks in BLOCKS_OF.items() if sum(blocks) == total), f"ir of {total} blocks")
