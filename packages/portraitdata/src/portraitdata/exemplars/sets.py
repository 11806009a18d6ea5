"""Exemplar sets: a portrait of somebody and other portraits of the same person, as items of a torch Dataset.

Items are 8-bit: workers cut and copy, and the arithmetic in floats happens once a batch, on the training device.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from faceops.images.errors import DamagedImageError, ImageFileError
from portraitdata.exemplars.index import ExemplarIndex, Split
from portraitdata.exemplars.photograph_crops import PhotographCrops
from portraitdata.exemplars.self_exemplars import SelfExemplars

Choice = Literal["same", "stranger", "blank"]
"""Whose portraits are the references: the same person's, another person's, or none but black images."""


class ExemplarSet(NamedTuple):
    """A target and its references."""

    images: UInt8[Tensor, "m 3 s s"]
    """The target first, then the references; sRGB, 0 to 255; zero where a reference is absent. m = 1 + n."""
    present: Bool[Tensor, " n"]
    """True for those of the n references that are there."""
    name: str
    """Name of the target in its index, see `portraitdata.exemplars.index.Photograph`."""


class _PeoplesPhotographs:
    """Photographs of one split of an index, numbered so that those of a person follow each other."""

    def __init__(self, index: ExemplarIndex | Path | str, split: Split, references: int) -> None:
        opened = index if isinstance(index, ExemplarIndex) else ExemplarIndex.read(index)
        if references < 0:
            raise ValueError(f"The number of references cannot be {references}.")
        self.index = opened
        self.rows = opened.select(split).photographs
        if not self.rows:
            raise ValueError(f"The index of {opened.root} has no photographs in the split {split!r}.")
        self._groups: list[range] = []
        start = 0
        for number in range(1, len(self.rows) + 1):
            if number == len(self.rows) or self.rows[number].identity != self.rows[start].identity:
                self._groups += [range(start, number)] * (number - start)
                start = number

    def person(self, number: int) -> range:
        """Numbers of all photographs of the person on photograph `number`."""
        return self._groups[number]

    def others(self, number: int) -> list[int]:
        """Numbers of the other photographs of the same person."""
        return [other for other in self.person(number) if other != number]

    def next_person(self, number: int) -> range:
        """Numbers of the photographs of the person that follows, the first after the last."""
        return self.person(self.person(number).stop % len(self.rows))


class TrainingExemplarSets(Dataset[ExemplarSet]):
    """Exemplar sets at random, each a function of its key alone.

    The key is ``(serial, number)``: which photograph is the target, and which draw of everything else. The serial
    together with the seed fixes references, flip, shifts and blanks, whatever worker or process asks, so a run is the
    same on any number of them. `portraitdata.loading.sampler.SeededSequence` gives the keys. A plain number is its own
    serial.

    A photograph that cannot be decoded does not end the training: another of the same person takes its place, with
    one `CorruptPhotograph` warning for each.

    Args:
        index: Index, or its file.
        size: Side of the images, in pixels.
        references: References n in a set. They are drawn without replacement from the person's other photographs;
            where there are fewer, the rest is absent.
        crop: Side of the centred square cut from a photograph, in its pixels; None for the largest one.
        jitter: Every crop is shifted by up to this many pixels of the photograph, each image on its own.
        flip: Mirror half of the sets, target and references together.
        reference_counts: Probabilities of 0, 1, ... n present references; None for always n.
        blank: Probability that a present reference is a black image.
        self_exemplars: Curriculum of warped copies of the target among the references; None for none.
        seed: Seed of everything random.
        cache: Keep decoded crops in memory, shared by all workers.

    Raises:
        ValueError: If an argument is out of range, or the index has no training photographs.
    """

    def __init__(
        self,
        index: ExemplarIndex | Path | str,
        size: int,
        references: int = 3,
        crop: int | None = None,
        jitter: int = 0,
        flip: bool = True,
        reference_counts: Sequence[float] | None = None,
        blank: float = 0.0,
        self_exemplars: SelfExemplars | None = None,
        seed: int = 0,
        cache: bool = False,
    ) -> None:
        self._people = _PeoplesPhotographs(index, "train", references)
        self._crops = PhotographCrops(self._people.index, self._people.rows, size, crop, jitter, cache)
        if reference_counts is not None:
            _check_probabilities(reference_counts, references)
        if not 0 <= blank <= 1:
            raise ValueError(f"A probability lies in [0, 1], `blank` is {blank}.")
        if seed < 0:
            raise ValueError(f"A seed is not negative, got {seed}.")
        self.size, self.references, self.jitter, self.flip, self.seed = size, references, jitter, flip, seed
        self.reference_counts = None if reference_counts is None else tuple(reference_counts)
        self.blank, self.self_exemplars = blank, self_exemplars

    def __len__(self) -> int:
        return len(self._people.rows)

    def __getitem__(self, key: tuple[int, int] | int) -> ExemplarSet:
        serial, number = key if isinstance(key, tuple) else (key, key)
        random = np.random.default_rng((self.seed, serial))
        n = self.references
        mirrored = random.random() < 0.5
        shifts = random.integers(-self.jitter, self.jitter, size=(1 + n, 2), endpoint=True)
        blank = random.random(n) < self.blank
        wanted = n if self.reference_counts is None else int(random.choice(n + 1, p=self.reference_counts))
        images = np.zeros((1 + n, 3, self.size, self.size), np.uint8)
        number, images[0] = self._target(number, *shifts[0].tolist())
        others = self._people.others(number)
        copies = self.self_exemplars.draw(serial, n, random, len(others)) if self.self_exemplars else [None] * n
        nobody = [None] * max(0, n - len(others))  # whose place a copy may take
        count = 0
        for other in [*random.permutation(others).tolist(), *nobody]:
            if count == wanted:
                break
            if other is None and copies[count] is None:
                continue
            if not blank[count]:
                copy = copies[count]
                crop = copy(images[0]) if copy else self._crops.read_or_warn(other, *shifts[1 + count].tolist())
                if crop is None:
                    continue
                images[1 + count] = crop
            count += 1
        if self.flip and mirrored:
            images = np.ascontiguousarray(images[..., ::-1])
        return ExemplarSet(torch.from_numpy(images), torch.arange(n) < count, self._people.rows[number].name)

    @property
    def corrupt_photographs(self) -> list[str]:
        """Paths of the photographs that had to be replaced so far."""
        return self._crops.corrupt

    def _target(self, number: int, down: int, right: int) -> tuple[int, np.ndarray]:
        for candidate in self._substitutes(number):
            crop = self._crops.read_or_warn(candidate, down, right)
            if crop is not None:
                return candidate, crop
        raise ValueError(f"Not one of the {len(self)} training photographs can be decoded.")

    def _substitutes(self, number: int) -> Iterator[int]:
        """The photograph itself, then the person's others from it on, then everybody else's."""
        person, everyone = self._people.person(number), len(self)
        yield from range(number, person.stop)
        yield from range(person.start, number)
        yield from (other % everyone for other in range(person.stop, person.start + everyone))


class EvaluationExemplarSets(Dataset[ExemplarSet]):
    """Exemplar sets that are the same every time: every photograph once, with the person's first others.

    Args:
        index: Index, or its file.
        size: Side of the images, in pixels.
        references: References n in a set.
        crop: Side of the centred square cut from a photograph, in its pixels; None for the largest one.
        split: Part of the index.
        choose: References of the ``same`` person; of a ``stranger``, the next person in the index; or ``blank``,
            black images that count as present. The last two tell how much a network owes to its references.
        limit: Use only this many photographs, evenly spread over the split.
        cache: Keep decoded crops in memory, shared by all workers.

    Raises:
        ValueError: If an argument is out of range, or the index has no such photographs.
    """

    def __init__(
        self,
        index: ExemplarIndex | Path | str,
        size: int,
        references: int = 3,
        crop: int | None = None,
        split: Split = "test",
        choose: Choice = "same",
        limit: int | None = None,
        cache: bool = False,
    ) -> None:
        self._people = _PeoplesPhotographs(index, split, references)
        self._crops = PhotographCrops(self._people.index, self._people.rows, size, crop, cache=cache)
        if limit is not None and limit < 1:
            raise ValueError(f"At least one photograph must be left, the limit is {limit}.")
        if choose == "stranger" and len(self._people.person(0)) == len(self._people.rows):
            raise ValueError(f"The split {split!r} shows one person only, there is no stranger to choose.")
        everyone = len(self._people.rows)
        count = everyone if limit is None else min(limit, everyone)
        self._numbers = [position * everyone // count for position in range(count)]
        self.size, self.references, self.choose = size, references, choose

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, key: int) -> ExemplarSet:
        number = self._numbers[key]
        n = self.references
        images = torch.zeros(1 + n, 3, self.size, self.size, dtype=torch.uint8)
        numbers = [number]
        if self.choose != "blank":
            source = self._people.others(number) if self.choose == "same" else self._people.next_person(number)
            numbers += list(source)[:n]
        for place, photograph in enumerate(numbers):
            images[place] = torch.from_numpy(self._read(photograph))
        count = n if self.choose == "blank" else len(numbers) - 1
        return ExemplarSet(images, torch.arange(n) < count, self._people.rows[number].name)

    def _read(self, number: int) -> np.ndarray:
        try:
            return self._crops.read(number)
        except (ImageFileError, OSError) as error:
            raise DamagedImageError(
                f"{self._people.rows[number].path} cannot be evaluated: {error} "
                "`portraitdata exemplar-index --verify` makes an index without such files."
            ) from error


def _check_probabilities(probabilities: Sequence[float], references: int) -> None:
    if len(probabilities) != references + 1:
        raise ValueError(
            f"With {references} references, `reference_counts` are {references + 1} probabilities "
            f"of 0 to {references} of them, got {len(probabilities)}."
        )
    if min(probabilities) < 0 or not math.isclose(sum(probabilities), 1, abs_tol=1e-6):
        raise ValueError(f"The probabilities `reference_counts` must sum to one, got {list(probabilities)}.")
