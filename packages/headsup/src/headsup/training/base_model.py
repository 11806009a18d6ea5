"""What the trainings of the base model's parts share: when a part is written."""

from abc import abstractmethod

from lightning.pytorch import LightningModule


class BaseModelTrainer(LightningModule):
    """Training of a part of the base model, which it writes in diffusers' layout.

    The part is written at the end of a fit; `on_validation_epoch_end` of a subclass writes it if `is_fitting`, too.
    """

    @property
    def is_fitting(self) -> bool:
        """False where weights are only scored, or a few batches tried before the training."""
        return self.trainer.state.fn == "fit" and not self.trainer.sanity_checking

    @abstractmethod
    def write_part(self) -> None:
        """Write the part as it is."""

    def write(self) -> None:
        """Write the part, by the first process alone."""
        if self.trainer.is_global_zero:
            self.write_part()

    def on_train_end(self) -> None:
        """Write the part as it is after the last step."""
        self.write()
