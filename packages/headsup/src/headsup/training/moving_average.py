"""Moving average of what is trained."""

from collections.abc import Iterator
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import Tensor

from headsup.training.restorer import RestorerTrainer


class GeneratorAverage(Callback):
    """Exponential moving average of the generator's parameters, which validations, tests and `headsup export` use.

    Lightning's own callback averages whole modules, the frozen base model included. The paper has no average; HYPIR,
    on the same base model, has one of 0.999.

    Args:
        decay: Share of the average that stays at every step.
    """

    def __init__(self, decay: float = 0.999) -> None:
        self.decay = decay
        self.average: dict[str, Tensor] = {}
        self.trained: dict[str, Tensor] = {}
        self.seen = -1

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin with the parameters as they are, or go on with those of the checkpoint."""
        parameters = dict(generator_values(pl_module))
        if self.average.keys() != parameters.keys():
            self.average = {name: value.clone() for name, value in parameters.items()}
        self.average = {name: value.to(parameters[name].device) for name, value in self.average.items()}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count from here; a resumed run knows its steps only now."""
        self.seen = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: STEP_OUTPUT, batch: object, batch_idx: int
    ) -> None:
        """Take the parameters in after every step of the generator."""
        if trainer.global_step == self.seen:
            return
        self.seen = trainer.global_step
        values = dict(generator_values(pl_module))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.values()), [values[name] for name in self.average], 1 - self.decay)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the average in, and the trained values aside."""
        if self.average:
            self.trained = {name: value.clone() for name, value in generator_values(pl_module)}
            put(pl_module, self.average)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the trained values back."""
        if self.trained:
            put(pl_module, self.trained)
            self.trained = {}

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the average in, and the trained values aside."""
        self.on_validation_start(trainer, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the trained values back."""
        self.on_validation_end(trainer, pl_module)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the average in, and the trained values aside."""
        self.on_validation_start(trainer, pl_module)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the trained values back."""
        self.on_validation_end(trainer, pl_module)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Put the trained values back, that no checkpoint may take the average for them."""
        self.on_validation_end(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        """The average, for the checkpoint."""
        return {"average": {name: value.cpu() for name, value in self.average.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The average of a checkpoint."""
        self.average = dict(state_dict["average"])


def generator_values(module: LightningModule) -> Iterator[tuple[str, Tensor]]:
    """Names and values of the generator's parameters."""
    if not isinstance(module, RestorerTrainer):
        raise TypeError(
            f"GeneratorAverage averages a RestorerTrainer, not a {type(module).__name__}: take "
            "lightning.pytorch.callbacks.EMAWeightAveraging."
        )
    for name, parameter in module.loaded_restorer.generator_parameters().items():
        yield name, parameter.detach()


@torch.no_grad()
def put(module: LightningModule, values: dict[str, Tensor]) -> None:
    """Give the generator's parameters these values."""
    for name, parameter in generator_values(module):
        parameter.copy_(values[name])
