"""``hime profile``: the size of a network beside Table 1 of the paper.

Counted are parameters and, as Table 1 does, the multiply-accumulates (MACs) of all convolutions, the deformable one's
sum over its taps included. Sampling, bicubic resampling, activations and the similarity of CoFA are not. The usual
counters leave the deformable convolution out.
"""

import copy
import json
import math
from dataclasses import asdict, dataclass

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from hime.blocks.deformable import DeformableConv2d
from hime.network import HIME
from hime.variants import TABLE_1, TableRow, Variant, build_variant
from hime.weights.files import load_network

PARTS = ("lr_extractor", "hr_extractor", "alignment", "flow", "aggregation", "reconstructor")


@dataclass(frozen=True)
class Profile:
    """Size of a network and work of one forward pass of one image."""

    parameters: int
    macs: int
    """Multiply-accumulates in all."""
    macs_by_part: dict[str, int]
    """Multiply-accumulates of every part of Figure 2; those of the flow are not in ``alignment``."""


class CountedConvolution(nn.Module):
    """Stands for a convolution of stride one and "same" padding: counts its work instead of doing it."""

    def __init__(self, conv: nn.Conv2d | DeformableConv2d) -> None:
        super().__init__()
        self.out_channels = conv.weight.shape[0]
        self.macs_per_value = math.prod(conv.weight.shape[1:])
        self.macs = 0

    def forward(self, x: Tensor, offset: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Zeros of the shape of the result; a deformable convolution gets an offset and a mask."""
        out = x.new_zeros(x.shape[0], self.out_channels, *x.shape[-2:])
        self.macs += out.numel() * self.macs_per_value
        return out


def profile_network(network: HIME, lr_size: int, references: int = 3) -> Profile:
    """Count without convolving, so that large inputs take no time either.

    Args:
        lr_size: Side of the low-resolution input in pixels.
        references: References of the image; the paper's numbers fit three.

    Raises:
        ValueError: If there is not one pixel, or fewer than zero references.
    """
    if lr_size < 1 or references < 0:
        raise ValueError(f"An input has one pixel and zero references at least, got {lr_size} and {references}.")
    counting = copy.deepcopy(network).cpu()
    counted: list[tuple[str, CountedConvolution]] = []
    for name, module in list(counting.named_modules()):
        if isinstance(module, nn.Conv2d | DeformableConv2d):
            stand_in = CountedConvolution(module)
            counting.set_submodule(name, stand_in)
            counted.append((part_of(name), stand_in))
    side = lr_size * network.scale
    with torch.no_grad():
        counting(torch.zeros(1, 3, lr_size, lr_size), torch.zeros(1, 1, 3, 1, 1).expand(1, references, 3, side, side))
    macs = {part: sum(stand_in.macs for owner, stand_in in counted if owner == part) for part in PARTS}
    return Profile(sum(parameter.numel() for parameter in network.parameters()), sum(macs.values()), macs)


def part_of(name: str) -> str:
    """Part of Figure 2 that a module belongs to.

    Example:
        >>> part_of("alignment.flow.levels.0.0"), part_of("alignment.conv")
        ('flow', 'alignment')
    """
    return "flow" if name.startswith("alignment.flow.") else name.partition(".")[0]


@dataclass(frozen=True)
class ProfileReport:
    """A profile and what it is of; counts, not millions."""

    variant: str
    """Size, or the weights that were counted."""
    scale: int
    lr_size: int
    references: int
    parameters: int
    macs: int
    macs_by_part: dict[str, int]
    paper_parameters_in_millions: float | None
    """Table 1; None where it has no such row."""
    paper_gmacs: float | None


def report_profile(
    variant: Variant, scale: int, lr_size: int, references: int, weights: str | None = None
) -> ProfileReport:
    """Profile a variant, or the network of a weights file.

    Raises:
        ValueError: If the weights cannot be loaded.
        OSError: If their file cannot be read.
    """
    network = build_variant(variant, scale) if weights is None else load_network(weights)
    counted = profile_network(network, lr_size, references)
    paper: TableRow | None = None
    if weights is None and references == 3:
        paper = TABLE_1.get((variant, lr_size, scale))
    return ProfileReport(
        variant if weights is None else weights,
        network.scale,
        lr_size,
        references,
        counted.parameters,
        counted.macs,
        counted.macs_by_part,
        None if paper is None else paper.parameters,
        None if paper is None else paper.macs,
    )


def print_profile(report: ProfileReport, as_json: bool) -> None:
    """Print a report as JSON or as a table."""
    if as_json:
        print(json.dumps(asdict(report), indent=2))
        return
    table = Table(
        title=f"HIME {report.variant}, x{report.scale}, input {report.lr_size} px, {report.references} references"
    )
    table.add_column("")
    table.add_column("measured", justify="right")
    table.add_column("paper, Table 1", justify="right")
    paper = report.paper_parameters_in_millions, report.paper_gmacs
    shown = ["" if value is None else f"{value:.2f}" for value in paper]
    table.add_row("parameters, millions", f"{report.parameters / 1e6:.3f}", shown[0])
    table.add_row("MACs, thousand millions", f"{report.macs / 1e9:.3f}", shown[1])
    for part, macs in report.macs_by_part.items():
        table.add_row(f"  {part}", f"{macs / 1e9:.3f}", "")
    Console().print(table)
