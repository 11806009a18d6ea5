"""The checkpoint of a training's last step."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint


class LastStep(Callback):
    """Has the checkpoint of the last step written, whatever number of steps lies between two checkpoints.

    Lightning writes one every so many steps and none at the end: the last ones, at the lowest learning rate, are lost
    where the steps are no multiple of that number. It must come after the callbacks that change what is kept, as
    moving averages do.
    """

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *batch: Any) -> None:  # noqa: ANN401
        """Write it after the last step."""
        if trainer.global_step != trainer.max_steps:
            return
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint) and not callback._should_skip_saving_checkpoint(trainer):
                scores = callback._monitor_candidates(trainer)
                if callback.monitor is None:  # else it keeps the best ones
                    callback._save_topk_checkpoint(trainer, scores)
                callback._save_last_checkpoint(trainer, scores)
