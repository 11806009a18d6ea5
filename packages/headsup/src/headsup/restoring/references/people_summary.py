"""What a run says about its references: whom they show, at the beginning, and who was in the pictures, at the end."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from headsup.restoring.references.enumeration import counted, listed
from headsup.restoring.references.matching import notes_on_absent
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
        return f"{person.folder}: {counted(len(names), 'photograph')}"
    return names[0] if len(names) == 1 else f"{listed(names)}, taken together"


def lines_on_use(
    people: Sequence[Person], used: Sequence[Mapping[str, Sequence[str]]], absent: Sequence[Mapping[str, float]]
) -> list[str]:
    """Which photographs were used, and who was in no picture; nothing where there is one photograph.

    Args:
        used: For each picture the photographs of each person in it, by the person's name.
        absent: For each picture the people whom no face is like, with the largest similarity.
    """
    if sum(len(person.photos) for person in people) < 2 or not used:
        return []
    lines = []
    for name in dict.fromkeys(person.name for person in people):
        pictures = [picture[name] for picture in used if name in picture]
        photos = dict.fromkeys(Path(photo).name for picture in pictures for photo in picture)
        if pictures:
            where = f" in {len(pictures)} of {counted(len(used), 'picture')}" if len(used) > 1 else ""
            what = "" if list(photos) == [name] else f": {listed(list(photos), MOST_NAMES)}"
            lines.append(f"{name} was used{where}{what}.")
    never = {
        name: max(picture[name] for picture in absent if name in picture)
        for name in dict.fromkeys(name for picture in absent for name in picture)
        if not any(name in picture for picture in used)
    }
    return lines + notes_on_absent(never)
