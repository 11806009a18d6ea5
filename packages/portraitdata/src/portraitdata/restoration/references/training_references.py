"""Choice of a training view's reference: the person's other photograph, its own face, or a stranger's."""

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from portraitdata.restoration.batches import REFERENCE_SIZE
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.index.similar_faces import connected
from portraitdata.restoration.photograph_windows import PhotographWindows, mean_reduced
from portraitdata.restoration.portrait_items import Reference
from portraitdata.restoration.references.altered_faces import Part, draw_alteration, hidden


@dataclass(frozen=True)
class ReferenceChances:
    """Probabilities of references other than another photograph of the person.

    Args:
        self_reference: Probability that a face without another photograph has itself, altered.
        stranger: Probability that a reference is another person's face.
        hide_parts: Probability that eyes or mouth of a reference are painted over.
        alteration: Share of the largest alteration that a face may have that is its own reference, in [0, 1].

    Raises:
        ValueError: If one is no probability.
    """

    self_reference: float = 0.0
    stranger: float = 0.0
    hide_parts: float = 0.0
    alteration: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value <= 1:
                raise ValueError(f"A probability or a share lies in [0, 1], `{field.name}` is {value}.")


class TrainingReferences:
    """References at random, aligned.

    Args:
        numbers: Photographs that strangers are taken from.
        size: Side of the references in pixels, a divisor of 512.
    """

    def __init__(
        self, windows: PhotographWindows, numbers: NDArray[np.int64], chances: ReferenceChances, size: int
    ) -> None:
        self.index, self.chances, self.size = windows.index, chances, size
        self._windows, self._numbers = windows, numbers

    def draw(
        self,
        faces: NDArray[np.int64],
        anchor: int | None,
        flipped: bool,
        random: np.random.Generator,
        kinds: np.random.Generator,
    ) -> Reference | None:
        """A reference for a visible face, the one that the view was made for if possible; None if there is none.

        Args:
            flipped: Whether the view is mirrored; another photograph's face is then, too.
            random: Draws among the person's photographs.
            kinds: Draws everything else.
        """
        if len(faces) == 0:
            return None
        stranger, own, hide, which, part = kinds.random(5).tolist()
        order = sorted(range(len(faces)), key=lambda place: faces[place] != anchor)
        painted: Part | None = None
        if hide < self.chances.hide_parts:
            painted = "eyes" if part < 0.5 else "mouth"
        if stranger < self.chances.stranger:
            found = self._stranger(order[0], int(faces[order[0]]), which, flipped)
        else:
            found = self._partner(order, faces, flipped, random)
            if found is None and own < self.chances.self_reference:
                return self._own(order[0], int(faces[order[0]]), flipped, painted, kinds)
        if found is None or painted is None:
            return found
        return found._replace(pixels=hidden(found.pixels, painted))

    def _partner(
        self, order: list[int], faces: NDArray[np.int64], flipped: bool, random: np.random.Generator
    ) -> Reference | None:
        for place in order:
            partners = [face for face, _ in self.index.partners(int(faces[place]))]
            for partner in random.permutation(np.array(partners, np.int64)).tolist():
                crop = self._windows.aligned_face_or_warn(partner, flipped, self.size)
                if crop is not None:
                    return Reference(place, crop)
        return None

    def _own(
        self, place: int, face: int, flipped: bool, painted: Part | None, kinds: np.random.Generator
    ) -> Reference | None:
        """The face itself, sampled twice as densely as wanted, then altered."""
        alteration = draw_alteration(kinds, self.chances.alteration)
        crop = self._windows.aligned_face_or_warn(face, flipped, min(2 * self.size, REFERENCE_SIZE))
        if crop is None:
            return None
        altered = alteration(crop if painted is None else hidden(crop, painted))
        return Reference(place, mean_reduced(altered, self.size))

    def _stranger(self, place: int, face: int, which: float, flipped: bool) -> Reference | None:
        """The first face from a random one on that is of another person and photograph and can be decoded."""
        everybody, people = self._everybody, self._people
        start = int(which * len(everybody))
        for other in np.roll(everybody, -start).tolist():
            elsewhere = self.index.photograph_of(other) != self.index.photograph_of(face)
            if elsewhere and people[other] != people[face]:
                crop = self._windows.aligned_face_or_warn(other, flipped, self.size)
                if crop is not None:
                    return Reference(place, crop, same_person=False)
        return None

    @cached_property
    def _everybody(self) -> NDArray[np.int64]:
        return np.concatenate([self.index.faces_of(number) for number in self._numbers.tolist()])

    @cached_property
    def _people(self) -> list[int]:
        return people_of(self.index)


def people_of(index: PortraitIndex) -> list[int]:
    """Label the faces by person: for every face the smallest one that pairs connect it with."""
    count = index.faces.num_rows
    return connected(count, ((face, other) for face in range(count) for other, _ in index.partners(face)))
