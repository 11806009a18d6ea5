"""Verification: how well a similarity tells pairs of one person from pairs of two (the protocol of LFW)."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor


class Verification(NamedTuple):
    """Result of `verify`."""

    accuracy: float
    """Share of pairs judged rightly, mean of the folds, in [0, 1]."""
    deviation: float
    """Standard deviation of that among the folds."""
    threshold: float
    """Similarity from which pairs of different people are taken for one person at the wanted rate."""
    true_accept_rate: float
    """Share of pairs of one person that reach the threshold, in [0, 1]."""


def verify(
    similarity: Float[Tensor, " pairs"], same: Bool[Tensor, " pairs"], false_accept_rate: float = 1e-3, folds: int = 10
) -> Verification:
    """Accuracy by cross-validation, and the threshold of a false accept rate.

    Each fold is judged by the threshold that is best for the others (Huang et al., 2007). Folds take the pairs in
    turns, so that each holds as many of one person as of two.

    Args:
        similarity: Of each pair; higher is more alike.
        same: Whether it shows one person.
        false_accept_rate: Share of pairs of two people that may be taken for one.

    Raises:
        ValueError: If there are fewer pairs of a kind than folds.

    Example:
        >>> verify(torch.tensor([0.9, 0.8, 0.7, 0.2, 0.1, 0.0]), torch.arange(6) < 3, folds=3).accuracy
        1.0
    """
    if same.sum() < folds or (~same).sum() < folds:
        raise ValueError(
            f"{folds} folds need at least as many pairs of one person and of two, got {int(same.sum())} and "
            f"{int((~same).sum())}."
        )
    fold = torch.zeros(len(same), dtype=torch.int64)
    for kind in (same, ~same):
        fold[kind] = torch.arange(int(kind.sum())) % folds
    accuracies = torch.tensor(
        [
            accuracy(similarity[fold == k], same[fold == k], best_threshold(similarity[fold != k], same[fold != k]))
            for k in range(folds)
        ]
    )
    threshold = threshold_at(similarity[~same], false_accept_rate)
    accepted = (similarity[same] >= threshold).double().mean().item()
    return Verification(accuracies.mean().item(), accuracies.std().item(), threshold, accepted)


def accuracy(similarity: Float[Tensor, " pairs"], same: Bool[Tensor, " pairs"], threshold: float) -> float:
    """Share of pairs that a threshold judges rightly.

    Example:
        >>> accuracy(torch.tensor([0.9, 0.3, 0.5, 0.1]), torch.tensor([True, True, False, False]), 0.4)
        0.5
    """
    return ((similarity >= threshold) == same).double().mean().item()


def best_threshold(similarity: Float[Tensor, " pairs"], same: Bool[Tensor, " pairs"]) -> float:
    """Threshold of the highest accuracy, in the middle of the gap that holds it; the lowest of equals.

    Example:
        >>> best_threshold(torch.tensor([0.0, 0.5, 1.0]), torch.tensor([False, False, True]))
        0.75
    """
    values, order = similarity.double().sort()
    ordered = same[order].double()
    # pairs that are right if the threshold is below the k-th value: different ones before it, same ones from it on
    right = (
        torch.cat((torch.zeros(1), (1 - ordered).cumsum(0)))
        + ordered.sum()
        - torch.cat((torch.zeros(1), ordered.cumsum(0)))
    )
    edges = torch.cat((values[:1] - 1, values, values[-1:] + 1))
    middles = (edges[:-1] + edges[1:]) / 2
    # equal values cannot be told apart by any threshold between them
    right[edges[:-1] == edges[1:]] = -1
    return middles[right.argmax()].item()


def threshold_at(different: Float[Tensor, " pairs"], false_accept_rate: float) -> float:
    """Lowest threshold that at most this share of pairs of different people reaches.

    Example:
        >>> threshold_at(torch.tensor([0.0, 0.25, 0.5, 0.75]), 0.25) > 0.5
        True
    """
    allowed = int(len(different) * false_accept_rate)
    highest = different.topk(allowed + 1).values[-1]
    return torch.nextafter(highest, torch.full_like(highest, float("inf"))).item()
