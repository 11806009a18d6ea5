"""What a fit has come to: how its scores changed, and where its files are."""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint


class FitSummary(Callback):
    """Keeps the scores of the first validation and the last."""

    def __init__(self) -> None:
        self.first: dict[str, float] = {}
        self.last: dict[str, float] = {}
        self.first_step = self.last_step = 0

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the scores."""
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        scores = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("val/")}
        if not self.first:
            self.first, self.first_step = scores, trainer.global_step
        self.last, self.last_step = scores, trainer.global_step

    def sentences(self, trainer: Trainer) -> list[str]:
        """Lines for whoever trained."""
        lines = [f"Trained to step {trainer.global_step}."]
        for name, value in self.last.items():
            before = self.first.get(name, value)
            if value != before:
                lines.append(f"  {name}: {before:.3f} at step {self.first_step}, {value:.3f} at step {self.last_step}")
        folders = [each.dirpath for each in trainer.checkpoint_callbacks if isinstance(each, ModelCheckpoint)]
        lines += [f"Checkpoints are in {shortest(folder)}." for folder in folders if folder is not None]
        lines += [
            f"Logs are in {shortest(logger.log_dir)}." for logger in trainer.loggers if logger.log_dir is not None
        ]
        return lines


def shortest(folder: str | Path) -> Path:
    """Name of a folder from where the command runs, if it is below."""
    path = Path(folder).absolute()
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
