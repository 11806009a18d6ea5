"""Checks that nobody is on both sides of a split."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from numpy.typing import NDArray

from portraitdata.restoration.index.schemas import face_name
from portraitdata.restoration.index.tables import IndexTables, embedding_matrix

BLOCK = 8192
"""Faces that are compared with as many others at once."""

ROUNDING = 1e-3
"""Tolerance of the cosine of embeddings stored in half precision."""


class Nearest(NamedTuple):
    """For each of some faces the most similar one of others."""

    other: Int[np.ndarray, " n"]
    cosine: Float[np.ndarray, " n"]


def nearest_faces(
    embeddings: NDArray, faces: NDArray[np.int64], others: NDArray[np.int64], device: str = "cpu"
) -> Nearest:
    """The most similar of other faces for each of some faces, by comparing each with each.

    Blocks of either are compared, so that beside the embeddings little is held, however many faces there are.

    Args:
        embeddings: One row for each face, of any length.
        faces: Rows of those for which the most similar is sought.
        others: Rows of those among which it is sought.
        device: Where they are compared.

    Returns:
        `other` holds rows of the embeddings.

    Raises:
        ValueError: If there are no others.

    Example:
        >>> rows = np.array([[2.0, 0.0], [0.0, 1.0], [0.6, 0.8], [1.0, 0.0]])
        >>> found = nearest_faces(rows, np.array([0, 1]), np.array([2, 3]))
        >>> found.other.tolist(), [round(value, 2) for value in found.cosine.tolist()]
        ([3, 2], [1.0, 0.8])
    """
    if not len(others):
        raise ValueError("There are no faces to compare with.")
    found = [Nearest(np.zeros(0, np.int64), np.zeros(0, np.float32))]
    for start in range(0, len(faces), BLOCK):
        found.append(_nearest_of_block(embeddings, faces[start : start + BLOCK], others, device))
    return Nearest(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _nearest_of_block(embeddings: NDArray, faces: NDArray[np.int64], others: NDArray[np.int64], device: str) -> Nearest:
    one = _unit_vectors(embeddings[faces], device)
    cosine = torch.full((len(faces),), -torch.inf, device=device)
    place = torch.zeros(len(faces), dtype=torch.int64, device=device)
    for start in range(0, len(others), BLOCK):
        best = (one @ _unit_vectors(embeddings[others[start : start + BLOCK]], device).mT).max(dim=1)
        place = torch.where(best.values > cosine, best.indices + start, place)
        cosine = torch.maximum(cosine, best.values)
    return Nearest(others[place.cpu().numpy()], cosine.cpu().numpy())


def _unit_vectors(rows: NDArray, device: str) -> Float[torch.Tensor, "n k"]:
    return F.normalize(torch.from_numpy(rows).to(device).float(), dim=1)


class CrossSplit(NamedTuple):
    """The test faces with an embedding, and how alike the most similar training face is."""

    names: list[str]
    nearest_names: list[str]
    cosine: Float[np.ndarray, " n"]


def cross_split(tables: IndexTables) -> CrossSplit | None:
    """Compare every test face with every training face; None where one side has no embeddings."""
    embeddings, rows = embedding_matrix(tables.faces)
    split_of = dict(zip(tables.images["uid"].to_pylist(), tables.images["split"].to_pylist(), strict=True))
    owners, numbers = (tables.faces[name].to_pylist() for name in ("uid", "number"))
    splits = np.array([split_of.get(owners[row], "") for row in rows], object)
    train, test = (np.flatnonzero(splits == side) for side in ("train", "test"))
    if not len(train) or not len(test):
        return None
    found = nearest_faces(embeddings, test, train)
    names = [face_name(owners[row], numbers[row]) for row in rows]
    return CrossSplit([names[i] for i in test], [names[i] for i in found.other], found.cosine)


def people_problems(found: CrossSplit | None, threshold: float) -> list[str]:
    """A sentence for every test face that is more similar to a training face than a split may tear apart."""
    if found is None:
        return []
    return [
        f"The test face {name} is {cosine:.3f} similar to the training face {other}, above {threshold:.2f}: "
        "one person on both sides."
        for name, other, cosine in zip(found.names, found.nearest_names, found.cosine.tolist(), strict=True)
        if cosine > threshold + ROUNDING
    ]
