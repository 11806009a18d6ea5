"""Checkpoints at the steps and times that were asked for, ranked by their own scores."""

import time

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.types import STEP_OUTPUT


class TimelyCheckpoints(ModelCheckpoint):
    """`ModelCheckpoint` that ranks weights by their own scores, and keeps its hours however networks are stepped.

    Lightning's ranks a checkpoint of a step by the validation before that step, and where a module steps its optimizers
    by hand it writes none by time. Here the last checkpoint is written when it is due, and the best ones at the next
    validation. Scores of validations are those whose names begin with ``val/``.
    """

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: STEP_OUTPUT, batch: object, batch_idx: int
    ) -> None:
        """Write what is due after a step."""
        if not self._is_due(trainer) or self._should_skip_saving_checkpoint(trainer):
            return
        self._last_time_checked = time.monotonic()
        if self.monitor is not None and self.monitor.startswith("val/"):
            self.write_last(trainer)
            self._defer_save_until_validation = True
            return
        scores = self._monitor_candidates(trainer)
        self._save_topk_checkpoint(trainer, scores)
        self._save_last_checkpoint(trainer, scores)

    def write_last(self, trainer: Trainer) -> None:
        """Write the last checkpoint, and let the same step still be one of the best."""
        before = self._last_global_step_saved
        self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))
        self._last_global_step_saved = before

    def _is_due(self, trainer: Trainer) -> bool:
        if self._every_n_train_steps >= 1 and trainer.global_step % self._every_n_train_steps == 0:
            return True
        if self._train_time_interval is None or self._last_time_checked is None:
            return False
        late = time.monotonic() - self._last_time_checked >= self._train_time_interval.total_seconds()
        return bool(trainer.strategy.broadcast(late))  # clocks differ
