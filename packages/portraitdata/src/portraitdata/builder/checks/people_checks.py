"""Checks that nobody is on both sides of a split."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from numpy.typing import NDArray

from portraitdata.restoration.index.schemas import face_name
from portraitdata.restoration.index.tables import IndexTables, embedding_matrix

BLOCK = 4096
"""Faces that are compared with all others at once."""

ROUNDING = 1e-3
"""Tolerance of the cosine of embeddings stored in half precision."""


class Nearest(NamedTuple):
    """For each of some faces the most similar one of others."""

    other: Int[np.ndarray, " n"]
    cosine: Float[np.ndarray, " n"]


def nearest_faces(faces: NDArray, others: NDArray) -> Nearest:
    """The most similar of other faces for each face, by comparing each with each.

    Args:
        faces: Embeddings, one row for each face.

    Raises:
        ValueError: If there are no others.

    Example:
        >>> found = nearest_faces(np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([[0.6, 0.8], [1.0, 0.0]]))
        >>> found.other.tolist(), [round(value, 2) for value in found.cosine.tolist()]
        ([1, 0], [1.0, 0.8])
    """
    if not len(others):
        raise ValueError("There are no faces to compare with.")
    one, other = (F.normalize(torch.from_numpy(np.asarray(rows, np.float32)), dim=1) for rows in (faces, others))
    best = [(one[start : start + BLOCK] @ other.mT).max(dim=1) for start in range(0, len(one), BLOCK)]
    if not best:
        return Nearest(np.zeros(0, np.int64), np.zeros(0, np.float32))
    return Nearest(
        torch.cat([found.indices for found in best]).numpy(), torch.cat([found.values for found in best]).numpy()
    )


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
    found = nearest_faces(embeddings[test], embeddings[train])
    names = [face_name(owners[row], numbers[row]) for row in rows]
    return CrossSplit([names[i] for i in test], [names[i] for i in train[found.other]], found.cosine)


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
