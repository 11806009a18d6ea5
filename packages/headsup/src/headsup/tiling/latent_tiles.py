"""Denoising in overlapping tiles of the latent, blended so that no seam shows.

A denoiser looks at a whole tile: it has attention and group norms, so that two tiles never agree exactly where they
overlap. The weight of a tile therefore falls to zero towards its neighbours along half a period of a cosine, which
has no kink at either end. A difference of tone between tiles becomes a slow ramp; `headsup.restoring.colour` removes
it. Tiles of another size give another result for the same reason: they are all of `headsup.restoring.options.GRID`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.progress.tracker import parts


@dataclass(frozen=True)
class LatentTiles:
    """Where the tiles of a latent lie, in latent pixels.

    Tiles are all of one size. They are spread evenly, so that neighbours share the overlap or a little more and the
    last one ends where the latent ends. A side of the latent that is shorter than a tile stays whole.

    Raises:
        ValueError: If the tiles would not advance.
    """

    height: int
    width: int
    tile: int
    overlap: int

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < self.tile:
            raise ValueError(
                f"Tiles must be larger than their overlap, and the overlap not negative; got tiles of {self.tile} "
                f"latent pixels that overlap by {self.overlap}."
            )

    @property
    def tops(self) -> list[int]:
        """First rows of the tiles."""
        return starts(self.height, self.tile, self.overlap)

    @property
    def lefts(self) -> list[int]:
        """First columns of the tiles."""
        return starts(self.width, self.tile, self.overlap)

    @property
    def corners(self) -> list[tuple[int, int]]:
        """First row and first column of every tile, row by row."""
        return list(product(self.tops, self.lefts))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of every tile."""
        return min(self.tile, self.height), min(self.tile, self.width)

    def cut(self, x: Float[Tensor, "*batch h w"], corner: tuple[int, int]) -> Float[Tensor, "*batch th tw"]:
        """The tile of a map at a corner; a view."""
        (top, left), (height, width) = corner, self.size
        return x[..., top : top + height, left : left + width]

    def weight(self, corner: tuple[int, int]) -> Float[Tensor, "th tw"]:
        """Weight of the tile at a corner, above zero everywhere; of a regular grid they sum to one."""
        (top, left), (height, width) = corner, self.size
        rows = window(height, self.overlap, top > 0, top + height < self.height)
        columns = window(width, self.overlap, left > 0, left + width < self.width)
        return rows[:, None] * columns


def starts(length: int, tile: int, overlap: int) -> list[int]:
    """First pixels of evenly spread tiles that cover a line and share `overlap` pixels or more.

    Example:
        >>> starts(100, 40, 10), starts(41, 40, 10), starts(30, 40, 10)
        ([0, 30, 60], [0, 1], [0])
    """
    if length <= tile:
        return [0]
    count = -(-(length - overlap) // (tile - overlap))
    return [round(i * (length - tile) / (count - 1)) for i in range(count)]


def window(size: int, overlap: int, before: bool, after: bool) -> Float[Tensor, " size"]:
    """Weight along one side: half a period of a cosine over the overlap towards every neighbour there is.

    In float32, which every device has.
    """
    position = torch.arange(size, dtype=torch.float32) + 0.5
    weight = torch.ones(size)
    for neighbour, distance in ((before, position), (after, position.flip(0))):
        if neighbour and overlap:
            weight *= 0.5 - 0.5 * torch.cos(torch.pi * (distance / overlap).clamp(max=1))
    return weight


def denoise_tiled(
    denoise: Callable[..., Float[Tensor, "n c th tw"]],
    z: Float[Tensor, "b c h w"],
    conditions: Sequence[Float[Tensor, "b _ _ _"]] = (),
    tile: int = 96,
    overlap: int = 32,
    batch: int = 1,
) -> Float[Tensor, "b c h w"]:
    """Denoise a latent of any size in tiles.

    Args:
        denoise: Called with tiles (n, c, th, tw) and the same tiles of every condition; gives z_H of the tiles. n is
            b times the number of tiles in the call: first the first tile of all b latents, then the second.
            What is not a map, such as a prompt for every latent, must be repeated accordingly.
        z: Latents z_L.
        conditions: Maps as large as the latent: that of the reference, the mask.
        tile: Side of a tile in latent pixels. Where it covers the latent, `denoise` is called once with all of it.
        overlap: Latent pixels that neighbours share at least.
        batch: Tiles of a latent in one call, at most.

    Returns:
        The denoised latents, of the type that `denoise` gives; tiles are blended in float32.

    Raises:
        ValueError: If the tiles would not advance, or a condition is not as large as the latent.
    """
    plan = LatentTiles(z.shape[2], z.shape[3], tile, overlap)
    for condition in conditions:
        if condition.shape[-2:] != z.shape[-2:]:
            raise ValueError(
                f"A condition must be as large as the latent, {tuple(z.shape[-2:])}; got {tuple(condition.shape[-2:])}."
            )
    if len(plan.corners) == 1:
        return denoise(z, *conditions)
    maps = (z, *conditions)
    total = torch.zeros_like(z, dtype=torch.float32)
    weights = torch.zeros(z.shape[-2:], device=z.device)
    for first in parts(range(0, len(plan.corners), batch), "tile"):
        corners = plan.corners[first : first + batch]
        tiles = denoise(*(torch.cat([plan.cut(x, corner) for corner in corners]) for x in maps))
        for corner, denoised in zip(corners, tiles.chunk(len(corners)), strict=True):
            weight = plan.weight(corner).to(z.device)
            plan.cut(total, corner).add_(denoised.float() * weight)
            plan.cut(weights, corner).add_(weight)
    return total.div_(weights).to(tiles.dtype)
