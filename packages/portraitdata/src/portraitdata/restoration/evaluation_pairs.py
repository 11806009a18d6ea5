"""Pairs of high- and low-quality portraits with a reference that are the same every time."""

from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from faceops.images.errors import DamagedImageError, ImageFileError
from portraitdata.degradation.presets import PresetName
from portraitdata.exemplars.index import Split
from portraitdata.restoration.batches import REFERENCE_SIZE, RestorationItem
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.photograph_windows import PhotographWindows, checked_reference_size
from portraitdata.restoration.portrait_items import DegradeOn, PortraitItems, Reference, large_enough, visible_faces
from portraitdata.restoration.view import View, any_window, face_window


class EvaluationPairs(Dataset[RestorationItem]):
    """Every photograph of a split once: its largest square around a face, with the most similar other face.

    At most one face of a photograph has a reference: the one whose most similar partner is most similar (HeadsUp,
    Section 3: "we simply select the most similar one"). Without references the window goes to the largest face, without
    faces to the middle. The degradation follows from seed and uid, so it stays when other photographs are added.

    Arguments are those of `portraitdata.restoration.datamodule.RestorationDataModule`, but for:

    Args:
        split: Part of the index.
        limit: Use only this many photographs, evenly spread over the split.

    Raises:
        ValueError: If an argument is out of range, or no photograph is left.
    """

    def __init__(
        self,
        index: PortraitIndex | Path | str,
        size: int = 1024,
        scale: int = 4,
        preset: PresetName = "realesrgan",
        references: bool = True,
        degrade_on: DegradeOn = "workers",
        split: Split = "test",
        limit: int | None = None,
        seed: int = 0,
        reference_size: int = REFERENCE_SIZE,
    ) -> None:
        opened = index if isinstance(index, PortraitIndex) else PortraitIndex.read(index)
        if limit is not None and limit < 1:
            raise ValueError(f"At least one photograph must be left, the limit is {limit}.")
        self.index, self.size, self.references, self.seed = opened, size, references, seed
        self.reference_size = checked_reference_size(reference_size)
        self._items = PortraitItems(size, scale, preset, degrade_on)
        self._windows = PhotographWindows(opened)
        numbers = large_enough(opened, split, size)
        count = len(numbers) if limit is None else min(limit, len(numbers))
        self._numbers = numbers[np.arange(count) * len(numbers) // count]

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, key: int) -> RestorationItem:
        number = int(self._numbers[key])
        anchor = self._anchor(self.index.faces_of(number))
        view = self._view(number, anchor)
        faces = visible_faces(self.index, number, view)
        seed = self.seed, int.from_bytes(sha256(self.index.uid(number).encode()).digest()[:7], "big")
        try:
            hq = self._windows.view(number, view)
            reference = self._reference(faces, anchor)
        except (ImageFileError, OSError) as error:
            raise DamagedImageError(
                f"{self.index.photograph(number).path} cannot be evaluated: {error} "
                "`portraitdata portrait-index` makes an index without damaged files."
            ) from error
        return self._items.item(self.index, number, view, hq, faces, reference, seed)

    def _anchor(self, faces: NDArray[np.int64]) -> int | None:
        if len(faces) == 0:
            return None
        areas = self.index.geometry(faces).area().tolist()

        def rank(place: int) -> tuple[float, float]:
            cosines = [cosine for _, cosine in self.index.partners(int(faces[place]))] if self.references else []
            return max(cosines, default=0.0), areas[place]

        return int(faces[max(range(len(faces)), key=rank)])

    def _view(self, number: int, anchor: int | None) -> View:
        width, height = self.index.size(number)
        side = min(width, height)
        if anchor is None:
            return View(any_window(height, width, side, (0.5, 0.5)), self.size, False)
        left, top, right, bottom = self.index.geometry(np.array([anchor])).boxes[0].tolist()
        return View(face_window(height, width, side, (left, top, right, bottom), (0.5, 0.5)), self.size, False)

    def _reference(self, faces: NDArray[np.int64], anchor: int | None) -> Reference | None:
        if anchor is None or anchor not in faces or not self.references or not self.index.partners(anchor):
            return None
        best = self.index.partners(anchor)[0][0]
        return Reference(faces.tolist().index(anchor), self._windows.aligned_face(best, False, self.reference_size))
