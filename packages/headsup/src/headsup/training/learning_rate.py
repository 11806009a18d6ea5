"""Learning rate by the number of steps, so that a resumed run goes on as if it had never stopped."""

import math
from dataclasses import dataclass

from torch.optim import Optimizer


@dataclass(frozen=True)
class LearningRate:
    """Factor of the optimizers' own rates: a rise, a plateau, half a period of a cosine down to a floor.

    The paper has one rate for the whole run: no rise and no fall.

    Args:
        rise: Steps over which it grows from nothing.
        fall: Step with which it begins to fall; null for never.
        end: Step with which it has fallen.
        floor: Factor from then on.

    Raises:
        ValueError: If the fall ends before it begins.

    Example:
        >>> rate = LearningRate(rise=10, fall=100, end=200, floor=0.0)
        >>> [round(rate.at(step), 3) for step in (0, 4, 9, 50, 150, 300)]
        [0.1, 0.5, 1.0, 1.0, 0.5, 0.0]
    """

    rise: int = 0
    fall: int | None = None
    end: int | None = None
    floor: float = 0.05

    def __post_init__(self) -> None:
        if self.fall is not None and (self.end is None or self.end <= self.fall):
            raise ValueError(f"A rate that falls from step {self.fall} on needs an `end` after that, got {self.end}.")

    def at(self, step: int) -> float:
        """Factor for a step, counted from 0."""
        risen = min(1.0, (step + 1) / self.rise) if self.rise else 1.0
        if self.fall is None or self.end is None or step < self.fall:
            return risen
        share = min(1.0, (step - self.fall) / (self.end - self.fall))
        return risen * (self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * share)))

    def set(self, optimizer: Optimizer, step: int) -> None:
        """Give the optimizer its rate for a step."""
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * self.at(step)
