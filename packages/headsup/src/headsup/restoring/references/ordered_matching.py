"""Matching of faces with people by their order, where no network tells people apart."""

from collections.abc import Sequence

from faceops.enumeration import listed
from headsup.restoring.references.face_recognition import EmbeddedFaces
from headsup.restoring.references.matching import MOST, Match, Matching, called, match_nobody
from headsup.restoring.references.person import Person

NOT_COMPARED = "No network tells people apart, so the order of the references decides"

MOST_NAMES = 3
"""People without a face that are named for each picture; the rest is counted."""


def match_in_order(
    seen: EmbeddedFaces, people: Sequence[Person], name: str, marked: bool = False, force: bool = False
) -> Matching:
    """Give the faces, from left to right, the people in their order; of more faces than people, the largest faces.

    Args:
        name: What messages call the picture.
        marked: Whether somebody said which face counts: then all references are for it, unless folders name people.
        force: Go on without references where no face was found.

    Raises:
        UnusedReferencesError: If there is no face, and it is not forced.
    """
    if len(seen) == 0:
        return match_nobody(name, force)
    if marked and all(person.folder is None for person in people):
        people = [Person(tuple(photo for person in people for photo in person.photos))]
    centres = seen.faces.boxes[:, [0, 2]].mean(dim=1).tolist()
    rows = sorted(range(min(len(seen), len(people))), key=centres.__getitem__)  # faces are the largest first
    given = dict(zip(rows, people, strict=False))
    matches = tuple(
        Match(given[row], given[row].best_for(seen.faces.landmarks[row], MOST), None) if row in given else None
        for row in range(len(seen))
    )
    return Matching(matches, tuple(notes_on_order(seen, given, people)))


def notes_on_order(seen: EmbeddedFaces, given: dict[int, Person], people: Sequence[Person]) -> list[str]:
    """A sentence on who was taken for whom, where that was not settled by there being one face and one person.

    Args:
        given: The person of each face that has one, from left to right.
    """
    if len(seen) == len(people) == 1:
        return []
    taken = [f"{called(seen, row, 'face').lower()} is taken for {person.name}" for row, person in given.items()]
    direction = ", from left to right" if len(given) > 1 else ""
    notes = f"{NOT_COMPARED}{direction}: {listed(taken)}"
    if rest := [person.name for person in people[len(given) :]]:
        notes += f"; {listed(rest, MOST_NAMES)} {'is' if len(rest) == 1 else 'are'} not used"
    if len(seen) > len(given):
        notes += "; smaller faces have no reference"
    return [f"{notes}. Look whether it is right."]
