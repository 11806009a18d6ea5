"""Doubling a map and convolving it, with the doubling folded into the convolution: fewer multiplications, same result.

Every pixel of a doubled map stands there four times, so that a 3 x 3 window covers 2 x 2 different pixels alone. Which
of its weights meet the same pixel depends on whether row and column of the result are even or odd. Each of these four
phases is a 2 x 2 convolution of the small map with the weights summed: 16 multiplications in place of 36, and the
doubled map is never there. Zeros outside count as they do around the doubled map, so that borders are the same, too.
"""

from itertools import product

import torch
import torch.nn.functional as F
from diffusers.models.upsampling import Upsample2D
from jaxtyping import Float
from torch import Tensor, nn


class FoldedUpsampling(Upsample2D):
    """The doubling of diffusers' networks, folded into the convolution behind it where that is faster.

    Args:
        plain: What it stands for, with a 3 x 3 convolution, see `is_foldable`; its weights are used, not copied.
    """

    LEAST_PIXELS = 4096
    """Pixels of a map, all of a batch, from which on it folds; summing the weights takes longer than it saves below."""

    def __init__(self, plain: Upsample2D) -> None:
        with torch.device("meta"):  # no weights of its own, and none drawn
            super().__init__(plain.channels, use_conv=True, out_channels=plain.out_channels)
        self.conv = plain.conv
        self.train(plain.training)

    def forward(
        self, hidden_states: Float[Tensor, "b c h w"], output_size: tuple[int, int] | None = None
    ) -> Float[Tensor, "b k h2 w2"]:
        """Map of twice the size, convolved."""
        batch, _, height, width = hidden_states.shape
        doubled = output_size is None or tuple(output_size) == (2 * height, 2 * width)
        # an adapter, added later, is a module around the convolution, whose weight alone is not what it computes
        if not doubled or batch * height * width < self.LEAST_PIXELS or not isinstance(self.conv, nn.Conv2d):
            result: Tensor = super().forward(hidden_states, output_size)
            return result
        return convolve_doubled(hidden_states, self.conv.weight, self.conv.bias)


def fold_upsampling(network: nn.Module) -> None:
    """Fold every doubling of a network that can be; names of its weights stay as they are."""
    for name, module in list(network.named_modules()):
        if is_foldable(module):
            parent, _, leaf = name.rpartition(".")
            setattr(network.get_submodule(parent), leaf, FoldedUpsampling(module))


def is_foldable(module: nn.Module) -> bool:
    """Tell whether a module doubles a map and then does nothing but a 3 x 3 convolution that keeps its size."""
    if type(module) is not Upsample2D or module.norm is not None or not module.interpolate or module.name != "conv":
        return False
    conv = module.conv
    return (
        type(conv) is nn.Conv2d
        and (conv.kernel_size, conv.padding, conv.stride) == ((3, 3), (1, 1), (1, 1))
        and (conv.dilation, conv.groups, conv.padding_mode) == ((1, 1), 1, "zeros")
    )


def convolve_doubled(
    x: Float[Tensor, "b c h w"], weight: Float[Tensor, "k c 3 3"], bias: Float[Tensor, " k"] | None
) -> Float[Tensor, "b k h2 w2"]:
    """Convolve the doubled map, with zeros around it."""
    batch, _, height, width = x.shape
    result: Tensor | None = None
    for row, column in product((0, 1), repeat=2):
        # a phase at a time: one convolution to all four would hold a second map of the size of the result
        phase = F.conv2d(x, folded(weight, row, column), bias, padding=1)
        if result is None:
            last = phase.is_contiguous(memory_format=torch.channels_last)
            layout = torch.channels_last if last else torch.contiguous_format
            size = batch, len(weight), 2 * height, 2 * width
            result = torch.empty(size, dtype=phase.dtype, device=phase.device, memory_format=layout)
        result[..., row::2, column::2] = phase[..., row : row + height, column : column + width]
    assert result is not None, "there are four phases"
    return result


def folded(weight: Float[Tensor, "k c 3 3"], row: int, column: int) -> Float[Tensor, "k c 2 2"]:
    """Weights that meet the same pixel, summed; in float32 at least, rounded once.

    Args:
        weight: Weights for a doubled map.
        row: 0 for even rows of the result, 1 for odd ones.
        column: 0 for even columns of the result, 1 for odd ones.

    Example:
        >>> folded(torch.arange(9.0).view(1, 1, 3, 3), 0, 1).flatten().tolist()
        [1.0, 2.0, 20.0, 13.0]
    """
    sums = weight.to(torch.promote_types(weight.dtype, torch.float32))
    for axis, odd in ((2, row), (3, column)):
        first, middle, last = sums.unbind(axis)
        sums = torch.stack((first + middle, last) if odd else (first, middle + last), dim=axis)
    layout = torch.channels_last if weight.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
    return sums.to(weight.dtype, memory_format=layout)
