"""Images that look alike: of each two the better one stays, unless their faces are of two people."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int, Integer
from numpy.typing import NDArray

from portraitdata.builder.config import DuplicateSettings
from portraitdata.builder.layout import FACES, stage_parts
from portraitdata.builder.stages.alike_hashes import alike_hashes, bit_counts
from portraitdata.storage.places import Place

AT_ONCE = 100_000
"""Pairs that are looked at before the next are turned into numbers of Python."""


class HashedImages(NamedTuple):
    """What the comparison needs of each image, in the order of the rows."""

    rows: Int[np.ndarray, " n"]
    partitions: Integer[np.ndarray, " n"]
    uids: pa.Array
    hashes: Integer[np.ndarray, " n"]
    pixels: Int[np.ndarray, " n"]


class NearDuplicates(NamedTuple):
    """Rows that look like a better one, in their order."""

    rows: Int[np.ndarray, " n"]
    betters: Int[np.ndarray, " n"]
    bits: Integer[np.ndarray, " n"]
    """Of 64, that differ."""


class ImageFaces(NamedTuple):
    """Unit embeddings of the faces of some images, those of one image after the other."""

    embeddings: Float[np.ndarray, "m d"]
    starts: Int[np.ndarray, " n+1"]

    def closest(self, one: int, other: int) -> float:
        """Similarity of the two most similar faces of two images."""
        first, second = (self.embeddings[self.starts[image] : self.starts[image + 1]] for image in (one, other))
        return float((first @ second.T).max())


def near_duplicates(build: Place, images: HashedImages, settings: DuplicateSettings) -> NearDuplicates:
    """Find the images that go: of each two alike the one with fewer pixels, then the later one."""
    # The best first: then of each two the later one goes, unless the earlier one is gone itself.
    best = np.lexsort((images.rows, -images.pixels))
    alike = alike_hashes(images.hashes[best], settings.hamming_at_most)
    one, other = best[alike.a], best[alike.b]
    concerned = np.unique(np.concatenate([one, other]))
    faces = faces_of(build, images.partitions[concerned], images.uids.take(pa.array(concerned)))
    places = np.searchsorted(concerned, one), np.searchsorted(concerned, other)
    gone = np.zeros(len(concerned), np.bool_)
    found: list[tuple[int, int]] = []
    for a, b in _numbers(*places):
        if not gone[a] and not gone[b] and faces.closest(a, b) >= settings.same_faces_above:
            gone[b] = True
            found.append((b, a))
    worse, better = concerned[np.array(sorted(found), np.int64).reshape(-1, 2)].T
    bits = bit_counts(images.hashes[worse] ^ images.hashes[better])
    return NearDuplicates(images.rows[worse], images.rows[better], bits)


def faces_of(build: Place, partitions: NDArray, uids: pa.Array) -> ImageFaces:
    """Faces of images that are named in the order of their partitions."""
    owners, embeddings = [np.zeros(0, np.int64)], []
    for part in stage_parts(build, FACES, ["partition", "uid", "embedding"]):
        for partition in part["partition"].unique().to_pylist():
            first, last = np.searchsorted(partitions, [partition, partition + 1])
            here = part.filter(pc.equal(part["partition"], partition))
            image = pc.index_in(here["uid"], uids[first:last]).combine_chunks()
            known = here.filter(image.is_valid())
            if known.num_rows:
                owners.append(image.drop_null().to_numpy() + first)
                embeddings.append(known["embedding"].combine_chunks().flatten().to_numpy().reshape(len(owners[-1]), -1))
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    unit = (np.concatenate(embeddings) if embeddings else np.zeros((0, 1), np.float16))[order].astype(np.float32)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    return ImageFaces(unit, np.searchsorted(owner[order], np.arange(len(uids) + 1)))


def _numbers(one: NDArray[np.int64], other: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    for start in range(0, len(one), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        yield from zip(one[some].tolist(), other[some].tolist(), strict=True)
