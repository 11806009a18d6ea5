"""Learning rate that rises for a while and then falls along a cosine."""

import math

from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch.optim import Optimizer

from portraitdata.training.step_schedule import StepSchedule


def warm_cosine(optimizer: Optimizer, warmup: int, steps: int, final: float) -> OptimizerLRScheduler:
    """An optimizer and its schedule by the step, as Lightning wants them.

    Args:
        warmup: Steps over which the rate rises from zero.
        steps: Of the whole training.
        final: Share of the rate that is left at the end.
    """

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        progress = min(1.0, (step - warmup) / max(1, steps - warmup))
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))

    schedule = StepSchedule(optimizer, [factor] * len(optimizer.param_groups))
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
