"""SSIM: structural similarity (Wang et al. 2004)."""

import torch
from jaxtyping import Float
from torch import Tensor

from portraitdata.scoring.conventions import Convention, compared_channels

WINDOW = 11
"""Side of the Gaussian window in pixels."""
SIGMA = 1.5
"""Its standard deviation in pixels."""
STABILISERS = (0.01**2, 0.03**2)
"""C1 and C2 of the paper, for values in [0, 1]."""
STRIP = 64
"""Rows that are compared together; their pixels stay in the processor's cache."""


def gaussian_window(side: int = WINDOW, sigma: float = SIGMA) -> Float[Tensor, " side"]:
    """Weights of a Gaussian, summing to one, in float64; the window is the product of two.

    Example:
        >>> gaussian_window(3, 1.0).round(decimals=4).tolist()
        [0.2741, 0.4519, 0.2741]
    """
    distance = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    weights = (-distance.square() / (2 * sigma**2)).exp()
    return weights / weights.sum()


def local_means(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c vh vw"]:
    """Means in the window around every pixel around which it fits.

    Example:
        >>> local_means(torch.ones(1, 3, 16, 12)).shape
        torch.Size([1, 3, 6, 2])
    """
    return weighted_mean(weighted_mean(images, -2), -1)


def weighted_mean(images: Float[Tensor, "*b h w"], dim: int) -> Float[Tensor, "*b _ _"]:
    """Means in the Gaussian window along one dimension, by sums: a convolution of so few channels takes longer."""
    kept = images.shape[dim] - WINDOW + 1
    first, *others = gaussian_window().tolist()
    total = images.narrow(dim, 0, kept) * first
    for shift, weight in enumerate(others, start=1):
        total.add_(images.narrow(dim, shift, kept), alpha=weight)
    return total


def ssim(
    restored: Float[Tensor, "b 3 h w"], target: Float[Tensor, "b 3 h w"], convention: Convention = "rgb", crop: int = 0
) -> Float[Tensor, " b"]:
    r"""SSIM of every image, in [-1, 1]; higher is better, 1 for equal images.

    .. math:: S = \frac{(2 \mu_x \mu_y + C_1)(2 \sigma_{xy} + C_2)}
        {(\mu_x^2 + \mu_y^2 + C_1)(\sigma_x^2 + \sigma_y^2 + C_2)}

    averaged over the pixels around which the window fits, then over the channels that the convention compares.

    Convention: RGB in [0, 1], not clamped here; Gaussian window of 11 x 11 pixels and sigma 1.5, no padding, variances
    without Bessel's correction, :math:`C_1 = 0.01^2`, :math:`C_2 = 0.03^2`. ``osediff`` is pyiqa 0.1.16's
    ``ssim(test_y_channel=True, color_space="ycbcr")``, which also rounds Y to 256 levels (PSNR does not) and counts a
    pixel around which the images are opposed, the second factor being negative, as 0. ``rgb`` does neither;
    pyiqa's ``ssimc`` does the latter. torchmetrics mirrors the image at its border, which changes the third or fourth
    decimal, of images of few pixels the first. ``portraitdata score`` and the benchmarks measure this SSIM; both
    trainings and ``hime evaluate`` log it with ``rgb``. Differentiable, the rounding as if it were none.

    Args:
        restored: Images to judge.
        target: What they should be.
        convention: Which channels are compared.
        crop: Pixels left out along every border.

    Raises:
        ValueError: If the sizes differ, less than a window is left, or there is no such convention.

    Example:
        >>> dark, light = torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16)
        >>> ssim(light, light).item(), round(ssim(dark, light).item(), 6)
        (1.0, 0.0001)
    """
    ours, theirs = compared_channels(restored, target, convention, crop)
    if min(ours.shape[-2:]) < WINDOW:
        raise ValueError(
            f"SSIM needs images of {WINDOW} x {WINDOW} pixels at least, got {ours.shape[-1]} x {ours.shape[-2]} "
            f"with {crop} pixels left out along every border."
        )
    if convention == "osediff":
        ours, theirs = (y + (y * 255).round().div(255).sub(y).detach() for y in (ours, theirs))
    # Variances are differences of nearly equal numbers: half precision would lose them.
    with torch.autocast(ours.device.type, enabled=False):
        strips = range(0, ours.shape[-2] - WINDOW + 1, STRIP)
        rows = [slice(top, top + STRIP + WINDOW - 1) for top in strips]
        opposed = convention != "osediff"
        maps = [similarity(ours[..., part, :], theirs[..., part, :], opposed) for part in rows]
        return torch.cat(maps, dim=-2).flatten(1).mean(dim=1)


def similarity(
    ours: Float[Tensor, "b c h w"], theirs: Float[Tensor, "b c h w"], opposed: bool = True
) -> Float[Tensor, "b c vh vw"]:
    """SSIM around every pixel around which the window fits; where images are opposed below zero, or zero."""
    mean_x, mean_y = local_means(ours), local_means(theirs)
    c1, c2 = STABILISERS
    # In this order equal images have exactly 1.
    variances = (local_means(ours * ours) - mean_x * mean_x) + (local_means(theirs * theirs) - mean_y * mean_y)
    contrast = (2 * (local_means(ours * theirs) - mean_x * mean_y) + c2) / (variances + c2)
    luminance = (2 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1)
    return luminance * (contrast if opposed else contrast.clamp(min=0))
