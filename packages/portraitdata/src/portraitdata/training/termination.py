"""What a terminated training leaves to go on from."""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException

from portraitdata.training.resuming import run_folder
from portraitdata.training.whole_checkpoints import newest_whole


class TerminationNote(Callback):
    """Notes on the exception of SIGTERM which checkpoint a resumed training would go on from."""

    def __init__(self) -> None:
        self.run: Path | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Remember the folder of the run, before that of this start is chosen."""
        if stage == "fit":
            self.run = run_folder(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Add the note."""
        if self.run is None or not isinstance(exception, SIGTERMException):
            return
        found, _ = newest_whole(self.run)
        if found is None:
            exception.add_note(f"There is no checkpoint in {self.run} yet; the training would begin anew.")
        else:
            exception.add_note(f"--ckpt_path last goes on from {found}.")
