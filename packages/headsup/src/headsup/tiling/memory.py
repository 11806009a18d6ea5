"""Estimates of the memory that encoding, denoising and decoding take, beyond the weights.

An estimate counts the tensors that are alive at the most demanding layer, copies that a convolution makes of its input
and output in its own layout included, and adds `FIXED`. It holds without gradients, with attention that does not store
its matrix of scores, as torch has on CPUs and on CUDA devices. It is meant to err on the safe side.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from diffusers import AutoencoderKL
from torch import nn

from headsup.tiling.chain import Segment, decoder_chain, encoder_chain

if TYPE_CHECKING:
    from diffusers.models import ModelMixin

GB = 10**9
"""Bytes in the unit in which memory is stated."""

FIXED = 64 * 10**6
"""Bytes added to every estimate: weights in a convolution's own layout, fragments of the allocator."""


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
        segment: Part of an autoencoder.
        pixels_in: Pixels of its input, of all pictures of a batch.
        pixels_out: Pixels of its output.
        element: Bytes of a value, 4 for float32.
    """
    before, after = segment.channels
    # input, normalised, activated, and the last in the convolution's layout; the output twice for the same reason
    values = pixels_in * (segment.skips[0] + 4 * before) + pixels_out * (segment.skips[1] + 2 * after)
    if segment.resample > 0:
        values += 2 * pixels_out * before
    in_float32 = 8 * pixels_in * before if segment.norm is not None and element < 4 else 0
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
    """Bytes that the part of an autoencoder with attention takes; it never runs in pieces.

    Args:
        vae: Autoencoder; one without weights, on the device ``meta``, does.
        batch: Pictures.
        height: Height of the latent.
        width: Width of the latent.
        element: Bytes of a value.
    """
    channels = vae.config.block_out_channels[-1]
    # the residual, the normalised, query, key, value, result, and copies where the layout changes
    return FIXED + batch * height * width * channels * (10 * element + (8 if element < 4 else 0))


def encode_bytes(vae: AutoencoderKL, batch: int, height: int, width: int, element: int | None = None) -> int:
    """Bytes that encoding pictures of this size in one piece takes beyond the weights.

    Args:
        vae: Autoencoder; one without weights, on the device ``meta``, does.
        batch: Pictures.
        height: Height of a picture.
        width: Width of a picture.
        element: Bytes of a value; None means those of the weights.
    """
    element, factor = element or element_size(vae), factor_of(vae)
    low = low_resolution_bytes(vae, batch, height // factor, width // factor, element)
    return max(whole_bytes(encoder_chain(vae), batch, height, width, element), low)


def decode_bytes(vae: AutoencoderKL, batch: int, height: int, width: int, element: int | None = None) -> int:
    """Bytes that decoding to pictures of this size in one piece takes beyond the weights; arguments as before."""
    element, factor = element or element_size(vae), factor_of(vae)
    low = low_resolution_bytes(vae, batch, height // factor, width // factor, element)
    return max(whole_bytes(decoder_chain(vae), batch, height // factor, width // factor, element), low)


def factor_of(vae: AutoencoderKL) -> int:
    """Image pixels on the side of a latent pixel."""
    return int(2 ** (len(vae.config.block_out_channels) - 1))


def element_size(module: "ModelMixin") -> int:
    """Bytes of a value in a network's type."""
    return torch.empty((), dtype=module.dtype, device="meta").element_size()
