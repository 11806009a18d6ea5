"""The order of an epoch, the same on any number of processes and after a resume."""

from collections.abc import Iterator, Sized

import numpy as np
from torch.utils.data import Dataset
from torch.utils.data.distributed import DistributedSampler


class Numbers(Dataset[int]):
    """The numbers below `length`: of a data set, a sampler needs no more."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length


class SeededSequence(DistributedSampler[tuple[int, int]]):
    """Keys ``(serial, number)`` of one process's share of an epoch, for `TrainingExemplarSets`.

    Epoch e is the permutation of all numbers that seed and e give; process r of w takes its positions r, r + w, ..., so
    that the w batches of a step together are one batch of a single process. The serial counts positions over all
    epochs. What does not fill a batch on every process is left out.

    A `DistributedSampler` by type, so that Lightning leaves it in place and tells it the epoch.

    Args:
        batch_size: Samples in a batch of one process.
        start: Batches of that epoch that have been seen before; they are skipped without being drawn. The length
            stays that of the whole epoch.

    Raises:
        ValueError: If there are not enough photographs for one batch on every process, or a number is out of range.

    Example:
        >>> first, second = (SeededSequence(4, batch_size=2, rank=rank, world_size=2) for rank in (0, 1))
        >>> [serial for serial, number in first], [serial for serial, number in second]
        ([0, 2], [1, 3])
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        epoch: int = 0,
        start: int = 0,
    ) -> None:
        if batch_size < 1 or length < batch_size * world_size:
            raise ValueError(
                f"{length} training photographs do not fill a batch of {batch_size} on each of {world_size} processes."
            )
        super().__init__(Numbers(length), num_replicas=world_size, rank=rank, seed=seed)
        self.length, self.batch_size = length, batch_size
        self.steps = length // (batch_size * world_size)
        self.epoch, self.start = epoch, start
        if not 0 <= start <= self.steps:
            raise ValueError(f"An epoch has {self.steps} batches, it cannot be resumed after {start}.")

    def __iter__(self) -> Iterator[tuple[int, int]]:
        # The state is read now, not at the first key: a loader with workers runs ahead of the epoch it belongs to.
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.length)
        first = self.epoch * self.length
        used = self.steps * self.batch_size * self.num_replicas
        positions = range(self.rank + self.start * self.batch_size * self.num_replicas, used, self.num_replicas)
        return ((first + position, int(order[position])) for position in positions)

    def __len__(self) -> int:
        return self.steps * self.batch_size

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch; to its beginning, unless it is the one that is already set."""
        if epoch != self.epoch:
            self.epoch, self.start = epoch, 0


class Share(DistributedSampler[int]):
    """One process's share of a fixed sequence: numbers r, r + w, ... and nothing twice.

    Args:
        rank: Number r of this process.
        world_size: Number w of processes.

    Example:
        >>> list(Share("abcde", rank=1, world_size=2))
        [1, 3]
    """

    def __init__(self, data: Sized, rank: int = 0, world_size: int = 1) -> None:
        self.numbers = range(rank, len(data), world_size)
        super().__init__(Numbers(len(data)), num_replicas=world_size, rank=rank, shuffle=False)

    def __iter__(self) -> Iterator[int]:
        return iter(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)
