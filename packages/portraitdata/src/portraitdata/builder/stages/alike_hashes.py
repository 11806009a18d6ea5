"""Pairs of perceptual hashes that differ in few bits, all of them, without comparing each with each.

After Manku, Jain and Das Sarma (2007): if the bits are cut into `at_most` + `INTACT` blocks, hashes that differ in at
most that many bits agree in some `INTACT` blocks. So for every choice of blocks the hashes are sorted by them, and
only those that agree there are compared.
"""

from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from portraitdata.restoration.index.similar_faces import SimilarFaces, ordered, similar_faces

BITS = 64

INTACT = 3
"""Blocks that are sorted by: more are more orders, fewer are more comparisons."""

FEW = 4096
"""Hashes that are compared each with each, which is faster for so few."""

MANY_BITS = 16
"""Differing bits from which on so few bits remain to sort by that comparing each with each is faster."""

BITS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(1, dtype=np.uint8)


def alike_hashes(hashes: NDArray[np.uint64], at_most: int) -> SimilarFaces:
    """All pairs of hashes that differ in few bits.

    Args:
        at_most: Bits that may differ; a negative number finds nothing.

    Returns:
        Pairs a < b; their cosine is 1 - bits / 32.

    Example:
        >>> found = alike_hashes(np.array([0, 0b111, 2**64 - 1], np.uint64), 3)
        >>> list(zip(found.a.tolist(), found.b.tolist(), found.cosine.tolist()))
        [(0, 1, 0.90625)]
    """
    if at_most < 0 or len(hashes) <= FEW or at_most >= MANY_BITS:
        return compared_hashes(hashes, at_most)
    return sorted_hashes(hashes, at_most)


def compared_hashes(hashes: NDArray[np.uint64], at_most: int) -> SimilarFaces:
    """As `alike_hashes`, by comparing each with each."""
    bits = np.unpackbits(hashes.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1)
    # With bits as +-1 the cosine is 1 - 2 n / 64; the threshold lies half a bit below that of the last pair.
    return similar_faces(bits * np.float32(2) - 1, np.arange(len(hashes)), 1 - (2 * at_most + 1) / BITS)


def sorted_hashes(hashes: NDArray[np.uint64], at_most: int) -> SimilarFaces:
    """As `alike_hashes`, by sorting; `at_most` is not negative."""
    blocks = _blocks(at_most + INTACT)
    parts = [
        found
        for chosen in combinations(range(len(blocks)), INTACT)
        for found in _agreeing(hashes, at_most, blocks, chosen)
    ]
    a, b, bits = (np.concatenate(column) for column in zip(*parts, strict=True))
    return ordered(SimilarFaces(np.minimum(a, b), np.maximum(a, b), (1 - bits / 32).astype(np.float32)))


def _blocks(count: int) -> list[np.uint64]:
    """Masks of blocks of bits that are as long as one another, or one bit longer."""
    ends = [BITS * number // count for number in range(count + 1)]
    return [np.uint64((1 << end) - (1 << start)) for start, end in pairwise(ends)]


def _agreeing(
    hashes: NDArray[np.uint64], at_most: int, blocks: list[np.uint64], chosen: tuple[int, ...]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]]:
    """Pairs that agree in the chosen blocks and in no others before the last of these, so that none comes twice."""
    mask = np.bitwise_or.reduce([blocks[number] for number in chosen])
    before = [blocks[number] for number in range(chosen[-1]) if number not in chosen]
    order = np.argsort(hashes & mask)
    sorted_ = hashes[order]
    keys = sorted_ & mask
    # Places whose key the place `apart` further on still has.
    places, apart = np.arange(len(keys)), 0
    yield np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint8)
    while len(places):
        apart += 1
        places = places[: np.searchsorted(places, len(keys) - apart)]
        places = places[keys[places] == keys[places + apart]]
        different = sorted_[places] ^ sorted_[places + apart]
        bits = bit_counts(different)
        wanted = bits <= at_most
        for block in before:
            wanted &= (different & block) != 0
        yield order[places[wanted]], order[places[wanted] + apart], bits[wanted]


def bit_counts(values: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Number of ones of each value.

    Example:
        >>> bit_counts(np.array([0, 5, 2**64 - 1], np.uint64)).tolist()
        [0, 2, 64]
    """
    return BITS_OF_BYTE[values.view(np.uint8)].reshape(-1, 8).sum(axis=1, dtype=np.uint8)
