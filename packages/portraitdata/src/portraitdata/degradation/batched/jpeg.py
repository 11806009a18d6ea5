"""JPEG of a batch on any device: the arithmetic of libjpeg without the entropy coding, which loses nothing.

Whole-number conversion to YCbCr, chroma averaged over 2 x 2 pixels, quantisation tables of Annex K scaled and clamped
as libjpeg does, rounding after each pass of the transform, chroma enlarged by the triangle filter that decoders call
fancy upsampling. What remains of a difference to libjpeg, some hundredths of a level, is its fixed-point cosines.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Float64
from numpy.typing import NDArray
from torch import Tensor

LUMINANCE = (
    *(16, 11, 10, 16, 24, 40, 51, 61),
    *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77),
    *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101),
    *(72, 92, 95, 98, 112, 100, 103, 99),
)
"""Quantisation of luminance at quality 50 (ITU-T T.81, Table K.1), row by row."""

CHROMINANCE = (
    *(17, 18, 24, 47, 99, 99, 99, 99),
    *(18, 21, 26, 66, 99, 99, 99, 99),
    *(24, 26, 56, 99, 99, 99, 99, 99),
    *(47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 32),
)
"""Quantisation of chrominance at quality 50 (ITU-T T.81, Table K.2)."""


def compress_batch(images: Float[Tensor, "b 3 h w"], qualities: Sequence[int]) -> Float[Tensor, "b 3 h w"]:
    """Round images in [0, 1] to 8 bits, compress and decompress each with its quality. No gradient passes.

    Args:
        images: RGB; values outside [0, 1] are clipped.
        qualities: 1 to 100, one for each image.

    Raises:
        ValueError: If a quality is out of range, or there is not one for each image.

    Example:
        >>> compress_batch(torch.full((1, 3, 5, 9), 0.2), [90])[0, :, 0, 0].mul(255).tolist()
        [51.0, 51.0, 51.0]
    """
    if len(images) != len(qualities):
        raise ValueError(f"Each image needs a quality, got {len(images)} images and {len(qualities)} qualities.")
    height, width = images.shape[-2:]
    with torch.no_grad():
        samples = (images.clamp(0, 1) * 255).round().to(torch.int32)
        luma, chroma = _components(samples)
        tables = [torch.from_numpy(np.stack([quantisation_table(base, q) for q in qualities])) for base in TABLES]
        luma = _coded(luma, tables[0])
        chroma = _coded(chroma, tables[1])
        half_height, half_width = -(-height // 2), -(-width // 2)
        chroma = _fancy_upsampled(chroma[..., :half_height, :half_width])[..., :height, :width]
        return _rgb(luma[..., :height, :width], chroma).to(images) / 255


def quantisation_table(base: tuple[int, ...], quality: int) -> Float64[np.ndarray, "8 8"]:
    """Divisors of the 64 coefficients at a quality, as libjpeg's baseline has them.

    Raises:
        ValueError: If the quality is out of range.

    Example:
        >>> quantisation_table(LUMINANCE, 75)[0].tolist()
        [8.0, 6.0, 5.0, 8.0, 12.0, 20.0, 26.0, 31.0]
    """
    if not 1 <= quality <= 100:
        raise ValueError(f"JPEG knows qualities from 1 to 100, got {quality}.")
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return ((np.array(base) * percent + 50) // 100).clip(1, 255).reshape(8, 8).astype(np.float64)


PASS_PLACES = 4 * 8**0.5
"""libjpeg keeps two more bits between its two passes, each longer by the root of 8 than the orthonormal one."""

TABLES = (LUMINANCE, CHROMINANCE)


def _cosines() -> NDArray[np.float64]:
    """Matrix of the orthonormal cosine transform of eight samples."""
    frequency, place = np.mgrid[0:8, 0:8]
    matrix = np.cos((2 * place + 1) * frequency * np.pi / 16) / 2
    matrix[0] /= np.sqrt(2)
    return matrix


def _components(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance (b, 1, h, w) and chrominance (b, 2, h, w), padded to whole blocks, as whole numbers.

    libjpeg's fixed point has 16 bits; its padding repeats the last pixel, of chrominance after averaging.
    """
    red, green, blue = samples.unbind(dim=1)
    luma = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16
    offset = (128 << 16) + 32767
    blueness = (-11059 * red - 21709 * green + 32768 * blue + offset) >> 16
    redness = (32768 * red - 27439 * green - 5329 * blue + offset) >> 16
    chroma = _repeated(torch.stack((blueness, redness), dim=1), 2, 16)
    # The rounding alternates from column to column so that it does not favour one side.
    bias = torch.tensor([1, 2], device=samples.device).repeat(chroma.shape[-1] // 4)
    quarters = rearrange(chroma, "b c (h dy) (w dx) -> (dy dx) b c h w", dy=2, dx=2)
    chroma = (quarters.sum(dim=0) + bias) >> 2
    return _repeated(luma.unsqueeze(1), 16, 16), _repeated(chroma, 8, 8)


def _repeated(samples: Tensor, rows: int, columns: int) -> Tensor:
    """Repeat the last row and column up to multiples of `rows` and `columns`."""
    height, width = samples.shape[-2:]
    right, below = -width % columns, -height % rows
    return F.pad(samples.float(), (0, right, 0, below), mode="replicate").to(samples.dtype)


def _coded(samples: Tensor, tables: Tensor) -> Tensor:
    """Transform, quantise and transform back blocks of 8 x 8."""
    cosines = torch.from_numpy(_cosines()).to(samples.device, torch.float32)
    tables = tables.to(samples.device, torch.float32)[:, None, None, None]
    blocks = rearrange(samples.float() - 128, "b c (h dy) (w dx) -> b c h w dy dx", dy=8, dx=8)
    # libjpeg rounds after each of the four passes; the divisors are the places that it keeps.
    rows = _rounded(blocks @ cosines.T, PASS_PLACES)
    coefficients = _rounded(cosines @ rows, 8.0)
    steps = coefficients / tables
    steps = torch.trunc(steps + 0.5 * steps.sign()) * tables
    columns = _rounded(cosines.T @ steps, PASS_PLACES)
    values = (columns @ cosines + 128.5).floor().clamp(0, 255)
    return rearrange(values, "b c h w dy dx -> b c (h dy) (w dx)").to(torch.int32)


def _rounded(values: Tensor, places: float) -> Tensor:
    """Round to multiples of 1 / places, halves upwards."""
    return (values * places + 0.5).floor() / places


def _fancy_upsampled(chroma: Tensor) -> Tensor:
    """Twice the size by the triangle filter (3/4, 1/4), rounded as libjpeg's `h2v2_fancy_upsample` does."""
    above = torch.cat((chroma[..., :1, :], chroma[..., :-1, :]), dim=-2)
    below = torch.cat((chroma[..., 1:, :], chroma[..., -1:, :]), dim=-2)
    rows = rearrange(torch.stack((3 * chroma + above, 3 * chroma + below)), "two b c h w -> b c (h two) w")
    before = torch.cat((rows[..., :1], rows[..., :-1]), dim=-1)
    after = torch.cat((rows[..., 1:], rows[..., -1:]), dim=-1)
    columns = torch.stack(((3 * rows + before + 8) >> 4, (3 * rows + after + 7) >> 4))
    return rearrange(columns, "two b c h w -> b c h (w two)")


def _rgb(luma: Tensor, chroma: Tensor) -> Tensor:
    """Whole-number RGB, 0 to 255, of luminance and chrominance."""
    light, blueness, redness = luma[:, 0], chroma[:, 0] - 128, chroma[:, 1] - 128
    red = light + ((91881 * redness + 32768) >> 16)
    green = light + ((-22554 * blueness - 46802 * redness + 32768) >> 16)
    blue = light + ((116130 * blueness + 32768) >> 16)
    return torch.stack((red, green, blue), dim=1).clamp(0, 255)
