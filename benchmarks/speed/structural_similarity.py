"""SSIM of a batch of small images and of one large image: convolutions, torchmetrics and ours."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from benchmarks.reporting.table import Cell, Suite, Table
from benchmarks.speed.timing import cpu_seconds
from portraitdata.scoring.ssim import STABILISERS, WINDOW, gaussian_window, ssim

SIZES = ((16, 128), (1, 1024))
"""Images of a batch, and their side in pixels."""
REPEATS = 3


def ssim_by_convolution(restored: Tensor, target: Tensor) -> Tensor:
    """The common way: five convolutions, of one channel each, with rows and then with columns of the window."""
    channels = restored.shape[1]
    window = gaussian_window().to(restored).expand(channels, 1, 1, WINDOW)
    stacked = torch.cat((restored, target, restored * restored, target * target, restored * target))
    rows = F.conv2d(stacked, window, groups=channels)
    mean_x, mean_y, square_x, square_y, product = F.conv2d(rows, window.mT, groups=channels).chunk(5)
    c1, c2 = STABILISERS
    variances = (square_x - mean_x * mean_x) + (square_y - mean_y * mean_y)
    contrast = (2 * (product - mean_x * mean_y) + c2) / (variances + c2)
    luminance = (2 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1)
    return (luminance * contrast).flatten(1).mean(dim=1)


def measure(suite: Suite) -> list[Table]:
    """CPU time of an image each way, and how far the results are apart."""
    rows = tuple(compared(images, side) for images, side in SIZES)
    columns = ("images of", "convolutions ms", "torchmetrics ms", "ours ms", "times faster", "results apart")
    title = "SSIM of RGB images, CPU time of an image"
    note = (
        "Times faster and apart: ours beside convolutions. torchmetrics mirrors the images at their border, so its "
        "results are others."
    )
    plotted = ("convolutions ms", "torchmetrics ms", "ours ms")
    return [Table("structural_similarity", title, columns, rows, plotted, "CPU time, ms", note)]


@torch.inference_mode()
def compared(images: int, side: int) -> tuple[Cell, ...]:
    """One row of the table."""
    generator = torch.Generator().manual_seed(0)
    target, noise = torch.rand(2, images, 3, side, side, generator=generator)
    pair = (target + 0.1 * noise).clamp(0, 1), target
    ways: list[Callable[[], object]] = [
        partial(ssim_by_convolution, *pair),
        partial(structural_similarity_index_measure, *pair, data_range=1.0, reduction="none"),
        partial(ssim, *pair),
    ]
    common, metrics, ours = (1e3 * taken / images for taken in cpu_seconds(ways, REPEATS))
    apart = (ssim_by_convolution(*pair) - ssim(*pair)).abs().max().item()
    return f"{side} x {side}", common, metrics, ours, common / ours, apart
