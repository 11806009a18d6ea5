"""What restorers are tested on: inputs, truths and references, from indexes and from published test sets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from benchmarks.headsup.portrait_sets import FOLDER
from faceops.geometry.faces import Faces
from faceops.images.files import Picture, save_picture
from headsup.restoring.face_scores import pasted_opacity
from portraitdata.degradation.cpu_executor import degrade
from portraitdata.degradation.drawing import draw_record
from portraitdata.degradation.presets import PresetName, preset_of
from portraitdata.restoration.batches import RestorationItem
from portraitdata.restoration.evaluation_pairs import EvaluationPairs
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.paired_images import PairedImages
from portraitdata.scoring.face_geometry import aligned_face

SCALE = 4
"""Sides of the truth divided by those of the input, where faces are not aligned."""


@dataclass(frozen=True, eq=False)
class Sample:
    """An input with its truth; RGB in [0, 1]."""

    name: str
    low: Float[Tensor, "3 lh lw"]
    truth: Float[Tensor, "3 h w"]
    face: Faces
    """In pixels of the truth: the face that has the reference, else the largest; none where there is no face."""
    reference: Float[Tensor, "3 s s"] | None = None
    """The same person's face in another photograph, aligned to FFHQ."""
    further: tuple[Float[Tensor, "3 s s"], ...] = ()
    """The face in still other photographs, aligned likewise."""

    @cached_property
    def mask(self) -> Float[Tensor, "1 1 h w"] | None:
        """Opacity of a face of the truth's size that is pasted over the face; None without a face."""
        height, width = self.truth.shape[1:]
        return pasted_opacity(self.face.landmarks, self.face_size, height, width) if len(self.face) else None

    @property
    def face_size(self) -> int:
        """Side of an aligned face that is restored alone, in pixels."""
        return min(self.truth.shape[1:])


@dataclass(frozen=True)
class DegradedSet:
    """Photographs of an index, degraded one way."""

    key: str
    """Ending of the names of its folders of pictures."""
    index: PortraitIndex
    side: int
    """Of the truth, in pixels."""
    preset: PresetName
    limit: int | None
    """How many photographs are used; None for all."""
    words: str
    """What they are, for titles."""

    def samples(self) -> list[Sample]:
        """Those that are used, evenly spread."""
        return _samples(self.index, self.side, self.preset, self.limit)

    def write(self) -> None:
        """Write all inputs, truths and references for other people's software, also over those of other settings."""
        folders = [FOLDER / f"{part}_{self.key}" for part in ("lq", "truth", "reference")]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        for sample in _samples(self.index, self.side, self.preset, None):
            for folder, image in zip(folders, (sample.low, sample.truth, sample.reference), strict=True):
                if image is not None:
                    save_picture(Picture(image), folder / f"{sample.name}.png")


def _samples(index: PortraitIndex, side: int, preset: PresetName, limit: int | None) -> list[Sample]:
    pairs = EvaluationPairs(index, side, SCALE, preset, limit=limit)
    return [as_sample(pairs[number]) for number in range(len(pairs))]


def as_sample(item: RestorationItem, aligned: bool = False) -> Sample:
    """Floats of an item that has its input.

    Args:
        item: From `EvaluationPairs` or `PairedImages`.
        aligned: Whether the whole picture is a face aligned to FFHQ.
    """
    assert item.lq is not None
    low, truth = item.lq.float() / 255, item.hq.float() / 255
    reference = None if item.reference is None else item.reference.float() / 255
    face = item.faces.select(torch.tensor([item.referenced])) if item.referenced >= 0 else item.faces.largest()
    if aligned:
        face = aligned_face(truth.unsqueeze(0), item.name)
    return Sample(Path(item.name).stem, low, truth, face, reference)


def degraded(truth: Float[Tensor, "3 h w"], preset: PresetName, scale: int, seed: int) -> Float[Tensor, "3 lh lw"]:
    """A picture, degraded by a preset; in eight bits before and after.

    Args:
        truth: RGB in [0, 1].
        preset: Degradation.
        scale: Sides of the picture divided by those of the result.
        seed: Seed of the draws.
    """
    pixels: UInt8[np.ndarray, "h w 3"] = truth.mul(255).round().byte().permute(1, 2, 0).numpy()
    height, width = truth.shape[1:]
    record = draw_record(preset_of(preset), height, width, scale, (seed,))
    return torch.from_numpy(degrade(np.ascontiguousarray(pixels), record)).permute(2, 0, 1).float() / 255


class PublishedSamples(Sequence[Sample]):
    """Pairs of a published test set, read when they are wanted.

    Args:
        pairs: The test set.
        aligned: Whether its pictures are faces aligned to FFHQ.
        limit: Use only this many, evenly spread.
    """

    def __init__(self, pairs: PairedImages, aligned: bool, limit: int | None) -> None:
        count = len(pairs) if limit is None else min(limit, len(pairs))
        self._pairs, self._aligned = pairs, aligned
        self._numbers = [number * len(pairs) // count for number in range(count)]

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, key: int) -> Sample: ...

    @overload
    def __getitem__(self, key: slice) -> list[Sample]: ...

    def __getitem__(self, key: int | slice) -> Sample | list[Sample]:
        if isinstance(key, slice):
            return [self[number] for number in range(*key.indices(len(self)))]
        return as_sample(self._pairs[self._numbers[key]], self._aligned)

    def __iter__(self) -> Iterator[Sample]:
        return (self[number] for number in range(len(self)))
