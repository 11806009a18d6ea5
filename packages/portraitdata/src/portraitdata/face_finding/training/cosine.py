"""Learning rate that rises for a while and then falls along a cosine."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def warm_cosine(optimizer: Optimizer, warmup: int, steps: int, final: float) -> LambdaLR:
    """Schedule by the step.

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

    return LambdaLR(optimizer, factor)
