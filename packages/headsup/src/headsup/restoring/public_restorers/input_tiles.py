"""A convolutional network over a large picture, tile by tile, as Real-ESRGAN's and SwinIR's own programs run theirs."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

TILE = 256
"""Side of a tile in pixels of the input, without what it sees around."""

CONTEXT = 32
"""Pixels that a tile sees around itself; what is made of them is cut off."""


def run_in_tiles(
    network: Callable[[Tensor], Tensor], image: Float[Tensor, "1 3 h w"], scale: int, tile: int = TILE
) -> Float[Tensor, "1 3 sh sw"]:
    """Run a network tile by tile; on the CPU, whatever the image's device, lies the whole result.

    A network that looks no further than `CONTEXT` gives what it gives of the whole image. One that looks further, as
    attention does, gives something else, without seams that would show.

    Args:
        network: Makes an image `scale` times as large.
        image: RGB in [0, 1].
        scale: Of the network.
        tile: Side of a tile in pixels of the image.
    """
    height, width = image.shape[2:]
    result = torch.empty(1, 3, height * scale, width * scale)
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            bottom, right = min(top + tile, height), min(left + tile, width)
            above, before = max(top - CONTEXT, 0), max(left - CONTEXT, 0)
            seen = image[:, :, above : bottom + CONTEXT, before : right + CONTEXT]
            made = network(seen)[:, :, (top - above) * scale :, (left - before) * scale :]
            rows, columns = (bottom - top) * scale, (right - left) * scale
            result[:, :, top * scale : bottom * scale, left * scale : right * scale] = made[:, :, :rows, :columns]
    return result
