"""Drawn scenes for Lightning."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from portraitdata.face_finding.labelled_folders import LabelledFolder, divided
from portraitdata.face_finding.picture_bank import bank
from portraitdata.face_finding.scene_batch import Scene, batch_scenes
from portraitdata.face_finding.scenes import SceneDrawer


class DrawnScenes(Dataset[Scene]):
    """As many scenes as wanted, each by its own seed.

    Args:
        drawer: Draws them.
        count: Number of scenes.
        seed: Scenes of other seeds are others.
    """

    def __init__(self, drawer: SceneDrawer, count: int, seed: int) -> None:
        self.drawer, self.count, self.seed = drawer, count, seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Scene:
        return self.drawer.draw(np.random.default_rng((self.seed, index)))


class FaceSceneDataModule(LightningDataModule):
    """Scenes of labelled photographs.

    Args:
        sources: Folders of photographs and their tables.
        held_out: File that lists photographs to validate on, as the tables call them, one a line; null for none.
        side: Side of a scene in pixels; a multiple of 64.
        batch_size: Scenes in a batch.
        scenes: Scenes of an epoch.
        validation_scenes: Scenes to validate on.
        seed: Seed of the scenes.
        num_workers: Processes that draw; 0 draws in the training process.

    Raises:
        ValueError: If the side is no multiple of 64.
    """

    def __init__(
        self,
        sources: Sequence[LabelledFolder],
        held_out: Path | None = None,
        side: int = 320,
        batch_size: int = 8,
        scenes: int = 80_000,
        validation_scenes: int = 256,
        seed: int = 0,
        num_workers: int = 1,
    ) -> None:
        super().__init__()
        if side < 64 or side % 64:
            raise ValueError(f"The side of a scene is a multiple of 64 pixels, got {side}.")
        self.sources, self.held_out, self.side, self.batch_size = sources, held_out, side, batch_size
        self.scenes, self.validation_scenes, self.seed, self.num_workers = scenes, validation_scenes, seed, num_workers

    def setup(self, stage: str) -> None:
        """Read the photographs."""
        seen, unseen = divided(self.sources, self.held_out)
        self.validation = DrawnScenes(SceneDrawer(bank(unseen), self.side), self.validation_scenes, self.seed + 1)
        if stage == "fit":
            self.training = DrawnScenes(SceneDrawer(bank(seen), self.side), self.scenes, self.seed)

    def train_dataloader(self) -> DataLoader[Scene]:
        """Batches of scenes, in order: each is drawn at random anyway."""
        return DataLoader(
            self.training, self.batch_size, collate_fn=batch_scenes, num_workers=self.num_workers, drop_last=True
        )

    def val_dataloader(self) -> DataLoader[Scene] | list[object]:
        """Batches of scenes of what is held out, the same each time; none if nothing is."""
        if not self.validation.drawer.with_faces:
            return []
        return DataLoader(self.validation, self.batch_size, collate_fn=batch_scenes)
