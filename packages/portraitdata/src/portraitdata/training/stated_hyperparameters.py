"""Settings of optimizers that a resumed run takes from its command line, not from its checkpoint."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer


class StatedHyperparameters(Callback):
    """Lets the optimizers of a resumed run have the settings that they are made with.

    torch keeps learning rate, weight decay and whatever else a parameter group has beside its moments, and loading
    brings all of it back: what the command line of the resumed run says would be without effect.
    """

    def __init__(self) -> None:
        self.stated: list[list[dict[str, Any]]] = []

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember the settings; the optimizers are made, the checkpoint is not yet read."""
        self.stated = [[settings(group) for group in optimizer.param_groups] for optimizer in trainer.optimizers]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put them back; the rate of a scheduled group is its schedule's to set."""
        for optimizer, groups in zip(trainer.optimizers, self.stated, strict=True):
            for group, stated in zip(optimizer.param_groups, groups, strict=True):
                kept = {"params": group["params"]}
                if "initial_lr" in stated:
                    kept["lr"] = group["lr"]
                group.clear()
                group.update(stated | kept)


def settings(group: dict[str, Any]) -> dict[str, Any]:
    """What a parameter group has beside its parameters."""
    return {name: value for name, value in group.items() if name != "params"}
