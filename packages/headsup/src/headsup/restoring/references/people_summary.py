"""What a run says about its references: whom they show, at the beginning, and who was in the pictures, at the end."""

from collections.abc import Mapping, Sequence

from faceops.enumeration import counted, listed
from headsup.restoring.references.left_over import LeftOver
from headsup.restoring.references.matching import FLOOR
from headsup.restoring.references.person import Person

MOST_NAMES = 12
"""Photographs of a person that are named when it is said which were used."""


def lines_on_people(people: Sequence[Person]) -> list[str]:
    """Who is in the references: photographs taken together, by name, unless a folder names the person.

    Nothing where there is one photograph, of which there is nothing to say.
    """
    if sum(len(person.photos) for person in people) < 2:
        return []
    shown = "1 person" if len(people) == 1 else f"{len(people)} people"
    return [f"The references show {shown}:", *(f"  {members(person)}" for person in people)]


def members(person: Person) -> str:
    """A person and the photographs."""
    names = [photo.path.name for photo in person.photos]
    if person.folder is not None:
        return f"{person.name}: {counted(len(names), 'photograph')}"
    if len(names) == 1:
        return person.name
    together = f"{listed(names)}, taken together"
    return together if person.label is None else f"{person.name}: {together}"


def lines_on_use(
    people: Sequence[Person], used: Sequence[Mapping[str, Sequence[str]]], unused: Sequence[Sequence[LeftOver]]
) -> list[str]:
    """Which photographs were used, and who was in no picture; nothing where there is one photograph.

    Args:
        used: For each picture the photographs of each person in it, by the person's name.
        unused: For each picture the people whom no face was given.
    """
    if sum(len(person.photos) for person in people) < 2 or not used:
        return []
    lines = [line for person in people for line in use_of(person, used)]
    nowhere: dict[str, LeftOver] = {}
    for each in sorted((person for picture in unused for person in picture), key=lambda each: -each.similarity):
        if not any(each.person in picture for picture in used):
            nowhere.setdefault(each.person, each)
    return [*(["Used:"] if lines else []), *lines, *notes_on_unused(list(nowhere.values()))]


def use_of(person: Person, used: Sequence[Mapping[str, Sequence[str]]]) -> list[str]:
    """A line on the pictures a person is in and the photographs that were used, unless the name says them; or none."""
    own = {str(photo.path): photo.path.name for photo in person.photos}  # names of photographs may be of several people
    seen = [{path for paths in picture.values() for path in paths} & own.keys() for picture in used]
    if not any(seen):
        return []
    photos = listed([name for path, name in own.items() if path in set.union(*seen)], MOST_NAMES)
    where = f", in {sum(map(bool, seen))} of {counted(len(used), 'picture')}" if len(used) > 1 else ""
    return [f"  {person.name}{where}{'' if photos == person.usual_name else f': {photos}'}"]


def notes_on_unused(people: Sequence[LeftOver]) -> list[str]:
    """Sentences on people whom no face was given: one for all whom no face is like, one for all outdone by the same.

    Example:
        >>> people = [LeftOver("ann", 0.11, None), LeftOver("ben", 0.02, None), LeftOver("eve", 0.4, "cleo")]
        >>> for note in notes_on_unused(people):
        ...     print(note)
        No face is like ann (0.11) and ben (0.02), so they are not used; 0.20 is wanted.
        eve (0.40) is not used: the face most like it is taken for cleo.
    """
    notes = []
    for taken_for in dict.fromkeys(each.taken_for for each in people):
        names = [f"{each.person} ({each.similarity:.2f})" for each in people if each.taken_for == taken_for]
        it, verb = ("it", "is") if len(names) == 1 else ("they", "are")
        if taken_for is None:
            notes.append(f"No face is like {listed(names)}, so {it} {verb} not used; {FLOOR:.2f} is wanted.")
        else:
            them = "it" if len(names) == 1 else "them"
            notes.append(f"{listed(names)} {verb} not used: the face most like {them} is taken for {taken_for}.")
    return notes
