"""What recipes that step several networks by hand ask of a trainer."""

from types import SimpleNamespace
from typing import Any

import pytest
from lightning.pytorch import LightningModule

from portraitdata.training.stepping import planned_steps, refuse_scaled_losses


class Told(LightningModule):
    """A module whose trainer is told."""

    def __init__(self, **trainer: object) -> None:
        super().__init__()
        self.told = SimpleNamespace(**trainer)

    @property
    def trainer(self) -> Any:  # type: ignore[override]
        return self.told


def test_losses_that_are_scaled_are_refused() -> None:
    refuse_scaled_losses(Told(precision_plugin=SimpleNamespace()))
    refuse_scaled_losses(Told(precision_plugin=SimpleNamespace(scaler=None)))
    with pytest.raises(ValueError, match="16-mixed scales their losses; take bf16-mixed, or 32-true"):
        refuse_scaled_losses(Told(precision_plugin=SimpleNamespace(scaler=object())))


@pytest.mark.parametrize(
    ("batches", "max_steps", "max_epochs", "accumulate", "steps"),
    [
        (30, -1, 3, 4, 9),  # an epoch of ten: after four, eight and ten batches
        (30, -1, 3, 1, 30),
        (500, 500, -1, 4, 500),
        (500, 500, None, 4, 500),
    ],
)
def test_the_steps_of_a_run_that_accumulates_by_hand(
    batches: int, max_steps: int, max_epochs: int | None, accumulate: int, steps: int
) -> None:
    run = Told(estimated_stepping_batches=batches, max_steps=max_steps, max_epochs=max_epochs)
    assert planned_steps(run, accumulate) == steps
