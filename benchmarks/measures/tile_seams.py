"""A measure of the seams that tiles leave in a picture."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from headsup.tiling.latent_tiles import LatentTiles


def tile_borders(length: int, tile: int, tops: Sequence[int], scale: int = 1) -> list[int]:
    """First pixels behind the borders of tiles inside a line.

    Args:
        length: Pixels of the line in which the tiles were laid.
        tile: Pixels of a tile.
        tops: First pixels of the tiles.
        scale: Image pixels for one pixel of the line.
    """
    ends = {*tops, *(top + tile for top in tops)}
    return [scale * border for border in sorted(ends) if 0 < border < length]


def borders_of(plan: LatentTiles, scale: int = 1) -> tuple[list[int], list[int]]:
    """Rows and columns at which tiles of a latent begin or end, in image pixels."""
    height, width = plan.size
    rows = tile_borders(plan.height, height, plan.tops, scale)
    return rows, tile_borders(plan.width, width, plan.lefts, scale)


def seam_ratio(
    image: Float[Tensor, "b c h w"],
    rows: Sequence[int],
    columns: Sequence[int],
    reference: Float[Tensor, "b c h w"] | None = None,
) -> float:
    """Mean step across the borders of tiles, divided by the mean step elsewhere; 1.00 +- 0.02 means no seam.

    A step is the absolute difference of a pixel and the one before, across the border. In noise-like content the ratio
    is one without seams. A photograph has edges that lie at a border or not as luck has it: then give a reference with
    the same edges and no seams there, and its ratio is divided out.

    Args:
        image: Picture in any range.
        rows: First rows behind horizontal borders.
        columns: First columns behind vertical borders.
        reference: The same picture without these seams: made in one piece, with tiles laid elsewhere, or the input.

    Returns:
        The ratio; zero where the picture is flat at the borders alone, infinite where it is flat everywhere else.

    Raises:
        ValueError: If there is no border, or one that is not inside the picture, or all of the picture is flat.
    """
    height, width = image.shape[-2:]
    if not (rows or columns) or not all(0 < r < height for r in rows) or not all(0 < c < width for c in columns):
        raise ValueError(
            f"Seams are measured at borders inside the picture of {height} x {width} pixels; got rows {list(rows)} and "
            f"columns {list(columns)}."
        )
    ratio = _ratio(image, rows, columns)
    return ratio if reference is None else ratio / _ratio(reference, rows, columns)


def _ratio(image: Tensor, rows: Sequence[int], columns: Sequence[int]) -> float:
    across, elsewhere = [], []
    for dim, borders in ((-2, rows), (-1, columns)):
        if borders:
            steps = image.float().diff(dim=dim).abs().transpose(dim, 0)
            at = torch.zeros(len(steps), dtype=torch.bool)
            at[[border - 1 for border in borders]] = True
            across.append(steps[at].flatten())
            elsewhere.append(steps[~at].flatten())
    top, bottom = torch.cat(across).mean().item(), torch.cat(elsewhere).mean().item()
    if bottom == 0:
        if top == 0:
            raise ValueError("The picture is flat: there are no steps to compare.")
        return float("inf")
    return top / bottom
