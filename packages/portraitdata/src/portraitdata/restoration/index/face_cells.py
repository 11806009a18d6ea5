"""Pairs of similar faces among more than can be compared each with each, by faiss, at a measured recall.

Faces are divided into cells by k-means, and of each a code of 128 bits is kept, an inverted file with product
quantization (Jegou, Douze and Schmid, 2011). A face is compared with the codes of the cells nearest to it; the faces
whose codes are near enough are compared as they are. A pair is found if either of its faces finds the other.

How many cells and how near is near enough is read off some faces that are compared with all others; the share of their
pairs that is found is the recall.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float32
from numpy.typing import NDArray

from portraitdata.restoration.index.similar_faces import SimilarFaces

if TYPE_CHECKING:
    import faiss

PIECES = 32
"""Parts of an embedding of which each is coded by four bits."""

SAMPLE = 1000
"""Faces that are compared with all."""

FEW_PAIRS = 50
"""Pairs of the sample from which nothing can be read off: then a quarter of the cells is searched."""

TRAINED_BY = 64
"""Faces for each cell that k-means is given."""

ITERATIONS = 10
"""Of k-means."""

CODES_TRAINED_BY = 65_536
"""Faces, for the parts of codes."""

SHARD = 2048
"""Faces that are searched for at once."""

BLOCK = 50_000
"""Faces that are held as numbers of 32 bits at once."""

MARGIN = 2.0
"""Standard errors of the sample's recall by which it has to be better than what is wanted of all."""

ROUNDING = 0.01
"""Of similarities to codes, which faiss sums up in integers."""


class CellSearch(NamedTuple):
    """Pairs that were found, and what share of all pairs that is."""

    pairs: SimilarFaces
    recall: float
    """Share of the pairs of the sample; 1 if there are none."""


