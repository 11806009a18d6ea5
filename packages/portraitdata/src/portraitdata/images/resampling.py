"""Bicubic resampling in the MATLAB convention, the "bicubic downsampling" of the super-resolution literature.

`imresize` of MATLAB widens the kernel when it shrinks (antialiasing) and mirrors the image at its border. The
`antialias=True` of torch and Pillow's BICUBIC agree with it inside the image but cut the kernel at the border; torch
without `antialias` and OpenCV's INTER_CUBIC are other filters altogether (a = -0.75, no widening).

The resampling is separable and linear, so it is written as products of small matrices. That makes it exact, equally
fast, differentiable, and available on every device, in every exporter and under `torch.compile`.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from portraitdata.images.bicubic_bands import bicubic_bands


def bicubic(images: Float[Tensor, "*batch h w"], height: int, width: int) -> Float[Tensor, "*batch {height} {width}"]:
    """Resample images to `height` x `width` pixels by MATLAB's bicubic.

    Values may leave the input's range by the overshoot of the kernel; nothing is clamped or rounded. Computed in
    float32 at least. Images of that size already are returned as they are, not copied.

    Raises:
        ValueError: If a side is smaller than one pixel.

    Example:
        >>> bicubic(torch.ones(1, 3, 16, 16), 128, 128).shape
        torch.Size([1, 3, 128, 128])
    """
    dtype = torch.promote_types(images.dtype, torch.float32)
    with torch.autocast(images.device.type, enabled=False):
        return _resampled(_resampled(images.to(dtype), height, -2), width, -1).to(images.dtype)


def _resampled(images: Float[Tensor, "*batch"], target: int, dim: Literal[-2, -1]) -> Float[Tensor, "*resized"]:
    """Images with `target` rows (-2) or columns (-1)."""
    source = images.shape[dim]
    if source == target:
        return images
    # of many slices torch.compile makes wrong results, and exporters long graphs
    bands = bicubic_bands(source, target, whole=torch.compiler.is_compiling())
    blocks = torch.from_numpy(bands.weights).to(images).split(bands.rows)
    if dim == -2:
        pieces = [block @ images[..., part, :] for block, part in zip(blocks, bands.parts, strict=True)]
    else:
        pieces = [images[..., part] @ block.mT for block, part in zip(blocks, bands.parts, strict=True)]
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim)


def to_8_bit(images: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Round to the 256 levels that an 8-bit file can hold, still as floats in [0, 1].

    Example:
        >>> to_8_bit(torch.tensor([-0.1, 0.5, 1.0])).mul(255).tolist()
        [0.0, 128.0, 255.0]
    """
    return images.clamp(0, 1).mul(255).round().div(255)
