"""Drawn close-ups for Lightning."""

from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from portraitdata.face_finding.close_up_faces import CloseUp, DrawnCloseUps
from portraitdata.face_finding.labelled_folders import LabelledFolder, divided
from portraitdata.face_finding.picture_bank import bank


class CloseUpDataModule(LightningDataModule):
    """Close-ups of the faces of labelled photographs.

    Args:
        sources: Folders of photographs and their tables.
        held_out: File that lists photographs to validate on, as the tables call them, one a line; null for none.
        batch_size: Close-ups in a batch.
        close_ups: Close-ups of an epoch.
        validation_close_ups: Close-ups to validate on.
        seed: Seed of the close-ups.
        num_workers: Processes that draw; 0 draws in the training process.
    """

    def __init__(
        self,
        sources: Sequence[LabelledFolder],
        held_out: Path | None = None,
        batch_size: int = 64,
        close_ups: int = 1_000_000,
        validation_close_ups: int = 1024,
        seed: int = 0,
        num_workers: int = 1,
    ) -> None:
        super().__init__()
        self.sources, self.held_out, self.batch_size, self.close_ups = sources, held_out, batch_size, close_ups
        self.validation_close_ups, self.seed, self.num_workers = validation_close_ups, seed, num_workers

    def setup(self, stage: str) -> None:
        """Read the photographs.

        Raises:
            ValueError: If there is nothing to train on, or what is held out is in no table.
        """
        seen, unseen = divided(self.sources, self.held_out)
        self.validation = DrawnCloseUps(bank(unseen), self.validation_close_ups, self.seed + 1) if unseen else None
        if stage == "fit":
            self.training = DrawnCloseUps(bank(seen), self.close_ups, self.seed)

    def train_dataloader(self) -> DataLoader[CloseUp]:
        """Batches of close-ups, in order: each is drawn at random anyway."""
        return DataLoader(self.training, self.batch_size, num_workers=self.num_workers, drop_last=True)

    def val_dataloader(self) -> DataLoader[CloseUp] | list[object]:
        """Batches of close-ups of what is held out, the same each time; none if nothing is."""
        return [] if self.validation is None else DataLoader(self.validation, self.batch_size)
