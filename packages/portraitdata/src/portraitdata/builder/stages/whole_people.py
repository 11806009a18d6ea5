"""People whom a split tore apart because a likeness of theirs had been missed: they are for training, whole."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool
from numpy.typing import NDArray

from portraitdata.builder.checks.people_checks import nearest_faces


class WholePeople(NamedTuple):
    """A split across which no two faces are alike."""

    tested: Bool[np.ndarray, " n"]
    """True for images for testing."""
    missed: list[tuple[int, int]]
    """Images with alike faces that were on different sides."""
    largest: float | None
    """Similarity of a face for testing and one for training; None if one side has no faces."""


def keep_people_whole(
    embeddings: NDArray[np.float16],
    owners: NDArray[np.int64],
    groups: NDArray[np.int64],
    tested: NDArray[np.bool_],
    threshold: float,
    device: str = "cpu",
) -> WholePeople:
    """Move groups from testing to training until no face for testing is alike to one for training.

    Every face for testing is compared with every face for training, then those that stay with those that moved, as
    long as some move. Testing gets no larger by it.

    Args:
        embeddings: One row for each face, of any length.
        owners: Number of the image that each face is in.
        groups: Number of the group of each image; it is on one side and moves as a whole.
        tested: True for images for testing.
        threshold: Cosine above which faces are alike.
        device: Where they are compared.
    """
    testing, new = np.flatnonzero(tested[owners]), np.flatnonzero(~tested[owners])
    cosine = np.full(len(owners), -np.inf, np.float32)
    missed: list[tuple[int, int]] = []
    while len(testing) and len(new):
        found = nearest_faces(embeddings, testing, new, device)
        cosine[testing] = np.maximum(cosine[testing], found.cosine)
        torn = found.cosine > threshold
        images, others = owners[testing[torn]], owners[found.other[torn]]
        missed += zip(images.tolist(), others.tolist(), strict=True)
        tested = tested & ~np.isin(groups, groups[images])
        stays = tested[owners[testing]]
        testing, new = testing[stays], testing[~stays]
    largest = float(cosine[testing].max(initial=-np.inf))
    return WholePeople(tested, missed, largest if np.isfinite(largest) else None)
