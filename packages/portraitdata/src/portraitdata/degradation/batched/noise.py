"""Noise on any device; see `portraitdata.degradation.noise`."""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from portraitdata.degradation.noise import LUMA, gaussian_field, random_bits
from portraitdata.degradation.poisson_table import (
    BUCKET_BITS,
    COUNT_BITS,
    COUNTS,
    REST_BITS,
    SEARCH,
    poisson_table,
    rounded_up,
)
from portraitdata.degradation.records import NoiseRecord


def noisy(image: Float[Tensor, "3 h w"], noise: NoiseRecord, exact: bool) -> Float[Tensor, "3 h w"]:
    """Add noise to an image in [0, 1], and clip.

    Args:
        exact: Whether the field is that of the CPU executor, drawn there and carried to the device, instead of one
            drawn on the device by torch.
    """
    height, width = image.shape[-2:]
    shape = (1 if noise.grey else 3, height, width)
    if noise.kind == "gaussian":
        field = _normal(shape, noise.seed, image, exact) * (noise.strength / 255)
    else:
        field = _poisson(image, shape, noise, exact)
    return (image + field).clamp(0, 1)


def luma_of(images: Float[Tensor, "*b 3 h w"]) -> Float[Tensor, "*b 1 h w"]:
    """One channel of three, weighed as in ITU-R BT.601."""
    return (images * torch.from_numpy(LUMA).to(images).reshape(3, 1, 1)).sum(dim=-3, keepdim=True)


def _poisson(image: Tensor, shape: tuple[int, int, int], noise: NoiseRecord, exact: bool) -> Tensor:
    values = luma_of(image) if noise.grey else image
    values = (values * 255).round().clamp(0, 255).long()
    levels = rounded_up(int(torch.bincount(values.flatten(), minlength=256).count_nonzero()))
    counts = _counts(values, levels, _bits(shape, noise.seed, image, exact)).to(image)
    return (counts / levels - values.to(image) / 255) * noise.strength


def _counts(values: Tensor, levels: int, bits: Tensor) -> Tensor:
    """As `portraitdata.degradation.poisson_table.poisson_counts`, of whole numbers on any device."""
    guide, bounds = _table(levels, values.device)
    entry = guide[(values << BUCKET_BITS) + (bits >> REST_BITS)]
    count = entry & SEARCH
    rare = count == SEARCH
    count += (bits & ((1 << REST_BITS) - 1)) >= (entry >> COUNT_BITS)
    count[rare] = torch.searchsorted(bounds, (values[rare] << 32) + bits[rare], right=True) - values[rare] * COUNTS
    return count


@lru_cache(maxsize=18)
def _table(levels: int, device: torch.device) -> tuple[Tensor, Tensor]:
    table = poisson_table(levels)
    return torch.from_numpy(table.guide.astype(np.int64)).to(device), torch.from_numpy(table.bounds).to(device)


def _normal(shape: tuple[int, int, int], seed: int, like: Tensor, exact: bool) -> Tensor:
    if exact:
        channels, height, width = shape
        return torch.from_numpy(gaussian_field(seed, height, width, channels)).permute(2, 0, 1).to(like)
    generator = torch.Generator(like.device).manual_seed(seed)
    return torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)


def _bits(shape: tuple[int, int, int], seed: int, like: Tensor, exact: bool) -> Tensor:
    if exact:
        channels, height, width = shape
        drawn = random_bits(seed, height, width, channels).astype("int64")
        return torch.from_numpy(drawn).permute(2, 0, 1).to(like.device)
    generator = torch.Generator(like.device).manual_seed(seed)
    return torch.randint(1 << 32, shape, generator=generator, device=like.device)
