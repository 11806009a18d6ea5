"""The checkpoint of a training's last step."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from portraitdata.training.timely_checkpoints import TimelyCheckpoints


class LastStep(Callback):
    """Has the checkpoint of the last step written, whatever number of steps lies between two checkpoints.

    Lightning writes one every so many steps and none at the end: the last ones, at the lowest learning rate, are lost
    where the steps are no multiple of that number. It must come after the callbacks that change what is kept, as
    moving averages do.
    """

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *batch: Any) -> None:  # noqa: ANN401
        """Write it after the last step, where their number is known."""
        if trainer.global_step == trainer.max_steps:
            self.write(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write it after the last epoch, or where something ends the training."""
        epochs = trainer.max_epochs
        if trainer.should_stop or (epochs not in (None, -1) and trainer.current_epoch + 1 >= epochs):
            self.write(trainer)

    def write(self, trainer: Trainer) -> None:
        """Write the checkpoint of this step."""
        for callback in trainer.checkpoint_callbacks:
            if not isinstance(callback, ModelCheckpoint) or callback._should_skip_saving_checkpoint(trainer):
                continue
            if callback.monitor is not None and isinstance(callback, TimelyCheckpoints):
                callback.write_last(trainer)  # which are the best ones, the validation after the step says
                continue
            scores = callback._monitor_candidates(trainer)
            if callback.monitor is None:
                callback._save_topk_checkpoint(trainer, scores)
            callback._save_last_checkpoint(trainer, scores)
