"""Deformable convolution on the CPU: torchvision's operator against ours."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.reporting.table import Suite, Table
from benchmarks.speed.machine_limits import machine_limits
from benchmarks.speed.timing import cpu_seconds
from hime.blocks.deformable import deform_conv2d, deform_conv2d_by_torchvision

IMAGES: dict[Suite, int] = {"quick": 16, "full": 48}
"""Feature maps at once."""

CHANNELS = 32
GROUPS = 8
SIDES = (16, 32)
REPEATS = 3


def measure(suite: Suite) -> list[Table]:
    """Forward and backward pass of the operator."""
    return [operator_table(IMAGES[suite])]


def operator_table(images: int) -> Table:
    """Forward and backward pass of the operator."""
    rows, limits = [], machine_limits()
    for side in SIDES:
        generator = torch.Generator().manual_seed(0)
        shapes = (CHANNELS, GROUPS * 18, GROUPS * 9)
        tensors = [torch.randn(images, channels, side, side, generator=generator) for channels in shapes]
        tensors[2].sigmoid_()
        tensors.append(torch.randn(CHANNELS, CHANNELS, 3, 3, generator=generator))
        for tensor in tensors:
            tensor.requires_grad_()

        def results(operator: Callable[..., Tensor], tensors: list[Tensor] = tensors) -> list[Tensor]:
            out = operator(*tensors)
            return [out, *torch.autograd.grad(out.sum(), tensors)]

        operators = deform_conv2d_by_torchvision, deform_conv2d
        theirs, ours = cpu_seconds([partial(results, operator) for operator in operators], REPEATS)
        apart = [(a - b).norm() / b.norm() for a, b in zip(*map(results, operators), strict=True)]
        milliseconds = 1e3 * theirs / images, 1e3 * ours / images
        forward = 9 * CHANNELS * (CHANNELS + 4) * side**2
        moved = 2 * sum(tensor.nbytes for tensor in tensors[:3]) / images
        limit = 1e3 * limits.seconds(3 * forward, moved)
        rows.append((f"{side} x {side}", *milliseconds, theirs / ours, torch.stack(apart).max().item(), limit))
    columns = "feature map", "torchvision ms", "hime ms", "times faster", "largest relative difference", "limit ms"
    title = f"Deformable convolution, forward and backward, one of {images} maps, {CHANNELS} channels, float32"
    note = (
        "Counted are nine taps of four neighbours each and their sum over the channels, once forward, twice backward; "
        f"features, offsets and weights are read and their gradients written. {limits.remark()}"
    )
    return Table("alignment_operator", title, columns, tuple(rows), columns[1:3], "CPU time, ms", note)
