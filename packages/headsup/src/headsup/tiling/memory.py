"""Estimates of the memory that encoding, denoising and decoding take, beyond the weights.

An estimate counts the tensors that are alive at the most demanding layer, copies that a convolution makes of its input
and output in its own layout included, and adds `FIXED`. It holds without gradients, with attention that does not store
its matrix of scores, as torch has on CPUs and on CUDA devices, and is meant to err on the safe side. Networks without
weights, on the device ``meta``, do.

Growth of a process (one thread, float32, without `FIXED` in the estimates), in MB:

| what                                    | measured | counted |
|-----------------------------------------|----------|---------|
| tiny, encode 768 x 768 in one piece     | 131      | 132     |
| tiny, decode 768 x 768 in one piece     | 235      | 208     |
| sd21, encode 256 x 256 in one piece     | 180      | 235     |
| sd21, decode 256 x 256 in one piece     | 365      | 369     |
| tiny, denoise 192 x 192 latent pixels   | 248      | 240     |
| sd21, denoise 64 x 64 latent pixels     | 265      | 312     |

Other devices were not measured.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn

from headsup.model.autoencoder import latent_factor, patch_side
from headsup.model.guidance import COVERED, PICTURE, Branch
from headsup.tiling.chain import Segment, decoder_chain, encoder_chain
from headsup.tiling.latent_tiles import starts

GB = 10**9
"""Bytes in the unit in which memory is stated."""

FIXED = 160 * 10**6
"""Bytes added to every estimate: weights in a convolution's own layout, and blocks that the allocator keeps.

The C library of Linux keeps freed blocks of up to 32 MB: with them, a process was seen to grow by 91 MB more than was
alive at any time.
"""

SAFETY = 1.6
"""Factor of the estimate for the denoiser, of which not every tensor is counted."""

SMALLEST_TILE = 32
"""Smallest side of a tile for the denoiser, in latent pixels."""


def weight_bytes(*modules: nn.Module) -> int:
    """Bytes of the weights and buffers of networks; to be taken from the memory that a user states.

    Example:
        >>> weight_bytes(nn.Linear(10, 5, bias=False))
        200
    """
    tensors = {id(x): x for module in modules for x in (*module.parameters(), *module.buffers())}
    return sum(x.numel() * x.element_size() for x in tensors.values())


def segment_bytes(segment: Segment, pixels_in: int, pixels_out: int, element: int) -> int:
    """Bytes alive while a segment runs, its input and output included.

    Args:
        pixels_in: Pixels of its input, of all pictures of a batch.
        pixels_out: Pixels of its output.
        element: Bytes of a value, 4 for float32.
    """
    before, after = segment.channels
    # input, normalised, activated, and the last in the convolution's layout; the output twice for the same reason
    values = pixels_in * (segment.skips[0] + 4 * before) + pixels_out * (segment.skips[1] + 2 * after)
    if segment.resample > 0:
        values += 2 * pixels_out * before
    if segment.beside is not None:
        values += segment.beside(pixels_out)
    in_float32 = 12 * pixels_in * before + 4 * pixels_out * after if element < 4 else 0
    return values * element + in_float32


def sizes(chain: Sequence[Segment], height: int, width: int) -> list[tuple[int, int]]:
    """Height and width before every segment and after the last."""
    found = [(height, width)]
    for segment in chain:
        found.append((segment.scaled(found[-1][0]), segment.scaled(found[-1][1])))
    return found


def whole_bytes(chain: Sequence[Segment], batch: int, height: int, width: int, element: int) -> int:
    """Bytes that a chain takes when it runs on whole pictures, of which the input has this size."""
    pixels = [batch * h * w for h, w in sizes(chain, height, width)]
    return FIXED + max(segment_bytes(part, *each, element) for part, each in zip(chain, pairwise(pixels), strict=True))


def low_resolution_bytes(vae: AutoencoderKL, batch: int, height: int, width: int, element: int) -> int:
    """Bytes that the part of an autoencoder with attention takes; it never runs in pieces."""
    channels = vae.config.block_out_channels[-1]
    # the residual, the normalised, query, key, value, result, and copies where the layout changes
    return FIXED + batch * height * width * channels * (10 * element + (8 if element < 4 else 0))


def picture_bytes(batch: int, height: int, width: int) -> int:
    """Bytes that turning pictures into the network's input, or its output into pictures, takes."""
    return FIXED + 4 * batch * 3 * height * width * 4


