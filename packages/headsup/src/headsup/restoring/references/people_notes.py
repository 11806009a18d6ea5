"""Sentences about the references, said once for all pictures."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from faceops.enumeration import listed
from headsup.restoring.references.person import Person

UNLIKE = 0.2
"""Mean similarity with the others of a person's folder below which a photograph is said to be unlike them.

No more than strangers have; `headsup.restoring.references.matching.FLOOR` is the same for damaged faces.
"""

MOST_PAIRS = 5
"""Pairs of people in doubt that are named, the most alike."""


def notes_on_photographs(counts: Mapping[Path, int]) -> list[str]:
    """Sentences about photographs without a face, and about those with several.

    Args:
        counts: How many faces each photograph shows.

    Example:
        >>> notes_on_photographs({Path("a.jpg"): 0, Path("b.jpg"): 1, Path("c.jpg"): 0})
        ['No face was found in a.jpg and c.jpg, so they are not used.']
    """
    notes = []
    if without := [path.name for path, count in counts.items() if count == 0]:
        subject = "it is" if len(without) == 1 else "they are"
        notes.append(f"No face was found in {listed(without)}, so {subject} not used.")
    several = {path.name: count for path, count in counts.items() if count > 1}
    if len(several) == 1:
        notes += [f"Of the {count} faces in {name} the largest is taken." for name, count in several.items()]
    elif several:
        notes.append(f"There are several faces in {listed(list(several))}; of each the largest is taken.")
    return notes


def notes_on_people(people: Sequence[Person], threshold: float) -> list[str]:
    """Sentences about people who may be one, and about photographs that may be in the wrong folder.

    Args:
        threshold: Mean similarity from which two people, not both named by folders, may be one.
    """
    if not people or people[0].photos[0].embedding is None:
        return []
    doubtful = sorted(
        (
            ((first.mean @ second.mean).item(), f"{first.name} with {second.name}")
            for first, second in combinations(people, 2)
            if first.folder is None or second.folder is None
        ),
        reverse=True,
    )
    words = [f"{pair} ({value:.2f})" for value, pair in doubtful if value >= threshold]
    notes = []
    if words:
        more = f"; and {len(words) - MOST_PAIRS} more pairs" if len(words) > MOST_PAIRS else ""
        notes.append(
            f"Alike, but taken for different people: {'; '.join(words[:MOST_PAIRS])}{more}. A folder with a person's "
            "name joins the photographs in it."
        )
    return notes + [note for person in people if person.folder is not None for note in notes_on_folder(person)]


def notes_on_folder(person: Person) -> list[str]:
    """A sentence about the photographs in a person's folder that are unlike the others, if there are any."""
    count, mean = len(person.photos), person.mean
    unlike = []
    for photo in person.photos:
        assert photo.embedding is not None
        others = (mean * count - photo.embedding) / max(count - 1, 1)
        if count > 1 and photo.embedding @ others < UNLIKE:
            unlike.append(photo.path.name)
    if not unlike:
        return []
    which = f"{listed(unlike)} {'is' if len(unlike) == 1 else 'are'} unlike the other photographs"
    return [f"In the folder {person.folder}, {which}: look whether the largest face is that person's."]
