"""Exemplar sets for Lightning."""

from pathlib import Path
from typing import NamedTuple

from jaxtyping import Bool, Float
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from portraitdata.exemplars.index import ExemplarIndex
from portraitdata.exemplars.self_exemplars import SelfExemplars
from portraitdata.exemplars.sets import EvaluationExemplarSets, ExemplarSet, TrainingExemplarSets
from portraitdata.images.resampling import bicubic, to_8_bit
from portraitdata.loading.resumption import SeededLoader, evaluation_loader, training_loader


class ExemplarBatch(NamedTuple):
    """Batch of a training or evaluation step; floats in [0, 1], sRGB."""

    lr: Float[Tensor, "b 3 h w"]
    """The input: `hr` reduced by MATLAB's bicubic and rounded to eight bits."""
    references: Float[Tensor, "b n 3 sh sw"]
    """Exemplars; zero where absent."""
    present: Bool[Tensor, "b n"]
    """True for exemplars that are there."""
    hr: Float[Tensor, "b 3 sh sw"]
    """The truth."""
    names: list[str]
    """Paths of the truths in the index."""


class ExemplarDataModule(LightningDataModule):
    """Exemplar sets of an index: "train" to train on, "test" to validate, test and predict on.

    Args:
        index: Index that `portraitdata exemplar-index` has made.
        scale: Magnification from the input to the target.
        size: Side of targets and references, in pixels.
        references: References in a set; 0 trains without.
        batch_size: Sets in a batch of one process.
        crop: Side of the centred square cut from a photograph, in its pixels; null for the largest one.
        jitter: Training crops are shifted by up to this many pixels of the photograph, each on its own.
        flip: Mirror half of the training sets.
        reference_counts: Probabilities of 0, 1, ... present references in training; null for always all.
        blank: Probability that a reference is a black image in training.
        self_exemplars: Curriculum of warped copies of the target among the references in training; null for none.
        validation_images: Validate on this many test photographs, evenly spread; null for all.
        seed: Seed of everything random.
        num_workers: Processes that read photographs for each loader; 0 reads in the training process.
        cache: Keep decoded crops in memory.
        root: Folder of the photographs, if it is not the one that the index names.

    Raises:
        ValueError: If the size is no multiple of the scale.
    """

    def __init__(
        self,
        index: Path | str,
        scale: int = 8,
        size: int = 128,
        references: int = 3,
        batch_size: int = 16,
        crop: int | None = None,
        jitter: int = 0,
        flip: bool = True,
        reference_counts: list[float] | None = None,
        blank: float = 0.0,
        self_exemplars: SelfExemplars | None = None,
        validation_images: int | None = None,
        seed: int = 0,
        num_workers: int = 0,
        cache: bool = False,
        root: Path | str | None = None,
    ) -> None:
        super().__init__()
        if scale < 1 or size % scale:
            raise ValueError(f"Images of {size} pixels cannot be reduced by {scale}: give a size that is a multiple.")
        self.index, self.root = Path(index), root
        self.scale, self.size, self.references, self.batch_size = scale, size, references, batch_size
        self.crop, self.jitter, self.flip = crop, jitter, flip
        self.reference_counts, self.blank, self.self_exemplars = reference_counts, blank, self_exemplars
        self.validation_images, self.seed, self.num_workers, self.cache = validation_images, seed, num_workers, cache
        self._opened: ExemplarIndex | None = None
        self._training: TrainingExemplarSets | None = None
        self._evaluation: dict[int | None, EvaluationExemplarSets] = {}

    def setup(self, stage: str) -> None:
        """Read the index."""
        self._read_index()

    def train_dataloader(self) -> SeededLoader[ExemplarSet]:
        """Shuffled sets; in a resumed epoch, those that are left of it."""
        if self._training is None:
            self._training = TrainingExemplarSets(
                self._read_index(),
                self.size,
                self.references,
                self.crop,
                self.jitter,
                self.flip,
                self.reference_counts,
                self.blank,
                self.self_exemplars,
                self.seed,
                self.cache,
            )
        return training_loader(self._training, self.batch_size, self.seed, self.trainer, self.num_workers)

    def val_dataloader(self) -> DataLoader[ExemplarSet]:
        """Test sets, `validation_images` of them."""
        return self._evaluation_loader(self.validation_images)

    def test_dataloader(self) -> DataLoader[ExemplarSet]:
        """All test sets."""
        return self._evaluation_loader(None)

    predict_dataloader = test_dataloader

    def on_after_batch_transfer(self, batch: ExemplarSet, dataloader_idx: int) -> ExemplarBatch:
        """Make floats and the low-resolution input, on the device of the batch."""
        images = batch.images.float() / 255
        hr = images[:, 0]
        lr = to_8_bit(bicubic(hr, self.size // self.scale, self.size // self.scale))
        return ExemplarBatch(lr, images[:, 1:], batch.present, hr, list(batch.name))

    def _read_index(self) -> ExemplarIndex:
        if self._opened is None:
            self._opened = ExemplarIndex.read(self.index, self.root)
        return self._opened

    def _evaluation_loader(self, limit: int | None) -> DataLoader[ExemplarSet]:
        if limit not in self._evaluation:
            self._evaluation[limit] = EvaluationExemplarSets(
                self._read_index(), self.size, self.references, self.crop, limit=limit, cache=self.cache
            )
        return evaluation_loader(self._evaluation[limit], self.batch_size, self.trainer, self.num_workers)
