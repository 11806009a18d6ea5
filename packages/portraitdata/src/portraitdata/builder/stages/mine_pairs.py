"""Sixth stage: which faces of different images are of one person (HeadsUp, Section 3)."""

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from portraitdata.builder.config import BuildConfig, PairSettings
from portraitdata.builder.layout import (
    DEDUPLICATE,
    DROPPED,
    FACES,
    KEPT,
    PAIR_FACTS,
    PAIRS,
    PAIRS_SCHEMA,
    SINGLE_FILE,
    PairFacts,
    stage_parts,
    stage_schema,
    write_rows,
)
from portraitdata.builder.marking import NAMED_BY, Takedown
from portraitdata.restoration.index.face_cells import CellSearch, similar_faces_by_cells
from portraitdata.restoration.index.similar_faces import SPLIT_THRESHOLD, similar_faces

ONE_SHOT = "one shot twice"
NOT_ALIKE = "alike for the split only"

WITH_GPU = 20
"""Times as many faces are compared each with each by a GPU, in as long as by a core some hundred times slower."""


def mine_pairs(config: BuildConfig) -> None:
    """Compare the faces of the kept images, and write all that are alike.

    Pairs are `kept`; those above the threshold of duplicates and those that only matter for the split are marked. Up to
    `exact_up_to` faces each is compared with each, on a GPU up to `WITH_GPU` times as many; more are searched by faiss,
    which misses some. The split does not rely on those that are found (see `keep_people_whole`).

    Raises:
        ImportError: If faiss is needed and not installed.
    """
    faces = kept_faces(config, ("uid", "number", "embedding"))
    names = pc.binary_join_element_wise(faces["uid"], pc.cast(faces["number"], pa.string()), ":")
    least, most = config.pairs.similarity_above, config.pairs.duplicates_above
    search = _search(embedding_matrix(faces), owners_of(faces), min(SPLIT_THRESHOLD, least), config.pairs)
    found = search.pairs
    reasons = np.where(found.cosine > most, ONE_SHOT, np.where(found.cosine > least, "", NOT_ALIKE))
    columns = {
        "face_a": names.take(pa.array(found.a)),
        "face_b": names.take(pa.array(found.b)),
        "cosine": pa.array(found.cosine),
        "status": pa.array(np.where(reasons == "", KEPT, DROPPED)),
        "stage": pa.array(np.where(reasons == "", "", "pairs")),
        "reason": pa.array(reasons),
    }
    facts = PairFacts(faces.num_rows, search.recall)
    table = pa.table(columns, schema=PAIRS_SCHEMA.with_metadata({PAIR_FACTS: json.dumps(facts._asdict()).encode()}))
    write_rows(table, config.output / PAIRS / SINGLE_FILE[PAIRS])


def _search(
    embeddings: NDArray[np.float16], owners: NDArray[np.int64], threshold: float, settings: PairSettings
) -> CellSearch:
    device = comparing_device(len(embeddings), settings)
    if len(embeddings) > settings.exact_up_to * (WITH_GPU if device == "cuda" else 1):
        return similar_faces_by_cells(embeddings, owners, threshold, settings.recall_at_least)
    return CellSearch(similar_faces(embeddings, owners, threshold, device), 1.0)


def comparing_device(faces: int, settings: PairSettings) -> str:
    """Device on which a number of faces is compared: a GPU if there is one and they are more than `exact_up_to`."""
    return "cuda" if faces > settings.exact_up_to and torch.cuda.is_available() else "cpu"


def kept_images(config: BuildConfig, columns: Sequence[str] | None = None) -> pa.Table:
    """Images that nothing has dropped and that need not go now, in the order of the partitions.

    Args:
        columns: Columns to read; None for all.
    """
    takedown = Takedown(config)  # asked again: images may have been listed since they were deduplicated
    wanted = None if columns is None else list(dict.fromkeys([*columns, *NAMED_BY, "takedown", "status"]))
    parts = [stage_schema(DEDUPLICATE, columns).empty_table()]
    for part in stage_parts(config.output, DEDUPLICATE, wanted):
        stays = pc.and_(pc.equal(part["status"], KEPT), pa.array(~takedown.listed(part)))
        parts.append(part.filter(stays).select(parts[0].schema.names))
    return pa.concat_tables(parts)


def kept_faces(config: BuildConfig, columns: Sequence[str] | None = None) -> pa.Table:
    """Faces of the kept images, in the order of the images.

    Args:
        columns: Columns to read; None for all.
    """
    images = kept_images(config, ["partition", "uid"])
    partitions, uids = images["partition"].to_numpy(), images["uid"].combine_chunks()
    wanted = None if columns is None else list(dict.fromkeys([*columns, "partition", "uid"]))
    parts = [stage_schema(FACES, columns).empty_table()]
    for part in stage_parts(config.output, FACES, wanted):
        for partition in part["partition"].unique().to_pylist():
            first, last = np.searchsorted(partitions, [partition, partition + 1])
            of_kept = pc.and_(pc.equal(part["partition"], partition), pc.is_in(part["uid"], uids[first:last]))
            parts.append(part.filter(of_kept).select(parts[0].schema.names))
    return pa.concat_tables(parts)


def pairs_among(pairs: pa.Table, images: pa.Table) -> pa.Table:
    """Pairs of which both faces are in some images, by their uids."""
    for side in ("face_a", "face_b"):
        owners = pc.replace_substring_regex(pairs[side], ":[^:]*$", "")
        pairs = pairs.filter(pc.is_in(owners, images["uid"].combine_chunks()))
    return pairs


def owners_of(faces: pa.Table) -> NDArray[np.int64]:
    """Number of the image that each face is in."""
    return faces["uid"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)


def embedding_matrix(faces: pa.Table) -> NDArray[np.float16]:
    """Embeddings, one in a row, filled in part by part: all of them at once are the largest thing of a build."""
    chunks = [chunk.flatten().to_numpy() for chunk in faces["embedding"].chunks if len(chunk)]
    if not chunks:
        return np.zeros((0, 1), np.float16)
    return np.concatenate(chunks).reshape(faces.num_rows, -1)
