"""The degradation as it is usually written in torch: padded kernels, levels counted by sorting, JPEG unrounded."""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from portraitdata.degradation.batched.jpeg import CHROMINANCE, LUMINANCE
from portraitdata.degradation.kernels import kernel_of
from portraitdata.degradation.records import KernelRecord, NoiseRecord, OrderRecord, TwoOrderRecord

FULL = 21
"""Side that kernels are padded to."""

TO_YCBCR = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def degrade_by_peer(image: Tensor, record: TwoOrderRecord) -> Tensor:
    """Degrade one image (1, 3, h, w) in [0, 1]."""
    size = record.output_size
    out = soft_jpeg(until_jpeg(image, record.first), record.first.quality)
    out = until_jpeg(out, record.second)
    if not record.jpeg_last:
        out = soft_jpeg(out, record.second.quality)
    out = blur(F.interpolate(out, size=size, mode=record.final_mode), record.final_sinc)
    if record.jpeg_last:
        out = soft_jpeg(out, record.second.quality)
    return (out * 255).round().clamp(0, 255) / 255


def until_jpeg(image: Tensor, order: OrderRecord) -> Tensor:
    """Blur, resize, noise."""
    image = blur(image, order.blur)
    size = order.resize.height, order.resize.width
    return noisy(F.interpolate(image, size=size, mode=order.resize.mode), order.noise)


def blur(image: Tensor, record: KernelRecord) -> Tensor:
    """Convolve with the kernel in a square of 21, also where it is one point."""
    kernel = kernel_of(record)
    padded = np.pad(kernel, (FULL - kernel.shape[0]) // 2)
    weight = torch.from_numpy(padded).float().expand(3, 1, FULL, FULL)
    margin = FULL // 2
    return F.conv2d(F.pad(image, (margin,) * 4, mode="reflect"), weight, groups=3)


def noisy(image: Tensor, noise: NoiseRecord) -> Tensor:
    """Add noise and clip."""
    generator = torch.Generator().manual_seed(noise.seed)
    like = image.mean(dim=1, keepdim=True) if noise.grey else image
    if noise.kind == "gaussian":
        field = torch.randn(like.shape, generator=generator) * noise.strength / 255
    else:
        like = (like * 255).round().clamp(0, 255) / 255
        levels = 2 ** math.ceil(math.log2(len(torch.unique(like))))
        field = (torch.poisson(like * levels, generator=generator) / levels - like) * noise.strength
    return (image + field).clamp(0, 1)


def soft_jpeg(image: Tensor, quality: int) -> Tensor:
    """JPEG in floating point: no 8-bit rounding, tables neither whole nor clamped, chroma enlarged by repetition."""
    height, width = image.shape[-2:]
    factor = (5000 / quality if quality < 50 else 200 - 2 * quality) / 100
    padded = F.pad(image.clamp(0, 1) * 255, (0, -width % 16, 0, -height % 16))
    luma, *chroma = torch.einsum("yc,bchw->ybhw", TO_YCBCR, padded)
    planes = [transformed(luma - 128, LUMINANCE, factor) + 128]
    for plane in chroma:
        half = transformed(F.avg_pool2d(plane.unsqueeze(1), 2)[:, 0], CHROMINANCE, factor)
        planes.append(half.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2))
    rgb = torch.einsum("cy,ybhw->bchw", torch.linalg.inv(TO_YCBCR), torch.stack(planes))
    return rgb[..., :height, :width].clamp(0, 255) / 255


def transformed(plane: Tensor, base: Sequence[int], factor: float) -> Tensor:
    """Transform by one product with all 64 patterns, quantise, and back."""
    batch, height, width = plane.shape
    blocks = plane.reshape(batch, height // 8, 8, width // 8, 8).transpose(2, 3)
    place = torch.arange(8)
    cosines = torch.cos((2 * place[None] + 1) * place[:, None] * torch.pi / 16) / 2
    cosines[0] /= 2**0.5
    patterns = torch.einsum("ux,vy->xyuv", cosines, cosines)
    tables = torch.tensor(base).reshape(8, 8) * factor
    steps = (torch.tensordot(blocks, patterns, dims=2) / tables).round() * tables
    blocks = torch.tensordot(steps, patterns.permute(2, 3, 0, 1), dims=2)
    return blocks.transpose(2, 3).reshape(batch, height, width)
