"""Unsharp mask of Real-ESRGAN for a batch; see `portraitdata.degradation.sharpening`."""

import cv2
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from portraitdata.degradation.batched.filtering import mirror_pad
from portraitdata.degradation.sharpening import SIGMA, SIZE, THRESHOLD, WEIGHT


def sharpen_batch(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Sharpen images in [0, 1] where there is an edge."""
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