@dataclass(frozen=True)
class Faces:
    """Embeddings in half precision, of which unit vectors are made where they are needed."""

    embeddings: NDArray[np.float16]
    photograph: NDArray[np.int64]

    def unit(self, rows: NDArray[np.int64] | slice) -> Float32[np.ndarray, "n k"]:
        """Unit vectors, with zeros at their ends, so that their length is a multiple of `PIECES`."""
        some = torch.from_numpy(np.array(self.embeddings[rows])).float()
        return F.pad(F.normalize(some, dim=1), (0, -some.shape[1] % PIECES)).numpy()

    def cosine(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> Float32[np.ndarray, " n"]:
        """Similarity of faces, two by two."""
        parts = [np.zeros(0, np.float32)]
        for start in range(0, len(a), BLOCK):
            some = slice(start, start + BLOCK)
            parts.append(np.einsum("nk,nk->n", self.unit(a[some]), self.unit(b[some])))
        return np.concatenate(parts)


class Reach(NamedTuple):
    """How far is searched."""

    cells: int
    """Nearest to a face."""
    similarity: float
    """To a code; less similar ones are not looked at."""


def similar_faces_by_cells(
    embeddings: NDArray[np.float16],
    photograph: NDArray[np.int64],
    threshold: float,
    recall: float = 0.99,
    threads: int | None = None,
) -> CellSearch:
    """Pairs of faces of different photographs whose cosine is above a threshold, all but a few.

    Args:
        embeddings: One row for each face, of any length.
        photograph: Number of the photograph that each face is in.
        recall: Share of the pairs that is to be found; more cells are searched until that share of the sample's is,
            with `MARGIN` to spare, so that it holds for all.
        threads: Shards of faces that are searched for at a time; None for as many as there are cores. What is found
            does not depend on it.

    Raises:
        ImportError: If faiss is not installed.
    """
    cells = FaceCells(Faces(embeddings, photograph), threshold)
    sample = _pairs_of_sample(cells.faces, threshold)
    reach, share = _sufficient(cells, sample, recall)
    return CellSearch(cells.search(np.arange(len(embeddings)), reach, threads or os.cpu_count() or 1), share)


class FaceCells:
    """An inverted file of the codes of faces.

    Args:
        faces: Faces that are searched for, and searched.
        threshold: Of the cosine.

    Raises:
        ImportError: If faiss is not installed.
    """

    def __init__(self, faces: Faces, threshold: float) -> None:
        self.faces, self._threshold, self._faiss = faces, threshold, imported_faiss()
        self._faiss.omp_set_num_threads(1)
        self.index = self._trained()
        for first in range(0, len(faces.embeddings), BLOCK):
            self.index.add(faces.unit(slice(first, first + BLOCK)))

    def _trained(self) -> "faiss.IndexIVFPQFastScan":
        faiss, count = self._faiss, len(self.faces.embeddings)
        cells = cells_for(count)
        some = self.faces.unit(slice(None, None, max(1, count // (cells * TRAINED_BY))))
        coarse = faiss.IndexFlatIP(some.shape[1])
        means = faiss.Clustering(some.shape[1], cells)
        means.spherical, means.niter, means.min_points_per_centroid = True, ITERATIONS, 1
        means.train(some, coarse)
        index = faiss.IndexIVFPQFastScan(coarse, some.shape[1], cells, PIECES, 4, faiss.METRIC_INNER_PRODUCT)
        index.train(some[:: max(1, len(some) // CODES_TRAINED_BY)])
        return index

    def search(self, rows: NDArray[np.int64], reach: Reach, threads: int) -> SimilarFaces:
        """Pairs of some faces with any, each once."""
        self.index.nprobe = reach.cells
        shards = [rows[first : first + SHARD] for first in range(0, len(rows), SHARD)]
        with ThreadPoolExecutor(threads, initializer=self._faiss.omp_set_num_threads, initargs=(1,)) as pool:
            found = list(pool.map(lambda some: self._search(some, reach.similarity), shards))
        joined = SimilarFaces(*(np.concatenate(column) for column in zip(*found, strict=True)))
        _, first = np.unique(self.number(joined), return_index=True)
        return SimilarFaces(*(column[first] for column in joined))

    def _search(self, rows: NDArray[np.int64], similarity: float) -> SimilarFaces:
        ends, _, others = self.index.range_search(self.faces.unit(rows), similarity)
        ones = rows.repeat((ends[1:] - ends[:-1]).astype(np.int64))
        a, b = np.minimum(ones, others), np.maximum(ones, others)
        different = self.faces.photograph[a] != self.faces.photograph[b]
        a, b = a[different], b[different]
        cosine = self.faces.cosine(a, b)
        return SimilarFaces(a, b, cosine).select(cosine > self._threshold)

    def number(self, pairs: SimilarFaces) -> NDArray[np.int64]:
        """A number for each pair, in their order."""
        return pairs.a * len(self.faces.embeddings) + pairs.b


def imported_faiss() -> ModuleType:
    """The library; ImportError that says what to install if it is not there."""
    try:
        import faiss
    except ImportError as error:
        raise ImportError(
            "Faces beyond `pairs.exact_up_to` are compared by faiss, which is not installed; `pip install "
            "'portraitdata[faiss]'` installs it. A larger `pairs.exact_up_to` does without, but takes long."
        ) from error
    return faiss


def cells_for(faces: int) -> int:
    """Number of cells for a number of faces: a power of two, about twice its square root.

    Example:
        >>> cells_for(100_000), cells_for(1_000_000)
        (512, 2048)
    """
    return 1 << max(0, round(np.log2(2 * max(faces, 1) ** 0.5)))


def _pairs_of_sample(faces: Faces, threshold: float) -> SimilarFaces:
    """All pairs of some faces: `a` is the face of the sample, `b` any other."""
    count = len(faces.embeddings)
    sample = np.unique(np.linspace(0, count - 1, min(SAMPLE, count)).astype(np.int64))
    unit = torch.from_numpy(faces.unit(sample))
    parts = [SimilarFaces(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))]
    for first in range(0, count, BLOCK):
        cosine = unit @ torch.from_numpy(faces.unit(slice(first, first + BLOCK))).mT
        row, other = (cosine > threshold).nonzero(as_tuple=True)
        found = SimilarFaces(sample[row.numpy()], other.numpy() + first, cosine[row, other].numpy())
        parts.append(found.select(faces.photograph[found.a] != faces.photograph[found.b]))
    return SimilarFaces(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _sufficient(cells: FaceCells, sample: SimilarFaces, recall: float) -> tuple[Reach, float]:
    """A reach that finds a share of the pairs of the sample, and the share that it finds."""
    reach, total = _read_off(cells, sample, recall), cells.index.nlist
    concerned = np.unique(np.concatenate([sample.a, sample.b]))
    wanted = cells.number(SimilarFaces(np.minimum(sample.a, sample.b), np.maximum(sample.a, sample.b), sample.cosine))
    if not len(wanted):
        return reach, 1.0
    while True:
        share = float(np.isin(wanted, cells.number(cells.search(concerned, reach, 1))).mean())
        if share - _error(share, len(wanted)) >= recall or reach == Reach(total, -1.0):
            return reach, share
        # In the end all codes of all cells, which is to compare each with each.
        reach = Reach(total, -1.0) if reach.cells == total else Reach(min(2 * reach.cells, total), reach.similarity / 2)


def _error(share: float, pairs: int) -> float:
    """By how much the share of a sample's pairs may differ from that of all."""
    return MARGIN * float(np.sqrt(share * (1 - share) / max(1, pairs)))


def _read_off(cells: FaceCells, sample: SimilarFaces, recall: float) -> Reach:
    """The reach by which, of the pairs of the sample, all but a part of those that may be missed would be found."""
    index, missed = cells.index, max(0.0, 1 - recall - _error(recall, len(sample.a))) / 4
    one, other = cells.faces.unit(sample.a), cells.faces.unit(sample.b)
    if len(sample.a) < FEW_PAIRS:
        return Reach(max(1, index.nlist // 4), 0.0)
    centres = index.quantizer.reconstruct_n(0, index.nlist)
    nearest = np.minimum(_rank(one, other, centres), _rank(other, one, centres))
    similar = np.einsum("nk,nk->n", one, index.sa_decode(index.sa_encode(other)))
    return Reach(int(np.quantile(nearest, 1 - missed)) + 1, float(np.quantile(similar, missed)) - ROUNDING)


def _rank(faces: NDArray[np.float32], others: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.int64]:
    """How many cells are nearer to each face than the cell of its other one."""
    ranks = [np.zeros(0, np.int64)]
    for first in range(0, len(faces), SHARD):
        some = slice(first, first + SHARD)
        own = (others[some] @ centres.T).argmax(axis=1)
        similarity = faces[some] @ centres.T
        ranks.append((similarity > np.take_along_axis(similarity, own[:, None], 1)).sum(axis=1))
    return np.concatenate(ranks)
