"""Which photographs show one person: by the folder that they lie in, else by their looks."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from headsup.restoring.references.person import Person
from headsup.restoring.references.reference_files import ReferenceFile
from headsup.restoring.references.reference_photo import ReferencePhoto

TOGETHER = 0.5
"""Mean similarity from which photographs that no folder names are taken for one person.

What strangers hardly ever reach: by MobileFaceNet, 4 in a million of the 6.9 million pairs of different people in
Labeled Faces in the Wild, where 50 in a million reach 0.42 and a thousand in a million the usual threshold, 0.337. Of
the photographs of each person there, 94 % are then in one group.
"""


def people_among(found: Sequence[tuple[ReferenceFile, ReferencePhoto]]) -> list[Person]:
    """People whom photographs show, in the order of their first ones.

    A folder that is named after a person decides, and is joined with nothing else. Of the rest, those that are alike
    are joined; without embeddings, those of one folder.
    """
    folders: dict[tuple[Path | None, str], list[ReferencePhoto]] = {}
    compared: list[ReferencePhoto] = []
    people: list[Person] = []
    for file, photo in found:
        if file.person is not None:
            folders.setdefault((None, file.person), []).append(photo)
        elif photo.embedding is not None:
            compared.append(photo)
        elif file.given != file.path:
            folders.setdefault((file.given, file.given.resolve().name), []).append(photo)
        else:
            people.append(Person((photo,)))
    people += [Person(tuple(photos), name) for (_, name), photos in folders.items()]
    people += group_people(compared)
    order = [file.path for file, _ in found]
    return sorted(people, key=lambda person: order.index(person.photos[0].path))


def group_people(photos: Sequence[ReferencePhoto], bound: float = TOGETHER) -> list[Person]:
    """Put photographs of one person together, whatever their order.

    Beginning with each alone, the two groups whose photographs are most alike on average are joined, until no two
    groups reach the bound (average linkage).

    Args:
        photos: Photographs with embeddings.
        bound: Similarity from which photographs are taken for one person.
    """
    people = [Person((photo,)) for photo in photos]
    while len(people) > 1:
        alike = mean_similarities(people).fill_diagonal_(-1)
        first, second = sorted(divmod(int(alike.argmax()), len(people)))
        if alike[first, second] < bound:
            break
        people[first] = Person(people[first].photos + people.pop(second).photos)
    order = list(photos)
    joined = [Person(tuple(sorted(person.photos, key=order.index))) for person in people]
    return sorted(joined, key=lambda person: order.index(person.photos[0]))


def mean_similarities(people: Sequence[Person]) -> Float[Tensor, "p p"]:
    """Mean similarity of the photographs of each two people."""
    means = torch.stack([person.mean for person in people])
    return means @ means.mT
