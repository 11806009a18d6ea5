"""Names of people that no two of them share."""

from collections.abc import Sequence
from dataclasses import replace

from headsup.restoring.references.person import Person


def distinctly_named(people: Sequence[Person], by_folder: bool) -> list[Person]:
    """The same people; those of one name are told apart by the folders of their photographs, or else numbered.

    Args:
        by_folder: Whether the names of folders say anything; else there are only numbers.
    """
    namesakes: dict[str, list[Person]] = {}
    for person in people:
        namesakes.setdefault(person.usual_name, []).append(person)
    return [labelled(person, namesakes[person.usual_name], by_folder) for person in people]


def labelled(person: Person, namesakes: Sequence[Person], by_folder: bool) -> Person:
    """A person with a label, if there are others among the namesakes."""
    if len(namesakes) == 1:
        return person
    folders = [each.photos[0].path.parent.name for each in namesakes]
    number = namesakes.index(person)
    if by_folder and len(set(folders)) == len(folders) and all(folders):
        return replace(person, label=f"{folders[number]}/{person.usual_name}")
    return replace(person, label=f"{person.usual_name} ({number + 1})")
