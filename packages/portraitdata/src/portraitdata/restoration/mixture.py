"""A weighted mixture of data sets whose order follows from the serial alone."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from portraitdata.restoration.batches import RestorationItem
from portraitdata.restoration.training_pairs import RestorationPairs

STAGE_ONE = {"PortraitSR-4K": 0.15, "ffhq": 0.05, "lsdir": 1.7, "div2k": 0.3}
"""Ratio of the data in the first 40,000 steps of HeadsUp (Appendix B): mostly general photographs."""

STAGE_TWO = {"PortraitSR-4K": 1.5, "ffhq": 0.5, "lsdir": 1.7, "div2k": 0.3}
"""Ratio of the data in the remaining 110,000 steps (Appendix B): half of them faces."""

BLOCK = 1024
"""Serials in which every data set has its share, to within two."""

BLOCK_STREAM, PASS_STREAM = 3, 4
"""Last number of the seeds of blocks and of passes."""


def shares(weights: Sequence[float]) -> tuple[float, ...]:
    """Weights that sum to one.

    Raises:
        ValueError: If there is none, or one is not positive and finite, or so small that a block would not show it.

    Example:
        >>> [round(share, 3) for share in shares(list(STAGE_ONE.values()))]
        [0.068, 0.023, 0.773, 0.136]
        >>> shares(list(STAGE_TWO.values()))
        (0.375, 0.125, 0.425, 0.075)
    """
    if not weights or not all(np.isfinite(weight) and weight > 0 for weight in weights):
        raise ValueError(f"Weights of a mixture are positive numbers, one for each data set, got {list(weights)}.")
    whole = sum(weights)
    if min(weights) / whole < 1 / BLOCK:
        raise ValueError(
            f"A data set with less than one in {BLOCK} of a mixture would be left out of most of it, got the weights "
            f"{list(weights)}; leave it out altogether."
        )
    return tuple(weight / whole for weight in weights)


class MixtureOrder:
    """Assignment of serials to data sets and their items.

    Every block of serials has from every data set its share, in an order that seed and block give. The items of a data
    set follow one permutation after another: none comes twice before all have come once. Nothing is counted, so any
    serial is found at once.

    Args:
        weights: How much of each; only their ratio matters.

    Raises:
        ValueError: If a data set is empty, weights and data sets are of different number, or see `shares`.
    """

    def __init__(self, lengths: Sequence[int], weights: Sequence[float], seed: int = 0) -> None:
        if len(lengths) != len(weights):
            raise ValueError(f"{len(lengths)} data sets and {len(weights)} weights were given; one for each is wanted.")
        if min(lengths, default=0) < 1:
            raise ValueError(f"Data sets of a mixture are not empty, their lengths are {list(lengths)}.")
        if seed < 0:
            raise ValueError(f"A seed is not negative, got {seed}.")
        self.lengths, self.seed = tuple(lengths), seed
        self.shares = shares(weights)
        self._bounds = np.cumsum((0.0, *self.shares))
        self._bounds[-1] = 1.0

    def at(self, serial: int) -> tuple[int, int]:
        """Data set of a serial and number of the item in it."""
        block, place = divmod(serial, BLOCK)
        before = self._before(block)
        order = _block_order(self.seed, block, tuple((self._before(block + 1) - before).tolist()))
        dataset = int(order[place])
        rank = int(before[dataset] + np.count_nonzero(order[:place] == dataset))
        turn, position = divmod(rank, self.lengths[dataset])
        return dataset, int(_pass_order(self.seed, dataset, turn, self.lengths[dataset])[position])

    def _before(self, block: int) -> NDArray[np.int64]:
        """Items that each data set has had before a block."""
        ends = np.floor(self._bounds * (block * BLOCK) + 1e-6).astype(np.int64)
        return ends[1:] - ends[:-1]


@lru_cache(maxsize=8)
def _block_order(seed: int, block: int, counts: tuple[int, ...]) -> NDArray[np.int64]:
    order = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng((seed, block, BLOCK_STREAM)).permutation(order)


@lru_cache(maxsize=16)
def _pass_order(seed: int, dataset: int, turn: int, length: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, dataset, turn, PASS_STREAM)).permutation(length)


class Mixture(Dataset[RestorationItem]):
    """Several data sets in one, each as often as its weight says.

    The key is ``(serial, number)``, as `SeededSequence` gives it; of it the serial alone decides which data set and
    which of its items come, so an order of numbers is not needed and is not looked at.

    Args:
        datasets: What is mixed.
        weights: How much of each, in any unit: `STAGE_ONE` and `STAGE_TWO` are the paper's.
        samples: Items that are called an epoch; None for as many as the data sets have together.
        seed: Seed of the order.

    Raises:
        ValueError: See `MixtureOrder`, or if an epoch is empty.
    """

    def __init__(
        self, datasets: Sequence[RestorationPairs], weights: Sequence[float], samples: int | None = None, seed: int = 0
    ) -> None:
        if samples is not None and samples < 1:
            raise ValueError(f"An epoch has at least one item, got samples {samples}.")
        self.datasets = tuple(datasets)
        self.order = MixtureOrder([len(dataset) for dataset in self.datasets], weights, seed)
        self.samples = sum(self.order.lengths) if samples is None else samples

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, key: tuple[int, int] | int) -> RestorationItem:
        serial = key[0] if isinstance(key, tuple) else key
        dataset, number = self.order.at(serial)
        return self.datasets[dataset][serial, number]

    @property
    def corrupt_photographs(self) -> list[str]:
        """Paths of the photographs that could not be decoded so far, by any worker, of all data sets."""
        return [path for dataset in self.datasets for path in dataset.corrupt_photographs]
