"""Weights of HIME for another magnification than the one they were trained for, as a beginning.

All of HIME works at the resolution of the input but for two convolutions: the extractor's first takes the s x s pixels
of a reference for each pixel of the input, the reconstructor's last makes as many. Each has a cell of s x s weights for
that, which becomes larger or smaller here, so that a training need not begin with random ones. The paper trains every
magnification anew.
"""

from collections.abc import Mapping

import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

EXTRACTOR = "hr_extractor.conv.weight"
RECONSTRUCTOR = "reconstructor.subpixel.weight", "reconstructor.subpixel.bias"


def for_magnification(weights: Mapping[str, Tensor], before: int, after: int) -> dict[str, Tensor]:
    """Weights of a HIME for another magnification.

    Where one is a multiple of the other, the network gives means of the pixels that the old one gives, or each of them
    several times, until it is trained. Only the bicubic that both add to is another.

    Args:
        weights: State of a network, with or without references.
        before: Its magnification.
        after: The other one; the same one changes no weight.
    """
    found = dict(weights)
    if EXTRACTOR in found:  # takes a sum over the cell, which stays the same
        cells = resized_cells(found[EXTRACTOR].transpose(0, 1), before, after).transpose(0, 1)
        found[EXTRACTOR] = cells.contiguous() * (before / after) ** 2
    return found | {name: resized_cells(found[name], before, after) for name in RECONSTRUCTOR}


def resized_cells(weight: Float[Tensor, "kbb ..."], before: int, after: int) -> Float[Tensor, "kaa ..."]:
    """Cells of `before` x `before` weights, reduced by means or enlarged by repetition.

    Example:
        >>> import torch
        >>> resized_cells(torch.tensor([1.0, 2.0, 3.0, 6.0]), 2, 1), resized_cells(torch.tensor([5.0]), 1, 2)
        (tensor([3.]), tensor([5., 5., 5., 5.]))
    """
    cells = rearrange(weight, "(k i j) ... -> ... k i j", i=before, j=before)
    resized = F.interpolate(cells.reshape(-1, 1, before, before), size=(after, after), mode="area")
    return rearrange(resized.reshape(*cells.shape[:-2], after, after), "... k i j -> (k i j) ...").contiguous()
