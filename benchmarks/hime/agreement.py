"""Whether a measured difference has the sign of the paper's."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor


class Change(NamedTuple):
    """From one row to another, the mean over images that both were measured on."""

    mean: float
    doubt: float
    """Twice the standard error of the mean, clustered by group."""


def change(before: Float[Tensor, " b"], after: Float[Tensor, " b"], groups: Sequence[Hashable]) -> Change:
    """What becomes of a score, image by image.

    Args:
        before: A score of every image.
        after: The same by another way.
        groups: What images belong to; those of one, as of a person, go up and down together. Two groups at least.

    Example:
        >>> import torch
        >>> change(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([2.0, 3.0, 5.0]), ["ann", "ann", "ben"])
        Change(mean=1.0, doubt=0.0)
    """
    difference = (after - before).double()
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    members: Int[Tensor, " b"] = torch.tensor([numbers[group] for group in groups])
    count = len(numbers)
    sums = torch.zeros(count, dtype=torch.double).index_add(0, members, difference - difference.mean())
    error = (sums.square().sum() * count / (count - 1)).sqrt() / len(difference)
    return Change(difference.mean().item(), 2 * error.item())


def verdict(ours: Change, papers: float) -> str:
    """In three words at most.

    Example:
        >>> verdict(Change(0.3, 0.1), 0.2), verdict(Change(-0.3, 0.1), 0.2), verdict(Change(0.05, 0.1), 0.2)
        ('same sign', 'opposite sign', 'undecided')
    """
    if abs(ours.mean) <= ours.doubt or papers == 0:
        return "undecided"
    return "same sign" if ours.mean * papers > 0 else "opposite sign"


def told(metric: str, ours: Change, papers: float) -> str:
    """A change beside the paper's.

    Example:
        >>> told("PSNR", Change(0.25, 0.125), 0.21)
        'PSNR +0.250 ± 0.125 (paper +0.210, same sign)'
    """
    return f"{metric} {ours.mean:+.3f} ± {ours.doubt:.3f} (paper {papers:+.3f}, {verdict(ours, papers)})"
