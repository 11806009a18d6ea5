"""Drawn portraits for Lightning: restoration data that need no photographs."""

from pathlib import Path

from portraitdata.degradation.presets import PresetName
from portraitdata.restoration.datamodule import RestorationDataModule, Source
from portraitdata.restoration.index.synthetic_index import write_synthetic_portrait_index


class SyntheticRestorationDataModule(RestorationDataModule):
    """Restoration data of drawn people, for smoke runs: the path from files to batches is that of real photographs.

    Args:
        folder: Folder that the portraits are drawn into, once.
        people: People, the last quarter for testing.
        portraits: Portraits of each.
        size: Side of the high-quality images, in pixels.
        scale: Sides of the high-quality image divided by sides of the low-quality one.
        preset: Degradation.
        batch_size: Images in a batch of one process.
        samples: Images that are called an epoch; null for as many as there are portraits.
        validation_images: Validate on this many test portraits; null for all.
        seed: Seed of everything random.
        num_workers: Processes that read portraits for each loader; 0 reads in the training process.
    """

    def __init__(
        self,
        folder: Path = Path("outputs/synthetic"),
        people: int = 8,
        portraits: int = 4,
        size: int = 64,
        scale: int = 4,
        preset: PresetName = "realesrgan",
        batch_size: int = 2,
        samples: int | None = None,
        validation_images: int | None = None,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(
            [Source(folder / "not-drawn-yet")],
            size=size,
            scale=scale,
            preset=preset,
            batch_size=batch_size,
            samples=samples,
            validation_images=validation_images,
            seed=seed,
            num_workers=num_workers,
        )
        self.folder, self.people, self.portraits = folder, people, portraits

    def prepare_data(self) -> None:
        """Draw what is not there yet; on one process a machine."""
        self.drawn_index()

    def setup(self, stage: str) -> None:
        """Read the index."""
        index = self.drawn_index()
        self.sources, self.validation = [Source(index)], index
        super().setup(stage)

    def drawn_index(self) -> Path:
        """Index of the portraits, which are drawn if they are not there."""
        return write_synthetic_portrait_index(self.folder, self.people, self.portraits, self.size)
