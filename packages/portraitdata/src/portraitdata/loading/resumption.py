"""Where a Lightning run is within its data, so that a resumed one goes on exactly there."""

import warnings
from typing import TypeVar

from lightning.pytorch import Trainer
from torch.utils.data import DataLoader

from portraitdata.loading.sampler import SeededSequence

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
