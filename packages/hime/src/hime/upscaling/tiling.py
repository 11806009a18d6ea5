"""Large images in overlapping tiles, blended without seams.

A tile sees `margin` pixels more than it contributes, because near a tile's edge a convolution misses what lies beyond;
over the following `ramp` pixels its weight rises linearly to one. Neighbours overlap by twice the margin plus the ramp,
so that the weights of a regular grid sum to one. Everything is in low-resolution pixels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.progress.tracker import parts


@dataclass(frozen=True)
class Tiling:
    """Tiles of an image.

    Args:
        size: Side of a tile; images up to this size stay whole. Memory grows with its square.
        margin: Border of a tile that only serves as context.
        ramp: Width of the blend between neighbours.

    Raises:
        ValueError: If the tiles would not advance.
    """

    size: int = 128
    margin: int = 16
    ramp: int = 16

    def __post_init__(self) -> None:
        if self.margin < 0 or self.ramp < 1 or self.size <= self.overlap:
            raise ValueError(
                f"A tile must be larger than its overlap of twice the margin plus a ramp of at least one pixel; "
                f"got size {self.size}, margin {self.margin} and ramp {self.ramp}."
            )

    @property
    def overlap(self) -> int:
        """Pixels that neighbouring tiles share at least."""
        return 2 * self.margin + self.ramp


@dataclass(frozen=True)
class Box:
    """A tile's place in the low-resolution image, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, image: Float[Tensor, "*batch h w"], scale: int) -> Tensor:
        """The tile of an image `scale` times as large as the low-resolution one."""
        rows = slice(self.top * scale, (self.top + self.height) * scale)
        columns = slice(self.left * scale, (self.left + self.width) * scale)
        return image[..., rows, columns]


def tile_starts(length: int, size: int, overlap: int) -> list[int]:
    """Evenly spread starts of tiles that cover a line and share `overlap` pixels or a little more.

    Example:
        >>> tile_starts(100, 40, 10), tile_starts(30, 40, 10)
        ([0, 30, 60], [0])
    """
    if length <= size:
        return [0]
    count = -(-(length - overlap) // (size - overlap))
    return [round(i * (length - size) / (count - 1)) for i in range(count)]


def boxes(height: int, width: int, tiling: Tiling) -> list[Box]:
    """Places of all tiles of an image, row by row."""
    return [
        Box(top, left, min(tiling.size, height), min(tiling.size, width))
        for top in tile_starts(height, tiling.size, tiling.overlap)
        for left in tile_starts(width, tiling.size, tiling.overlap)
    ]


def edge_weight(start: int, size: int, length: int, tiling: Tiling, scale: int) -> Float[Tensor, " side"]:
    """Weight of a tile along one axis: one inside, falling to zero towards every edge that has a neighbour."""
    position = (torch.arange(size * scale) + 0.5) / scale
    weight = torch.ones(size * scale)
    if start > 0:
        weight = weight.minimum((position - tiling.margin) / tiling.ramp)
    if start + size < length:
        weight = weight.minimum((size - position - tiling.margin) / tiling.ramp)
    return weight.clamp(0, 1)


class Blend:
    """Weighted mean of tiles."""

    def __init__(self, channels: int, height: int, width: int, scale: int, tiling: Tiling) -> None:
        self.height, self.width, self.scale, self.tiling = height, width, scale, tiling
        self.total = torch.zeros(channels, height * scale, width * scale)
        self.weight = torch.zeros(1, height * scale, width * scale)

    def add(self, tile: Float[Tensor, "c th tw"], box: Box) -> None:
        """Add what a tile contributes."""
        rows = edge_weight(box.top, box.height, self.height, self.tiling, self.scale)
        columns = edge_weight(box.left, box.width, self.width, self.tiling, self.scale)
        weight = rows[:, None] * columns
        box.cut(self.total, self.scale).add_(tile.float().cpu() * weight)
        box.cut(self.weight, self.scale).add_(weight)

    def result(self) -> Float[Tensor, "c h w"]:
        """The blended image; the accumulated one is used up."""
        return self.total.div_(self.weight)


def run_in_tiles(
    function: Callable[[Tensor, Tensor], Sequence[Tensor]],
    lr: Float[Tensor, "3 h w"],
    references: Float[Tensor, "n 3 sh sw"],
    scale: int,
    tiling: Tiling,
) -> list[Tensor]:
    """Run a function of the input and its references tile by tile.

    Args:
        function: Maps a tile (3, h, w) and the same part of the references (n, 3, s * h, s * w) to images of any
            number of channels, each as large as the tile or a whole number of times larger.
        references: References, `scale` times as large; n may be zero.

    Returns:
        The images the function makes, blended, on the CPU.
    """
    height, width = lr.shape[-2:]
    places = boxes(height, width, tiling)
    if len(places) == 1:
        return [image.float().cpu() for image in function(lr, references)]
    blends: list[Blend] = []
    for box in parts(places, "tile"):
        images = function(box.cut(lr, 1), box.cut(references, scale))
        if not blends:
            blends = [Blend(image.shape[0], height, width, image.shape[-1] // box.width, tiling) for image in images]
        for blend, image in zip(blends, images, strict=True):
            blend.add(image, box)
    return [blend.result() for blend in blends]
