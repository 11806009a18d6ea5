"""Learning-rate schedules that are functions of the step."""

from collections.abc import Callable, Sequence
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


class StepSchedule(LambdaLR):
    """Learning rate of each parameter group as a multiple of its full one, by the step alone.

    torch's own keeps its length and the full rates in the checkpoint: a finished run that is resumed with more steps
    would train at the rate of its old end, nothing. Here a checkpoint holds the step, and a resumed run has the
    schedule that it is made with.

    Args:
        optimizer: Its rates at this moment are the full ones.
        factors: Multiple of the full rate as a function of the step, for each group.
    """

    def __init__(self, optimizer: Optimizer, factors: Sequence[Callable[[int], float]]) -> None:
        super().__init__(optimizer, list(factors))

    def state_dict(self) -> dict[str, Any]:
        """The step, for the checkpoint."""
        return {"last_epoch": self.last_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the step of a checkpoint, at the rates of this schedule for it."""
        self.last_epoch = int(state_dict["last_epoch"])
        self._step_count = self.last_epoch + 1
        rates = [base * factor(self.last_epoch) for base, factor in zip(self.base_lrs, self.lr_lambdas, strict=True)]
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = rates
