"""Bicubic resampling in the MATLAB convention, the "bicubic downsampling" of the super-resolution literature.

`imresize` of MATLAB widens the kernel when it shrinks (antialiasing) and mirrors the image at its border. The
`antialias=True` of torch and Pillow's BICUBIC agree with it inside the image but cut the kernel at the border; torch
without `antialias` and OpenCV's INTER_CUBIC are other filters altogether (a = -0.75, no widening).

The resampling is separable and linear, so it is written as two small matrix products. That makes it exact, equally
fast, differentiable, and available on every device, in every exporter and under `torch.compile`.
"""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor


def keys_cubic(distance: Float64[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
    """Cubic convolution kernel with a = -1/2, non-zero on [-2, 2] (Keys, 1981, Eq. 15).

    Example:
        >>> keys_cubic(np.array([0.0, 0.5, 1.0, 1.5, 2.0])).tolist()
        [1.0, 0.5625, 0.0, -0.0625, 0.0]
    """
    x = np.abs(distance)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


# NumPy, because a cached tensor would remember the mode it was first made in (inference, export, fake tensors).
@lru_cache(maxsize=256)
def bicubic_weights(source: int, target: int) -> Float64[np.ndarray, "target source"]:
    """Matrix that resamples a line of `source` pixels to `target` pixels, rows summing to one.

    Convention: pixel centres at half-integers of the line (MATLAB's imresize, align_corners=False), kernel widened by
    `source / target` when shrinking, line mirrored with the edge pixel repeated.

    Raises:
        ValueError: If a length is smaller than one.

    Example:
        >>> bicubic_weights(2, 1).tolist()
        [[0.5, 0.5]]
    """
    if source < 1 or target < 1:
        raise ValueError(f"A resampled line needs at least one pixel, got {source} -> {target}.")
    ratio = target / source
    shrink = min(ratio, 1.0)
    centre = (np.arange(target) + 0.5) / ratio - 0.5
    reach = 2 / shrink
    index = np.floor(centre - reach)[:, None] + np.arange(int(2 * reach) + 3)
    weight = keys_cubic((index - centre[:, None]) * shrink)
    weight /= weight.sum(axis=1, keepdims=True)
    period = index.astype(np.int64) % (2 * source)
    mirrored = np.where(period < source, period, 2 * source - 1 - period)
    matrix = np.zeros((target, source))
    rows = np.arange(target)
    for tap in range(weight.shape[1]):
        matrix[rows, mirrored[:, tap]] += weight[:, tap]
    return matrix


def bicubic(images: Float[Tensor, "*batch h w"], height: int, width: int) -> Float[Tensor, "*batch {height} {width}"]:
    """Resample images to `height` x `width` pixels by MATLAB's bicubic.

    Values may leave the input's range by the overshoot of the kernel; nothing is clamped or rounded. Computed in
    float32 at least.

    Raises:
        ValueError: If a side is smaller than one pixel.

    Example:
        >>> bicubic(torch.ones(1, 3, 16, 16), 128, 128).shape
        torch.Size([1, 3, 128, 128])
    """
    dtype = torch.promote_types(images.dtype, torch.float32)
    rows = torch.from_numpy(bicubic_weights(images.shape[-2], height)).to(images.device, dtype)
    columns = torch.from_numpy(bicubic_weights(images.shape[-1], width)).to(images.device, dtype)
    with torch.autocast(images.device.type, enabled=False):
        return (rows @ images.to(dtype) @ columns.mT).to(images.dtype)


def to_8_bit(images: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Round to the 256 levels that an 8-bit file can hold, still as floats in [0, 1].

    Example:
        >>> to_8_bit(torch.tensor([-0.1, 0.5, 1.0])).mul(255).tolist()
        [0.0, 128.0, 255.0]
    """
    return images.clamp(0, 1).mul(255).round().div(255)
