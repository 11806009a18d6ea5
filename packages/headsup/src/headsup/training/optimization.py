"""The optimizer of the runs from scratch."""

import math
from collections.abc import Iterable

from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch.nn import Parameter
from torch.optim import AdamW

from portraitdata.training.step_schedule import StepSchedule


class OneCycle:
    """Multiple of the highest learning rate as a function of the step: half a cosine up, half a cosine down.

    The numbers are those of torch's OneCycleLR, which refuses a step after its last.

    Args:
        steps: Length of the run.
        warmup: Share of the run in which the rate rises.
        first: Multiple with which it begins.
        last: Multiple with which it ends, and stays.

    Example:
        >>> factor = OneCycle(steps=101, warmup=0.5)
        >>> [round(factor(step), 3) for step in (0, 25, 49, 50, 75, 100, 200)]
        [0.04, 0.528, 1.0, 1.0, 0.492, 0.0, 0.0]
    """

    def __init__(self, steps: int, warmup: float, first: float = 1 / 25, last: float = 1 / 25e4) -> None:
        self.top, self.end = warmup * steps - 1, steps - 1
        self.first, self.last = first, last

    def __call__(self, step: int) -> float:
        """Factor at `step`, in [0, 1]."""
        if step < self.top:
            return half_cosine(self.first, 1.0, step / self.top)
        if step >= self.end:
            return self.last
        return half_cosine(1.0, self.last, (step - self.top) / (self.end - self.top))


def half_cosine(begin: float, end: float, share: float) -> float:
    """Value between two, `share` of the way along half a period of a cosine."""
    return end + (begin - end) * 0.5 * (1 + math.cos(math.pi * share))


def one_cycle(
    module: LightningModule, parameters: Iterable[Parameter], rate: float, warmup: float
) -> OptimizerLRScheduler:
    """AdamW whose learning rate rises to `rate` over the share `warmup` of the run and falls to nothing by its end."""
    optimizer = AdamW(parameters, lr=rate, betas=(0.9, 0.99), weight_decay=1e-4)
    schedule = StepSchedule(optimizer, [OneCycle(int(module.trainer.estimated_stepping_batches), warmup)])
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
