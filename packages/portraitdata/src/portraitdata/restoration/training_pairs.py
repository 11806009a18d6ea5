"""Pairs of high- and low-quality portraits with a reference, drawn at random: the triples S of HeadsUp, Section 2.2."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from portraitdata.degradation.presets import PresetName
from portraitdata.exemplars.index import Split
from portraitdata.restoration.batches import REFERENCE_SIZE, RestorationItem
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.photograph_windows import PhotographWindows, checked_reference_size
from portraitdata.restoration.pixel_cache import PixelCache
from portraitdata.restoration.portrait_items import (
    KIND_STREAM,
    VIEW_STREAM,
    DegradeOn,
    PortraitItems,
    large_enough,
    visible_faces,
)
from portraitdata.restoration.references.training_references import ReferenceChances, TrainingReferences
from portraitdata.restoration.view import View, any_window, face_window, window_around

DROP_REFERENCE = 0.2
"""Probability that a reference is left out in training (HeadsUp, Appendix B)."""


class _Draws(NamedTuple):
    """Everything random about a view, drawn before it is known which photograph it will be of."""

    flipped: bool
    share: float
    at: tuple[float, float]
    to_face: bool
    close: bool
    which: float
    dropped: bool


class RestorationPairs(Dataset[RestorationItem]):
    """Views of photographs at random, each a function of its key alone.

    The key is ``(serial, number)``: which photograph, and which draw of everything else. The serial together with the
    seed fixes window, flip, reference and degradation, whatever worker or process asks, so a run is the same on any
    number of them. `portraitdata.loading.sampler.SeededSequence` gives the keys, or a `Mixture`. A plain number is its
    own serial.

    The paper says neither how a photograph of 4K comes to 1024 pixels nor where it is cut. Here a square window is
    reduced to `size`; its side is a share of the photograph's shorter side, drawn uniformly on a logarithmic scale,
    but never less than `size`, so that nothing is enlarged, nor less than the face that it is to contain.

    A photograph that cannot be decoded does not end the training: the next one takes its place, with one counted
    `CorruptPhotograph` warning for each. A reference that cannot be decoded gives way to another of the same person.

    Arguments are those of `portraitdata.restoration.datamodule.RestorationDataModule`, but for:

    Args:
        index: Index, or its folder.
        keep_face: Probability that the window contains a face, where there is one; otherwise it lies anywhere. Faces
            that have a reference come first.
        window: Smallest and largest side of the window, as shares of the photograph's shorter side; two equal ones for
            a fixed rule.
        small: What to do with photographs whose shorter side is below `size`: leave them out, with one
            `SmallPhotographs` warning that counts them, or enlarge their largest square.
        degrade_on: Where the LQ is made: here, or later on the device by the record.
        split: Part of the index.
        cache: Keeps decoded photographs and aligned faces in each process; may be shared by several sets.
        close_up: Probability that a window made for a face is cut out around a place of the face, whatever its side,
            instead of containing the face.

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
        drop: float = DROP_REFERENCE,
        keep_face: float = 0.8,
        window: tuple[float, float] = (0.5, 1.0),
        flip: bool = True,
        small: Literal["skip", "enlarge"] = "skip",
        degrade_on: DegradeOn = "workers",
        split: Split = "train",
        seed: int = 0,
        grey: float = 0.0,
        self_reference: float = 0.0,
        stranger: float = 0.0,
        hide_parts: float = 0.0,
        cache: PixelCache | None = None,
        reference_size: int = REFERENCE_SIZE,
        close_up: float = 0.0,
        alteration: float = 1.0,
    ) -> None:
        opened = index if isinstance(index, PortraitIndex) else PortraitIndex.read(index)
        for name, value in (("drop", drop), ("keep_face", keep_face), ("grey", grey), ("close_up", close_up)):
            if not 0 <= value <= 1:
                raise ValueError(f"A probability lies in [0, 1], `{name}` is {value}.")
        if not 0 < window[0] <= window[1] <= 1:
            raise ValueError(f"Shares of the shorter side lie in (0, 1], the smaller first; `window` is {window}.")
        if seed < 0:
            raise ValueError(f"A seed is not negative, got {seed}.")
        self.index, self.size, self.seed = opened, size, seed
        self.references, self.drop, self.keep_face, self.window, self.flip = references, drop, keep_face, window, flip
        self.grey, self.close_up = grey, close_up
        self._items = PortraitItems(size, scale, preset, degrade_on)
        self._windows = PhotographWindows(opened, cache)
        self._numbers = large_enough(opened, split, size if small == "skip" else 1, ', or small="enlarge"')
        chances = ReferenceChances(self_reference, stranger, hide_parts, alteration)
        side = checked_reference_size(reference_size)
        self._references = TrainingReferences(self._windows, self._numbers, chances, side)

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, key: tuple[int, int] | int) -> RestorationItem:
        serial, position = key if isinstance(key, tuple) else (key, key)
        random = np.random.default_rng((self.seed, serial, VIEW_STREAM))
        kinds = np.random.default_rng((self.seed, serial, KIND_STREAM))
        draws, grey = self._draw(random), bool(kinds.random() < self.grey)
        for number in self._candidates(position):
            view, anchor = self._view(number, draws)
            hq = self._windows.view_or_warn(number, view)
            if hq is not None:
                faces = self._faces(number, view, anchor, draws.close)
                reference = None
                if self.references and not draws.dropped:
                    reference = self._references.draw(faces, anchor, draws.flipped, random, kinds)
                return self._items.item(self.index, number, view, hq, faces, reference, (self.seed, serial), grey)
        raise ValueError(f"Not one of the {len(self)} photographs in {self.index.root} can be decoded.")

    @property
    def corrupt_photographs(self) -> list[str]:
        """Paths of the photographs that could not be decoded so far, by any worker."""
        return self._windows.corrupt

    def _faces(self, number: int, view: View, anchor: int | None, close: bool) -> NDArray[np.int64]:
        """The visible faces; a close-up's own face counts whatever it shows of it.

        Otherwise a restorer would learn that there are references only where a whole face is seen, and draw faces as
        small as those once it is given one.
        """
        faces = visible_faces(self.index, number, view)
        if anchor is None or not close or anchor in faces:
            return faces
        return np.append(faces, anchor)

    def _candidates(self, position: int) -> Iterator[int]:
        """The photograph itself, then those after it, the first after the last."""
        return (int(self._numbers[(position + more) % len(self)]) for more in range(len(self)))

    def _draw(self, random: np.random.Generator) -> _Draws:
        flipped, along, down, right, to_face, which, dropped = random.random(7).tolist()
        low, high = self.window
        return _Draws(
            flipped=self.flip and flipped < 0.5,
            share=low * (high / low) ** along,
            at=(down, right),
            to_face=to_face < self.keep_face,
            close=to_face < self.keep_face * self.close_up,
            which=which,
            dropped=dropped < self.drop,
        )

    def _view(self, number: int, draws: _Draws) -> tuple[View, int | None]:
        """View of a photograph, and the face that it was made for."""
        width, height = self.index.size(number)
        shorter = min(width, height)
        side = min(max(round(shorter * draws.share), self.size), shorter)
        anchors = self.index.faces_of(number)
        if self.references:
            known = [face for face in anchors.tolist() if self.index.partners(face)]
            anchors = np.array(known, np.int64) if known else anchors
        if len(anchors) == 0 or not draws.to_face:
            return View(any_window(height, width, side, draws.at), self.size, draws.flipped), None
        anchor = int(anchors[int(draws.which * len(anchors))])
        left, top, right, bottom = self.index.geometry(np.array([anchor])).boxes[0].tolist()
        if draws.close:
            square = window_around(height, width, side, (left, top, right, bottom), draws.at)
            return View(square, self.size, draws.flipped), anchor
        side = min(max(side, math.ceil(max(right - left, bottom - top)) + 1), shorter)
        square = face_window(height, width, side, (left, top, right, bottom), draws.at)
        return View(square, self.size, draws.flipped), anchor