def encode_bytes(vae: AutoencoderKL, batch: int, height: int, width: int) -> int:
    """Bytes that encoding pictures of this size in one piece takes beyond the weights."""
    element, side = element_size(vae), patch_side(vae)
    chain = whole_bytes(encoder_chain(vae), batch, height // side, width // side, element)
    return max(chain, fixed_share(vae, batch, height, width, element))


def decode_bytes(vae: AutoencoderKL, batch: int, height: int, width: int, branch: Branch | None = None) -> int:
    """Bytes that decoding to pictures of this size in one piece takes beyond the weights.

    Args:
        branch: What guides the decoder, if anything does: its features are kept while the decoder runs.
    """
    element, factor = element_size(vae), latent_factor(vae)
    chain = whole_bytes(decoder_chain(vae), batch, height // factor, width // factor, element)
    guided = 0 if branch is None else batch * height * width * (guide_values(branch) * element + 4 * 9)
    return max(chain, fixed_share(vae, batch, height, width, element)) + guided


def guide_values(branch: Branch) -> int:
    """Values of a branch's features for each pixel of the picture."""
    eighth, quarter, half = branch.channels
    return math.ceil(eighth / 64 + quarter / 16 + half / 4)


def branch_values(branch: Branch, pixels: int) -> int:
    """Values alive while a branch runs on a square of so many pixels and what is around it, its features included."""
    side = math.isqrt(pixels) + 2 * branch.reach
    # the piece itself and its squares, and those of what is placed on it; at half of the resolution the shortcut, a
    # convolution's input and output in its own layout, the activation and the sum
    seen = 2 * (PICTURE + (COVERED if branch.details else 0))
    return side * side * (guide_values(branch) + 6 * branch.channels[2] // 4 + seen)


def fixed_share(vae: AutoencoderKL, batch: int, height: int, width: int, element: int) -> int:
    """Bytes that encoding and decoding take at least, with tiles or without."""
    factor = latent_factor(vae)
    low = low_resolution_bytes(vae, batch, height // factor, width // factor, element)
    return max(low, picture_bytes(batch, height, width))


def denoise_bytes(unet: UNet2DConditionModel, batch: int, height: int, width: int, element: int | None = None) -> int:
    """Bytes that denoising latents, or tiles of them, takes beyond the weights."""
    element = element or element_size(unet)
    channels, layers = list(unet.config.block_out_channels), unet.config.layers_per_block
    kept, most = float(channels[0]), 0.0
    for level, (own, kind) in enumerate(zip(channels, unet.config.down_block_types, strict=True)):
        below = channels[min(level + 1, len(channels) - 1)]
        # a residual block of the way up: both inputs, joined, normalised, activated, in the convolution's layout
        busy = 5 * (below + own) + 3 * own
        if "Attn" in kind:
            # the hidden layer of a transformer block: eight times the width, its gate, their product
            busy = max(busy, 18 * own)
        kept += (layers * own + own / 4) / 4**level
        most = max(most, busy / 4**level)
    values = (kept + most) * batch * height * width
    largest = max(weight.numel() for weight in unet.parameters())
    return FIXED + largest * element + int(SAFETY * values * (element if element == 4 else element + 2))


def fit_latent_tiles(
    unet: UNet2DConditionModel, height: int, width: int, memory: float, largest: int = 96
) -> tuple[int, int, int]:
    """Side and overlap of tiles, and how many at a time, with which denoising a latent fits into the memory.

    A latent whose sides are both at most `largest` is one tile, if it fits. Otherwise tiles are as large as fits, and
    overlap by a third, as OSEDiff's 96 and 32 do. Large tiles see more of the picture; more at a time are faster.

    Args:
        memory: Bytes beyond the weights.
        largest: Largest side of a tile, in latent pixels. Denoisers do worse far from the size they were trained on.

    Returns:
        Side, overlap and tiles in one call, as `denoise_tiled` takes them.

    Raises:
        ValueError: If even the smallest tile takes more.
    """
    sides = range(largest, SMALLEST_TILE - 1, -8)
    fitting = (side for side in sides if denoise_bytes(unet, 1, min(side, height), min(side, width)) <= memory)
    tile = next(fitting, None)
    if tile is None:
        check_memory(denoise_bytes(unet, 1, min(sides[-1], height), min(sides[-1], width)), memory)
        raise AssertionError("a tile that takes no more than the memory fits")
    size = min(tile, height), min(tile, width)
    fixed = denoise_bytes(unet, 0, *size)
    together = int((memory - fixed) // max(denoise_bytes(unet, 1, *size) - fixed, 1))
    overlap = tile // 3
    count = len(starts(height, tile, overlap)) * len(starts(width, tile, overlap))
    return tile, overlap, max(1, min(together, count))


def check_memory(least: int, memory: float) -> None:
    """Refuse a memory that is too small.

    Raises:
        ValueError: With the number of GB that are needed.
    """
    if memory < least:
        raise ValueError(
            f"This picture takes {math.ceil(least / GB * 100) / 100:.2f} GB beyond the weights even in the smallest "
            f"tiles; {memory / GB:.2f} GB are allowed. Allow more memory, or make the picture smaller."
        )


def element_size(network: AutoencoderKL | UNet2DConditionModel) -> int:
    """Bytes of a value in a network's type."""
    return int(network.dtype.itemsize)
