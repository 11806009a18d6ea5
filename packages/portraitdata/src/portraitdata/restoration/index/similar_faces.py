"""Pairs of similar faces, by exact search, and the people they make up."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from numpy.typing import NDArray

from portraitdata.exemplars.index import Split

PAIR_THRESHOLD = 0.65
"""Least similarity of two faces that are a pair: gamma of HeadsUp, Section 3; its value in Appendix C."""

SPLIT_THRESHOLD = 0.45
"""Least similarity of two faces that are kept in one split; lower than that of pairs, to be on the safe side."""

GIANT = 0.2
"""Share of all photographs that one group may have before its threshold is raised."""

BLOCK = 2048
"""Faces that are compared with as many others at once."""


class SimilarFaces(NamedTuple):
    """Pairs of rows a < b, ordered by a and b."""

    a: Int[np.ndarray, " n"]
    b: Int[np.ndarray, " n"]
    cosine: Float[np.ndarray, " n"]

    def select(self, which: NDArray[np.bool_]) -> "SimilarFaces":
        """Those that a mask names."""
        return SimilarFaces(self.a[which], self.b[which], self.cosine[which])


def similar_faces(
    embeddings: NDArray, photograph: NDArray[np.int64], threshold: float, device: str = "cpu"
) -> SimilarFaces:
    """All pairs of faces of different photographs whose cosine is above a threshold, by comparing each with each.

    Args:
        embeddings: One row for each face, of any length.
        photograph: Number of the photograph that each face is in.
        device: Where they are compared.

    Example:
        >>> rows = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [1.0, 0.0]])
        >>> found = similar_faces(rows, np.array([0, 1, 2, 0]), 0.5)
        >>> [(a, b, round(cosine, 2)) for a, b, cosine in zip(*(column.tolist() for column in found))]
        [(0, 1, 0.6), (1, 2, 0.8), (1, 3, 0.6)]
    """
    unit = F.normalize(torch.from_numpy(np.asarray(embeddings, np.float32)).to(device), dim=1)
    parts: list[SimilarFaces] = []
    for top in range(0, len(unit), BLOCK):
        for left in range(top, len(unit), BLOCK):
            cosine = unit[top : top + BLOCK] @ unit[left : left + BLOCK].mT
            # Few are above: everything else is asked of those alone.
            a, b = (cosine > threshold).nonzero(as_tuple=True)
            found = SimilarFaces(*(column.cpu().numpy() for column in (a + top, b + left, cosine[a, b])))
            parts.append(found.select((found.a < found.b) & (photograph[found.a] != photograph[found.b])))
    if not parts:
        return SimilarFaces(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
    return ordered(SimilarFaces(*(np.concatenate(column) for column in zip(*parts, strict=True))))


def ordered(found: SimilarFaces) -> SimilarFaces:
    """Pairs in their order."""
    order = np.lexsort((found.b, found.a))
    return SimilarFaces(*(column[order] for column in found))


@dataclass(frozen=True)
class SplitPeople:
    """A split by people."""

    splits: tuple[Split, ...]
    """Of each photograph."""
    threshold: float
    """Similarity above which two faces were kept together."""
    groups: int
    """Groups of photographs; one without a similar face is a group of its own."""
    largest: int
    """Photographs in the largest group."""


def split_people(
    uids: Sequence[str], edges: Sequence[tuple[int, int, float]], share: float, seed: int, pairs: float = PAIR_THRESHOLD
) -> SplitPeople:
    """Split photographs so that no two similar faces are on both sides.

    Photographs that are connected by similar faces, directly or through others, make a group. Whole groups are drawn
    for testing by a hash of seed and uid, as long as they fit; the largest is for training. Should one group have more
    than `GIANT` of all photographs, because one chance likeness leads to the next, the threshold is raised, at most to
    that of pairs.

    Args:
        edges: Similar faces: two photographs and the similarity.
        share: Share of the photographs that is for testing.
        pairs: Similarity of pairs, which are never torn apart.

    Raises:
        ValueError: If the share is no share.

    Example:
        >>> split_people(["a", "b", "c", "d"], [(0, 1, 0.8), (1, 2, 0.5)], 0.25, seed=0).splits
        ('train', 'train', 'train', 'test')
    """
    if not 0 <= share < 1:
        raise ValueError(f"The share of test photographs lies in [0, 1), got {share}.")
    threshold = min(SPLIT_THRESHOLD, pairs)
    while True:
        group_of = connected(len(uids), ((a, b) for a, b, cosine in edges if cosine > threshold))
        sizes = Counter(group_of)
        largest = max(sizes.values(), default=0)
        if largest <= max(GIANT * len(uids), 1) or threshold >= pairs:
            break
        threshold = min(threshold + 0.05, pairs)
    names = {group: min(uids[member] for member in members) for group, members in _members(group_of).items()}
    drawn = sorted(names, key=lambda group: sha256(f"{seed}:{names[group]}".encode()).digest())
    kept_back = max(drawn, key=lambda group: sizes[group], default=-1)
    tested: set[int] = set()
    count = 0
    for group in drawn:
        if group != kept_back and count + sizes[group] <= round(share * len(uids)):
            tested.add(group)
            count += sizes[group]
    splits: tuple[Split, ...] = tuple("test" if group in tested else "train" for group in group_of)
    return SplitPeople(splits, threshold, len(sizes), largest)


def connected(count: int, edges: Iterable[tuple[int, int]]) -> list[int]:
    """Connected components: for every node the smallest node that it is connected with.

    Example:
        >>> connected(5, [(3, 4), (1, 3)])
        [0, 1, 2, 1, 1]
    """
    parent = list(range(count))

    def top(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b in edges:
        low, high = sorted((top(a), top(b)))
        parent[high] = low
    return [top(node) for node in range(count)]


def _members(group_of: Sequence[int]) -> dict[int, list[int]]:
    members: dict[int, list[int]] = {}
    for node, group in enumerate(group_of):
        members.setdefault(group, []).append(node)
    return members
