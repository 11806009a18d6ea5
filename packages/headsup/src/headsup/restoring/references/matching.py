"""Matching of faces, one to one, with the people of the references."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from headsup.restoring.photo_restorer import ReferenceFaces
from headsup.restoring.references.assignment import best_assignment
from headsup.restoring.references.face_recognition import EmbeddedFaces
from headsup.restoring.references.left_over import LeftOver
from headsup.restoring.references.person import Person
from headsup.restoring.references.reference_errors import UnusedReferencesError
from headsup.restoring.references.reference_photo import ReferencePhoto

FLOOR = 0.2
"""Least similarity of a face and a person.

Faces of damaged pictures resemble everybody less, so the threshold of sharp photographs (0.337) would refuse most.
Measured with MobileFaceNet on photographs degraded as in training (Real-ESRGAN) against sharp ones, the share of faces
that reach 0.2 with their own person, and with a stranger:

* 62 people of the Face Research Lab London Set, 19 pixels between the eyes after reduction by 4: 71 % and 2.9 %.
* 70 test people of Labeled Faces in the Wild, 22 pixels (reduced by 2): 58 % and 1.6 %; 10 pixels (reduced by 4): 23 %
  and 1.6 %, or 51 % and 2.1 % with the preset ``mild``.

The threshold 0.337 is reached by 53 %, 31 %, 4 % and 18 % of the right ones. With 0.15 three times as many strangers
pass. Two photographs of the person together are reached by 2 to 4 % more.
"""

CERTAIN = 0.3
"""Similarity below which a match is said to be doubtful; on the same faces 0.1 to 0.2 % of the strangers reach it."""

MARGIN = 0.1
"""Lead from which on a match is certain: how much the sum of all similarities would fall if it were not made.

On the same faces, of matches that reach `FLOOR` and lead by 0.1 over one stranger, 0.1 % (London) to 3.6 % (10 pixels
between the eyes) were the stranger. 1 to 7 % of the matches lead by less.
"""

MOST = 4
"""Photographs of a person that are looked at together, at most; as many as InstantRestore has."""

SAME_PICTURE = 0.98
"""Similarity from which on a reference as large as the input is taken for the input itself."""


@dataclass(frozen=True, eq=False)
class Match:
    """A face and the person it is."""

    person: Person
    photos: tuple[ReferencePhoto, ...]
    """The person's photographs that serve this face best; the best first."""
    similarity: float | None
    """Of the face and the mean of the person's photographs; None where nothing compared them."""

    @property
    def photo(self) -> ReferencePhoto:
        """The photograph that serves this face best."""
        return self.photos[0]


@dataclass(frozen=True, eq=False)
class Matching:
    """Result of matching the faces of an image."""

    matches: tuple[Match | None, ...]
    """One for each face."""
    notes: tuple[str, ...]
    """Sentences about what is not certain."""
    unused: tuple[LeftOver, ...] = ()
    """People who were compared, and whom no face was given."""


def match_people(seen: EmbeddedFaces, people: Sequence[Person], name: str, force: bool = False) -> Matching:
    """Give each face its person, or none, by the largest sum of similarities.

    Args:
        seen: Faces with embeddings.
        people: Of photographs with embeddings.
        name: What messages call the picture.
        force: Match the most similar even below `FLOOR`, and go on without references where no face was found.

    Raises:
        UnusedReferencesError: If there is no face, or none that reaches `FLOOR` with anybody, and it is not forced.
    """
    if len(seen) == 0:
        return match_nobody(name, force)
    assert seen.embeddings is not None
    alike = (seen.embeddings @ torch.stack([person.embedding for person in people]).mT).clamp(-1, 1)
    least = -1.0 if force else FLOOR
    # two more where forced, so that any match is worth something
    worth = torch.where(alike >= least, alike + (2.0 if force else 0.0), 0.0)
    chosen = best_assignment(worth.tolist())
    if not any(column is not None for column in chosen):
        raise UnusedReferencesError(stranger_sentence(alike, people, name), "strangers")
    matches = tuple(
        None
        if column is None
        else Match(people[column], people[column].best_for(seen.faces.landmarks[row], MOST), alike[row, column].item())
        for row, column in enumerate(chosen)
    )
    notes = uncertain(seen, alike, chosen, people)
    return Matching(matches, tuple(notes), tuple(left_over(alike, chosen, people, least)))


def match_nobody(name: str, force: bool) -> Matching:
    """Result where there is no face; see `match_people`."""
    if force:
        return Matching((), ("No face was found, so the references are not used.",))
    raise UnusedReferencesError(f"No face was found in {name}, so the references are of no use.", "no face")


def stranger_sentence(alike: Float[Tensor, "faces people"], people: Sequence[Person], name: str) -> str:
    """Message where none of the people in the references is in the image."""
    whom = people[0].name if len(people) == 1 else f"any of the {len(people)} people of the references"
    subject = f"The face in {name} is not" if len(alike) == 1 else f"None of the {len(alike)} faces in {name} is"
    return (
        f"{subject} like {whom}: the similarity is {alike.max().item():.2f} at best, {FLOOR:.2f} is wanted. Either it "
        "is somebody else, or too little is left of the face to tell."
    )


