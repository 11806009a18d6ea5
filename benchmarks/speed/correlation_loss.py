"""Correlation loss at 128 x 128 pixels: ``unfold`` against ours."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.reporting.table import Suite, Table
from benchmarks.speed.machine_limits import MachineLimits, machine_limits
from benchmarks.speed.timing import cpu_seconds, gradients, kept_bytes
from hime.losses.correlation import correlation_loss

IMAGES = 4
SIDE = 128
WINDOWS = (3, 5, 7, 9)
REPEATS = 7


def loss_by_unfold(sr: Tensor, hr: Tensor, window: int) -> Tensor:
    """The common way: copy the neighbourhood of every pixel, multiply, subtract."""
    maps = []
    for images in (sr, hr):
        centred = images - images.mean(dim=(2, 3), keepdim=True)
        columns = F.unfold(centred, window, padding=window // 2).unflatten(1, (images.shape[1], window**2))
        maps.append((centred.unsqueeze(2) * columns.unflatten(-1, images.shape[2:])).sum(1) / window**2)
    return (maps[1] - maps[0]).abs().sum(dim=1).mean()


def measure(suite: Suite) -> list[Table]:
    """Time of both passes, memory between them, and how far the results are apart, gradients relatively."""
    generator = torch.Generator().manual_seed(0)
    sr, hr = torch.rand(2, IMAGES, 3, SIDE, SIDE, generator=generator)
    sr.requires_grad_()
    limits = machine_limits()
    rows = tuple(compare(sr, hr, window, limits) for window in WINDOWS)
    columns = (
        *("k", "unfold ms", "hime ms", "times faster", "unfold MiB", "hime MiB", "times smaller"),
        *("losses apart", "gradients apart", "limit ms"),
    )
    title = f"Correlation loss, forward and backward, one image of {SIDE} x {SIDE} pixels (batch of {IMAGES})"
    note = (
        "Counted are k x k products of three channels, for both images and twice for the gradient; both images are "
        f"read and the gradient is written. {limits.remark()}"
    )
    return [Table("correlation_loss", title, columns, rows, ("unfold ms", "hime ms"), "CPU time, ms", note)]


def compare(sr: Tensor, hr: Tensor, window: int, limits: MachineLimits) -> tuple[int | float, ...]:
    """One row of the table."""
    losses = partial(loss_by_unfold, sr, hr, window), partial(correlation_loss, sr, hr, window)
    common, ours = cpu_seconds([partial(gradients, loss, [sr]) for loss in losses], REPEATS)
    common_bytes, our_bytes = (kept_bytes(loss) for loss in losses)
    (common_gradient,), (our_gradient,) = (gradients(loss, [sr]) for loss in losses)
    return (
        window,
        1e3 * common / IMAGES,
        1e3 * ours / IMAGES,
        common / ours,
        common_bytes / IMAGES / 2**20,
        our_bytes / IMAGES / 2**20,
        common_bytes / our_bytes,
        abs(losses[0]().item() - losses[1]().item()),
        ((common_gradient - our_gradient).abs().max() / common_gradient.abs().max()).item(),
        1e3 * limits.seconds(4 * window**2 * 3 * SIDE**2, 3 * 3 * SIDE**2 * sr.element_size()),
    )
