"""Estimates of the memory that upscaling takes, and tiles that fit into what it may take.

Growth of a process (one thread, float32) for one tile, in MB:

| what                             | measured | counted |
|----------------------------------|----------|---------|
| small-x4, 128 x 128, no exemplar | 46       | 65      |
| small-x4, 128 x 128, 1 exemplar  | 113      | 130     |
| small-x4, 128 x 128, 6 exemplars | 294      | 358     |
| large-x8, 128 x 128, no exemplar | 71       | 103     |
| large-x8, 64 x 64, 1 exemplar    | 111      | 116     |
| large-x8, 128 x 128, 3 exemplars | 724      | 791     |

Other devices were not measured.
"""

from faceops.images.errors import TooLargeImageError
from faceops.images.memory_budget import allowed_bytes
from hime.network import HIME
from hime.upscaling.tiling import Tiling

FIXED = 40 * 10**6
"""Bytes added to every estimate: weights in a convolution's own layout, and blocks that the allocator keeps."""

TAPS = 9
"""Taps of the deformable convolution, each with an offset of two numbers and a modulation."""

FLOW_VALUES = 160
"""Values for each pixel at half of an exemplar's resolution while the optical flow is estimated."""

RESULT_BYTES = 90
"""Bytes for each pixel of the result, from the sum of the tiles to the file, opacity included."""

EXEMPLAR_BYTES = 24
"""Likewise for each exemplar: the photograph in the frame of the result, and its maps."""

MAPS_BYTES = 32
"""Likewise where the maps of an exemplar are drawn."""

SHEET_BYTES = 12
"""Likewise for each picture on a sheet: input, bicubic, result and exemplars."""

SMALLEST_TILE = 48
"""Smallest side of a tile that is taken to save memory, in low-resolution pixels."""

STEP = 16
"""Pixels by which tiles become smaller."""


def tile_bytes(network: HIME, height: int, width: int, exemplars: int) -> int:
    """Bytes that a tile of so many low-resolution pixels takes beyond the weights."""
    arguments = network.arguments
    image = 3 * arguments.scale**2
    values = 4 * image + 6 * arguments.channels
    if exemplars and arguments.alignment != "none":
        # offsets and modulations as they are estimated, split and sampled with; taps of one exemplar at a time
        each = image + 3 * (3 * TAPS * arguments.offset_groups)
        if arguments.alignment == "flow_dcn":
            each += FLOW_VALUES * arguments.scale**2 // 4
        values += exemplars * each + TAPS * arguments.channels
    return FIXED + 4 * values * height * width


def whole_bytes(pixels: int, exemplars: int, maps: bool, sheet: bool) -> int:
    """Bytes that a result of so many pixels takes, however it is computed.

    Args:
        maps: Whether the maps of the exemplars are drawn.
        sheet: Whether a sheet is.
    """
    each = EXEMPLAR_BYTES + MAPS_BYTES * maps
    return pixels * (RESULT_BYTES + exemplars * each + sheet * SHEET_BYTES * (3 + exemplars))


def fitting_tiling(
    network: HIME, tiling: Tiling, size: tuple[int, int], exemplars: int, whole: int, name: str
) -> Tiling:
    """The tiling, or smaller tiles if these do not fit into the memory that may be taken.

    Args:
        tiling: Tiles that are wanted.
        size: Height and width of the low-resolution picture.
        exemplars: How many there are.
        whole: Bytes that the result takes, see `whole_bytes`.
        name: What to call the picture.

    Raises:
        TooLargeImageError: If even the smallest tiles take more.
    """
    most = allowed_bytes()
    if most is None:
        return tiling
    computed_here = next(network.parameters()).device.type == "cpu"
    wanted = whole
    for candidate in (tiling, *smaller_tilings(tiling.size)):
        down, across = (min(candidate.size, side) for side in size)
        wanted = whole + (tile_bytes(network, down, across, exemplars) if computed_here else 0)
        if wanted <= most:
            return candidate
    height, width = (side * network.scale for side in size)
    raise TooLargeImageError(
        f"The result of {name} has {width} x {height} pixels, for which {wanted / 1e9:.2g} GB of memory are needed "
        f"even in small tiles, and {most / 1e9:.2g} GB may be taken; raise that limit, or give a smaller picture."
    )


def smaller_tilings(size: int) -> list[Tiling]:
    """Tilings of tiles smaller than `size`, the largest first; an eighth of each is context and an eighth blend."""
    sides = range((size - 1) // STEP * STEP, SMALLEST_TILE - 1, -STEP)
    return [Tiling(side, min(16, side // 8), min(16, side // 8)) for side in sides]
