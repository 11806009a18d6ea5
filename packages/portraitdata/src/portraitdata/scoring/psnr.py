"""PSNR: peak signal-to-noise ratio, in dB."""

import torch
from jaxtyping import Float
from torch import Tensor

from portraitdata.scoring.conventions import Convention, compared_channels

LEAST_ERROR = 1e-8
"""Added to the mean squared error, as pyiqa does: equal images have 80 dB and not infinitely many."""


def psnr(
    restored: Float[Tensor, "b 3 h w"], target: Float[Tensor, "b 3 h w"], convention: Convention = "rgb", crop: int = 0
) -> Float[Tensor, " b"]:
    r"""PSNR of every image, in dB; higher is better, 80 at most.

    .. math:: P = -10 \log_{10} \left( \frac{1}{n} \sum (x - y)^2 + 10^{-8} \right)

    over all channels that the convention compares. The mean of a set is the mean of the images' values.

    Convention: RGB in [0, 1], not clamped or rounded here; the peak is 1 in both conventions, although Y only goes
    from 16/255 to 235/255, which makes that of Y 1.3 dB higher. The values are those of pyiqa 0.1.16:
    ``psnr(test_y_channel=True, color_space="ycbcr")`` for ``osediff``, ``psnr`` for ``rgb``. Differentiable.

    Args:
        restored: Images to judge.
        target: What they should be.
        convention: Which channels are compared.
        crop: Pixels left out along every border.

    Raises:
        ValueError: If the sizes differ, nothing is left, or there is no such convention.

    Example:
        >>> grey = torch.full((1, 3, 8, 8), 0.5)
        >>> [round(psnr(grey + 0.1, grey, name).item(), 2) for name in ("rgb", "osediff")]
        [20.0, 21.32]
        >>> psnr(grey, grey).item()
        80.0
    """
    ours, theirs = compared_channels(restored, target, convention, crop)
    with torch.autocast(ours.device.type, enabled=False):
        error = (ours - theirs).square().flatten(1).mean(dim=1)
        return -10 * (error + LEAST_ERROR).log10()
