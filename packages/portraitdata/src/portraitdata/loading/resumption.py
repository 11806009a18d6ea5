"""Loaders for Lightning that know where a run is within its data, so that a resumed one goes on exactly there."""

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader, Dataset, Sampler

from portraitdata.loading.sampler import SeededSequence, Share

Item = TypeVar("Item")


class SeededLoader(DataLoader[Item]):
    """Loader whose place in the epoch follows from the trainer's progress, so that a resumed run goes on where it was.

    The checkpoint holds only what the order depends on, to tell when a run is resumed with another.
    """

    def state_dict(self) -> dict[str, int]:
        """State that the epoch's order depends on; nothing where another sampler was put in."""
        sampler = self.sampler
        if not isinstance(sampler, SeededSequence):
            return {}
        return {
            "photographs": sampler.length,
            "batch_size": sampler.batch_size,
            "processes": sampler.num_replicas,
            "seed": sampler.seed,
        }

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Warn if the rest of a resumed epoch will not be what it would have been."""
        now = self.state_dict()
        changed = [
            f"{name} {before} -> {now.get(name)}" for name, before in state_dict.items() if now.get(name) != before
        ]
        if changed:
            warnings.warn(
                f"The resumed epoch was begun differently ({', '.join(changed)}): some of its photographs will be seen "
                "twice or not at all.",
                UserWarning,
                stacklevel=2,
            )


def process_of(trainer: Trainer | None) -> tuple[int, int]:
    """Number of this process and number of processes."""
    return (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)


def progress_of(trainer: Trainer | None) -> tuple[int, int]:
    """Epoch that training goes on in, and batches of it that are done."""
    if trainer is None:
        return 0, 0
    loop = trainer.fit_loop
    epochs = loop.epoch_progress.current.state_dict()
    batches = loop.epoch_loop.batch_progress.state_dict()
    if epochs["started"] == epochs["processed"]:  # between two epochs
        return epochs["processed"], 0
    if batches["is_last_batch"]:  # the checkpoint is of the last step of an epoch, before its end was counted
        return epochs["processed"] + 1, 0
    # A step that was interrupted is not processed: Lightning repeats it.
    return epochs["processed"], batches["current"]["processed"]


def training_loader(
    data: Dataset[Item],
    batch_size: int,
    seed: int,
    trainer: Trainer | None,
    num_workers: int,
    collate: Callable[[list], Any] | None = None,
) -> SeededLoader[Item]:
    """Loader of a process's share of the epoch that a trainer is in, shuffled; in a resumed one, of what is left of it.

    Args:
        data: Data set whose keys are those of `SeededSequence`.
        batch_size: Items in a batch of one process.
        trainer: Who knows the epoch, and which process this is; None for the first of a single one.
        num_workers: Processes that read; 0 reads in this one.

    Raises:
        ValueError: If there are not enough items for one batch on every process.
    """
    rank, world_size = process_of(trainer)
    epoch, start = progress_of(trainer)
    length = len(data)  # type: ignore[arg-type]
    sampler = SeededSequence(length, batch_size, seed, rank, world_size, epoch=epoch, start=start)
    return _loader(SeededLoader, data, batch_size, sampler, num_workers, collate)


def evaluation_loader(
    data: Dataset[Item],
    batch_size: int,
    trainer: Trainer | None,
    num_workers: int,
    collate: Callable[[list], Any] | None = None,
) -> DataLoader[Item]:
    """Loader of a process's share of a data set, in its order; arguments as of `training_loader`."""
    share = Share(data, *process_of(trainer))  # type: ignore[arg-type]
    return _loader(DataLoader, data, batch_size, share, num_workers, collate)


def _loader(
    kind: type[DataLoader],
    data: Dataset,
    batch_size: int,
    sampler: Sampler,
    num_workers: int,
    collate: Callable[[list], Any] | None,
) -> Any:  # noqa: ANN401 (an instance of `kind`)
    return kind(
        data,
        batch_size=batch_size,
        sampler=sampler,
        collate_fn=collate,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # else every epoch would draw from the random numbers of the training
    )
