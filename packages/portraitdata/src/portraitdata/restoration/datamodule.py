"""Restoration data for Lightning; the only module of this folder that needs it."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from faceops.detection.detector_names import DEFAULT_DETECTOR, DetectorName
from faceops.detection.selection import build_detector
from portraitdata.degradation.presets import PresetName
from portraitdata.loading.resumption import evaluation_loader, training_loader
from portraitdata.restoration.batches import REFERENCE_SIZE, RestorationBatch, RestorationBytes, collate, finish
from portraitdata.restoration.evaluation_pairs import EvaluationPairs
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.mixture import Mixture
from portraitdata.restoration.paired_images import PairedImages
from portraitdata.restoration.pixel_cache import PixelCache
from portraitdata.restoration.portrait_items import DegradeOn
from portraitdata.restoration.training_pairs import DROP_REFERENCE, RestorationPairs


@dataclass(frozen=True)
class Source:
    """An index to train on, and how much of the mixture it is.

    Args:
        index: Folder that `portraitdata portrait-index` has made.
        weight: How much of it; only the ratio of the weights matters.
        root: Folder of the photographs, if it is not the one that the index names.
        preset: Degradation, if it is not that of the other sources. One index may be named several times.
        scale: Sides of the high-quality image divided by sides of the low-quality one, if it is not that of the others.
        grey: Probability that an item has no colour, if it is not that of the other sources.
    """

    index: Path
    weight: float = 1.0
    root: Path | None = None
    preset: PresetName | None = None
    scale: int | None = None
    grey: float | None = None


class RestorationDataModule(LightningDataModule):
    """Mixture of portrait indexes to train on; an index's test split and paired test sets to validate and test on.

    Validation has one loader for `validation` and then one for each of `paired`, whose batches hold one pair.

    Args:
        sources: What to train on.
        validation: Index whose "test" photographs are validated and tested on; null for none.
        paired: Folders of paired test sets, see `PairedImages`.
        size: Side of the high-quality images, in pixels.
        scale: Sides of the high-quality image divided by sides of the low-quality one.
        preset: Degradation, of training where a source names none, and of validation.
        batch_size: Images in a batch of one process.
        samples: Images that are called an epoch; null for as many as there are photographs.
        references: Whether there are reference faces at all.
        drop: Probability that a reference is left out in training.
        keep_face: Probability that a training window contains a face, where there is one.
        window: Smallest and largest side of the training window, as shares of a photograph's shorter side.
        flip: Mirror half of the training images.
        small: What to do with training photographs that are smaller than `size`.
        degrade_on: Where low-quality images are made: by worker processes, or by the training device a batch at once.
        validation_images: Validate on this many test photographs, evenly spread; null for all.
        seed: Seed of everything random.
        num_workers: Processes that read photographs for each loader; 0 reads in the training process.
        grey: Probability that a training item has no colour: neither image nor reference.
        self_reference: Probability in training that a face without another photograph has itself as reference, altered.
        stranger: Probability in training that a reference is another person's face; `same_person` is then false.
        hide_parts: Probability in training that eyes or mouth of a reference are painted over.
        cache: Decoded photographs and aligned faces that each training process keeps, in gigabytes; 0 keeps none.
        reference_size: Side of the reference faces in pixels, a divisor of 512; paired test sets keep 512.
        close_up: Probability that a training window made for a face is cut out around a place of it, whatever its side.
        detector: Finds the faces that references of paired test sets are for.
        alteration: Share of the largest alteration of a face that is its own reference in training, 0 to 1.

    Raises:
        ValueError: If there is nothing to train on.
    """

    def __init__(
        self,
        sources: list[Source],
        validation: Path | None = None,
        paired: list[Path] | None = None,
        size: int = 1024,
        scale: int = 4,
        preset: PresetName = "realesrgan",
        batch_size: int = 1,
        samples: int | None = None,
        references: bool = True,
        drop: float = DROP_REFERENCE,
        keep_face: float = 0.8,
        window: tuple[float, float] = (0.5, 1.0),
        flip: bool = True,
        small: Literal["skip", "enlarge"] = "skip",
        degrade_on: DegradeOn = "workers",
        validation_images: int | None = None,
        seed: int = 0,
        num_workers: int = 0,
        grey: float = 0.0,
        self_reference: float = 0.0,
        stranger: float = 0.0,
        hide_parts: float = 0.0,
        cache: float = 0.0,
        reference_size: int = REFERENCE_SIZE,
        close_up: float = 0.0,
        detector: DetectorName = DEFAULT_DETECTOR,
        alteration: float = 1.0,
    ) -> None:
        super().__init__()
        if not sources:
            raise ValueError("There is nothing to train on: give at least one index in `sources`.")
        self.sources, self.validation, self.paired = sources, validation, paired or []
        self.size, self.scale, self.preset, self.batch_size, self.samples = size, scale, preset, batch_size, samples
        self.references, self.drop, self.keep_face, self.window = references, drop, keep_face, window
        self.flip, self.small, self.degrade_on = flip, small, degrade_on
        self.validation_images, self.seed, self.num_workers = validation_images, seed, num_workers
        self.grey, self.self_reference, self.stranger, self.hide_parts = grey, self_reference, stranger, hide_parts
        self.cache, self.reference_size, self.close_up = cache, reference_size, close_up
        self.detector: DetectorName = detector
        self.alteration = alteration
        self._training: Mixture | None = None
        self._evaluation: dict[int | None, list[tuple[Dataset, int]]] = {}

    def setup(self, stage: str) -> None:
        """Read what the stage needs."""
        if stage == "fit":
            self._read_training()

    def indexes_without_text(self) -> list[Path]:
        """Indexes to train on of whose photographs none has a prompt or tags."""
        pairs = zip(self.sources, self._read_training().datasets, strict=True)
        return list(dict.fromkeys(source.index for source, dataset in pairs if not dataset.index.has_text))

    def train_dataloader(self) -> DataLoader:
        """Mixed images; in a resumed epoch, those that are left of it."""
        batches = partial(collate, reference_size=self.reference_size)
        return training_loader(
            self._read_training(), self.batch_size, self.seed, self.trainer, self.num_workers, batches
        )

    def val_dataloader(self) -> list[DataLoader]:
        """Test photographs, `validation_images` of them, and the paired test sets."""
        return self._evaluation_loaders(self.validation_images)

    def test_dataloader(self) -> list[DataLoader]:
        """All test photographs and the paired test sets."""
        return self._evaluation_loaders(None)

    predict_dataloader = test_dataloader

    def on_after_batch_transfer(self, batch: RestorationBytes, dataloader_idx: int) -> RestorationBatch:
        """Make floats, masks and, if it was left to the device, the low-quality images; on the batch's device."""
        return finish(batch)

    def _read_training(self) -> Mixture:
        if self._training is None:
            # An index that several sources name is read once, and its photographs are decoded once.
            indexes: dict[tuple[Path, Path | None], PortraitIndex] = {}
            cache = PixelCache(self.cache) if self.cache else None
            for source in self.sources:
                place = source.index, source.root
                if place not in indexes:
                    indexes[place] = PortraitIndex.read(*place)
            datasets = [self._pairs(source, indexes[source.index, source.root], cache) for source in self.sources]
            self._training = Mixture(datasets, [source.weight for source in self.sources], self.samples, self.seed)
        return self._training

    def _pairs(self, source: Source, index: PortraitIndex, cache: PixelCache | None) -> RestorationPairs:
        return RestorationPairs(
            index,
            self.size,
            source.scale or self.scale,
            source.preset or self.preset,
            self.references,
            self.drop,
            self.keep_face,
            self.window,
            self.flip,
            self.small,
            self.degrade_on,
            seed=self.seed,
            grey=self.grey if source.grey is None else source.grey,
            self_reference=self.self_reference,
            stranger=self.stranger,
            hide_parts=self.hide_parts,
            cache=cache,
            reference_size=self.reference_size,
            close_up=self.close_up,
            alteration=self.alteration,
        )

    def _paired(self, folder: Path) -> PairedImages:
        pairs = PairedImages(folder)  # of any magnification: a restorer enlarges the input to the truth
        if self.references and pairs.has_references:
            pairs.detector = build_detector(self.detector)
        return pairs

    def _evaluation_loaders(self, limit: int | None) -> list[DataLoader]:
        if limit not in self._evaluation:
            sets: list[tuple[Dataset, int]] = [(self._paired(folder), 1) for folder in self.paired]
            if self.validation is not None:
                pairs = EvaluationPairs(
                    self.validation,
                    self.size,
                    self.scale,
                    self.preset,
                    self.references,
                    self.degrade_on,
                    limit=limit,
                    seed=self.seed,
                    reference_size=self.reference_size,
                )
                sets.insert(0, (pairs, self.batch_size))
            self._evaluation[limit] = sets
        batches = partial(collate, reference_size=self.reference_size)
        return [
            evaluation_loader(images, batch_size, self.trainer, self.num_workers, batches)
            for images, batch_size in self._evaluation[limit]
        ]
