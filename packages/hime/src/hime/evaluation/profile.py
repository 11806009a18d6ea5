"""Size of a network: parameters, and multiply-accumulates (MACs) as HIME, Table 1 counts them.

Counted are all convolutions, the deformable one's sum over its taps included. Sampling, bicubic resampling, activations
and the similarity of CoFA are not. The usual counters leave the deformable convolution out.
"""

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hime.blocks.deformable import DeformableConv2d
from hime.network import HIME

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