def uncertain(
    seen: EmbeddedFaces, alike: Float[Tensor, "faces people"], chosen: Sequence[int | None], people: Sequence[Person]
) -> list[str]:
    """Sentences about matches below `CERTAIN` and about those that lead by less than `MARGIN`."""
    notes = []
    for row, column in enumerate(chosen):
        if column is None:
            continue
        value = alike[row, column].item()
        taken = f"{called(seen, row)} is taken for {people[column].name} (similarity {value:.2f})"
        if value < FLOOR:
            notes.append(f"{taken} because you said so.")
            continue
        lead, other = rival(alike, row, column)
        if lead < MARGIN and other is not None:
            face, person = other
            who = "it" if face == row else called(seen, face, "face")
            notes.append(
                f"{taken}, but {who} is nearly as much like {people[person].name} "
                f"({alike[face, person]:.2f}): look whether it is right."
            )
        elif value < CERTAIN:
            notes.append(f"{taken}, which a stranger reaches now and then: look whether it is right.")
    return notes


def rival(alike: Float[Tensor, "faces people"], row: int, column: int) -> tuple[float, tuple[int, int] | None]:
    """Lead of a match, and the match of the same face, or else of the same person, that would take its place.

    Example:
        >>> rival(torch.tensor([[0.75, 0.5], [0.0, 0.25]]), 0, 0)
        (0.5, (0, 1))
    """
    without = alike.clamp(min=0)
    without[row, column] = 0
    rest = without.clone()
    rest[row], rest[:, column] = 0, 0
    instead = best_assignment(without.tolist())
    lead = alike[row, column].item() + total(rest) - total(without)
    person = instead[row]
    if person is not None:
        return lead, (row, person)
    return lead, (instead.index(column), column) if column in instead else None


def total(worth: Float[Tensor, "faces people"]) -> float:
    """Largest sum of what pairs are worth."""
    pairs = enumerate(best_assignment(worth.tolist()))
    return math.fsum(worth[row, column].item() for row, column in pairs if column is not None)


def left_over(
    alike: Float[Tensor, "faces people"], chosen: Sequence[int | None], people: Sequence[Person], least: float
) -> list[LeftOver]:
    """People whom no face was given."""
    unused = []
    for number, person in enumerate(people):
        if number in chosen:
            continue
        best, row = alike[:, number].max(dim=0)
        taken = chosen[int(row)]
        taken_for = None if taken is None or best.item() < least else people[taken].name
        unused.append(LeftOver(person.name, best.item(), taken_for))
    return unused


def called(seen: EmbeddedFaces, number: int, word: str = "Face") -> str:
    """Name of a face in messages: its number and place, if there are others.

    Args:
        number: Which of them, from 0.
        word: "Face" at the beginning of a sentence, "face" within it.
    """
    if len(seen) == 1:
        return f"The {word.lower()}"
    left, top, right, bottom = seen.faces.boxes[number].tolist()
    return f"{word} {number + 1} at ({(left + right) / 2:.0f}, {(top + bottom) / 2:.0f})"


def note_on_input_itself(match: Match, digest: str, size: tuple[int, int]) -> str | None:
    """A sentence if a reference is the input itself, as a file or by what it shows; else None.

    Args:
        match: A face of the input and its reference.
        size: Height and width of the input in pixels.
    """
    photo = match.photo
    shows_the_same = photo.size == size and len(match.person.photos) == 1 and (match.similarity or 0) >= SAME_PICTURE
    if photo.digest == digest or shows_the_same:
        return f"The reference {photo.path.name} is the picture itself; another photograph would tell more."
    return None


def reference_faces(seen: EmbeddedFaces, matching: Matching) -> ReferenceFaces:
    """Faces that have references, the best of each first, as the restorer takes them."""
    rows = [row for row, match in enumerate(matching.matches) if match is not None]
    photos = [match.photos for match in matching.matches if match is not None]
    crops = [photo.face for own in photos for photo in own]
    person = torch.arange(len(rows)).repeat_interleave(torch.tensor([len(own) for own in photos], dtype=torch.long))
    faces = seen.faces.select(torch.tensor(rows, dtype=torch.long))
    stacked = torch.stack(crops) if crops else torch.zeros(0, 3, 512, 512)
    return ReferenceFaces(faces.boxes, faces.landmarks, stacked, person)


def only_largest(matching: Matching) -> Matching:
    """Keep the first match, which is that of the largest face, for restorers that take one reference."""
    kept = next((row for row, match in enumerate(matching.matches) if match is not None), None)
    matches = tuple(match if row == kept else None for row, match in enumerate(matching.matches))
    dropped = sum(match is not None for match in matching.matches) - sum(match is not None for match in matches)
    if not dropped:
        return matching
    note = "These weights take one reference for a picture, so that of the largest face is used alone."
    return replace(matching, matches=matches, notes=(*matching.notes, note))
