"""Progress of a training in a file that it is redirected to."""

import sys
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.utilities.types import STEP_OUTPUT


class ProgressLines(ProgressBar):
    """Writes a line at the first step, and then at most one a minute; a bar would be a single long one.

    Args:
        seconds: Time between two lines.
    """

    def __init__(self, seconds: float = 60.0) -> None:
        super().__init__()
        self.seconds = seconds
        self.told = -float("inf")
        self.enabled = True

    def disable(self) -> None:
        """Be silent: Lightning tells all processes but the first one so."""
        self.enabled = False

    def enable(self) -> None:
        """Write again."""
        self.enabled = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: STEP_OUTPUT, batch: object, batch_idx: int
    ) -> None:
        """Write the line if it is time."""
        now = time.monotonic()
        last = trainer.global_step == trainer.max_steps
        if not self.enabled or (now - self.told < self.seconds and not last):
            return
        self.told = now
        print(line(trainer.global_step, trainer.max_steps, self.get_metrics(trainer, pl_module)), flush=True)

    def print(self, *words: Any, **options: Any) -> None:  # noqa: ANN401 - as Lightning's
        """Write what others tell beside the progress."""
        if self.enabled:
            print(*words, file=sys.stdout, **options)


def line(step: int, steps: int, metrics: dict[str, Any]) -> str:
    """Step, length and figures of a training.

    Args:
        step: Steps that are done.
        steps: Steps in all; -1 if epochs are counted.

    Example:
        >>> line(20, 400, {"train/loss": 0.25, "v_num": 3})
        'step 20 of 400, train/loss 0.25'
        >>> line(20, -1, {})
        'step 20'
    """
    figures = [f"{name} {value:.4g}" for name, value in metrics.items() if isinstance(value, float)]
    return ", ".join([f"step {step} of {steps}" if steps >= 0 else f"step {step}", *figures])
