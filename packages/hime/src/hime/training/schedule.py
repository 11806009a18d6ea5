"""Learning-rate schedule of the recipes."""

import math

from torch.optim import Optimizer

from portraitdata.training.step_schedule import StepSchedule


class WarmupCosine(StepSchedule):
    """Linear warm-up, then half a cosine down to zero; a group may be held at zero at first.

    A parameter group with the key ``freeze_steps`` does not move before that step, and warms up after it. It serves
    the optical flow of HIME (large), which disturbs the alignment if it moves before there are features to align.

    Raises:
        ValueError: If the warm-up leaves no step for the cosine.
    """

    def __init__(self, optimizer: Optimizer, steps: int, warmup: int = 0) -> None:
        if steps <= warmup:
            raise ValueError(f"A run of {steps} steps is too short for a warm-up of {warmup}; shorten the warm-up.")
        starts = [group.get("freeze_steps", 0) for group in optimizer.param_groups]
        super().__init__(optimizer, [LearningRateFactor(steps, warmup, start) for start in starts])


class LearningRateFactor:
    """Multiple of the full learning rate as a function of the step.

    Args:
        start: Step before which the factor is zero.

    Example:
        >>> factor = LearningRateFactor(steps=110, warmup=10, start=0)
        >>> [round(factor(step), 3) for step in (0, 9, 10, 60, 110)]
        [0.1, 1.0, 1.0, 0.5, 0.0]
    """

    def __init__(self, steps: int, warmup: int, start: int) -> None:
        self.steps, self.warmup, self.start = steps, warmup, start

    def __call__(self, step: int) -> float:
        """Factor at `step`, in [0, 1]."""
        if step < self.start:
            return 0.0
        since = step - self.start
        ramp = min(1.0, (since + 1) / self.warmup) if self.warmup else 1.0
        progress = min(1.0, max(0.0, (step - self.warmup) / (self.steps - self.warmup)))
        return ramp * 0.5 * (1 + math.cos(math.pi * progress))
