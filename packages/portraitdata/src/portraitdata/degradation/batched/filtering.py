"""Filters of a batch on any device: a blur, each image with a kernel of its own, and the unsharp mask."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64
from torch import Tensor

from portraitdata.degradation.sharpening import SIGMA, SIZE, THRESHOLD, WEIGHT


def filter_batch(
    images: Float[Tensor, "b c h w"], kernels: Sequence[Float64[np.ndarray, "..."]]
) -> Float[Tensor, "b c h w"]:
    """Correlate all channels of each image with its kernel, the image mirrored without the edge pixel repeated.

    Args:
        kernels: Squares of odd size, which may differ.

    Raises:
        ValueError: If there is not one kernel for each image.
    """
    if len(images) != len(kernels):
        raise ValueError(f"Each image needs a kernel of its own, got {len(images)} images and {len(kernels)} kernels.")
    margin = max(kernel.shape[0] for kernel in kernels) // 2
    weights = np.stack([np.pad(kernel, margin - kernel.shape[0] // 2) for kernel in kernels])
    batch, channels, height, width = images.shape
    weight = torch.from_numpy(weights).to(images).repeat_interleave(channels, dim=0).unsqueeze(1)
    padded = mirror_pad(images, margin).reshape(1, batch * channels, height + 2 * margin, width + 2 * margin)
    return F.conv2d(padded, weight, groups=batch * channels).reshape(images.shape)


def mirror_pad(images: Float[Tensor, "b c h w"], margin: int) -> Float[Tensor, "b c ph pw"]:
    """Mirror at the border without repeating the edge pixel; unlike torch's padding also further than the image goes.

    Example:
        >>> mirror_pad(torch.tensor([1.0, 2.0]).reshape(1, 1, 1, 2), 3)[0, 0, 0].tolist()
        [2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0]
    """
    height, width = images.shape[-2:]
    if margin < min(height, width):
        return F.pad(images, (margin, margin, margin, margin), mode="reflect")
    rows, columns = (mirrored_index(side, margin).to(images.device) for side in (height, width))
    return images[..., rows[:, None], columns]


def mirrored_index(side: int, margin: int) -> Tensor:
    """Indices of a line of `side` pixels with `margin` mirrored ones at both ends."""
    period = max(1, 2 * (side - 1))
    place = torch.arange(-margin, side + margin) % period
    return torch.minimum(place, period - place) if side > 1 else torch.zeros_like(place)


def sharpen_batch(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Sharpen images in [0, 1] where there is an edge, as `portraitdata.degradation.sharpening.sharpened`."""
    residual = images - _blurred(images)
    soft = _blurred((residual.abs() > THRESHOLD).to(images))
    return soft * (images + WEIGHT * residual).clamp(0, 1) + (1 - soft) * images


def _blurred(images: Tensor) -> Tensor:
    line = torch.from_numpy(cv2.getGaussianKernel(SIZE, SIGMA)).to(images).reshape(1, 1, SIZE)
    channels = images.shape[1]
    weight = line.expand(channels, 1, SIZE)
    padded = mirror_pad(images, SIZE // 2)
    across = F.conv2d(padded, weight.unsqueeze(2), groups=channels)
    return F.conv2d(across, weight.unsqueeze(3), groups=channels)
