"""SSIM: structural similarity (Wang et al. 2004)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from portraitdata.scoring.conventions import Convention, compared_channels

WINDOW = 11
"""Side of the Gaussian window in pixels."""
SIGMA = 1.5
"""Its standard deviation in pixels."""
STABILISERS = (0.01**2, 0.03**2)
"""C1 and C2 of the paper, for values in [0, 1]."""


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
    channels = images.shape[1]
    window = gaussian_window().to(images).expand(channels, 1, 1, WINDOW)
    rows = F.conv2d(images, window, groups=channels)
    return F.conv2d(rows, window.mT, groups=channels)


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
        stacked = torch.cat((ours, theirs, ours * ours, theirs * theirs, ours * theirs))
        mean_x, mean_y, square_x, square_y, product = local_means(stacked).chunk(5)
        c1, c2 = STABILISERS
        # In this order equal images have exactly 1.
        variances = (square_x - mean_x * mean_x) + (square_y - mean_y * mean_y)
        contrast = (2 * (product - mean_x * mean_y) + c2) / (variances + c2)
        if convention == "osediff":
            contrast = contrast.clamp(min=0)
        luminance = (2 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1)
        return (luminance * contrast).flatten(1).mean(dim=1)
