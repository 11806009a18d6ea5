"""Drawn portraits for Lightning: a data module that needs no data."""

from pathlib import Path

from portraitdata.exemplars.datamodule import ExemplarDataModule
from portraitdata.exemplars.synthetic_portraits import write_synthetic_index


class SyntheticExemplarDataModule(ExemplarDataModule):
    """Exemplar sets of drawn people, for smoke runs: the path from files to batches is that of real photographs.

    Args:
        folder: Folder that the portraits are drawn into, once.
        people: People, the last quarter for testing.
        portraits: Portraits of each.
        scale: Magnification from the input to the target.
        size: Side of targets and references, in pixels.
        references: References in a set; 0 trains without.
        batch_size: Sets in a batch of one process.
        seed: Seed of everything random.
        num_workers: Processes that read portraits for each loader; 0 reads in the training process.
    """

    def __init__(
        self,
        folder: Path = Path("outputs/synthetic"),
        people: int = 12,
        portraits: int = 5,
        scale: int = 8,
        size: int = 128,
        references: int = 3,
        batch_size: int = 4,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        index = folder / "not-drawn-yet.parquet"
        super().__init__(index, scale, size, references, batch_size, seed=seed, num_workers=num_workers, cache=True)
        self.folder, self.people, self.portraits = folder, people, portraits

    def prepare_data(self) -> None:
        """Draw what is not there yet; on one process a machine."""
        write_synthetic_index(self.folder, self.people, self.portraits, self.size)

    def setup(self, stage: str) -> None:
        """Read the index."""
        self.index = write_synthetic_index(self.folder, self.people, self.portraits, self.size)
        super().setup(stage)
