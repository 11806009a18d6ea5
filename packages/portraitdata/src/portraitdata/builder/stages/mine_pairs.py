"""Sixth stage: which faces of different images are of one person (HeadsUp, Section 3)."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portraitdata.builder.config import BuildConfig
from portraitdata.builder.layout import (
    DEDUPLICATE,
    DROPPED,
    FACES,
    KEPT,
    PAIRS,
    PAIRS_SCHEMA,
    SINGLE_FILE,
    read_stage,
    write_rows,
)
from portraitdata.restoration.index.schemas import face_name
from portraitdata.restoration.index.similar_faces import SPLIT_THRESHOLD, similar_faces

ONE_SHOT = "one shot twice"
NOT_ALIKE = "alike for the split only"


def mine_pairs(config: BuildConfig) -> None:
    """Compare each face of the kept images with each, and write all that are alike.

    Pairs are `kept`; those above the threshold of duplicates and those that only matter for the split are marked.
    """
    faces = kept_faces(config)
    names, owners = names_and_owners(faces)
    least, most = config.pairs.similarity_above, config.pairs.duplicates_above
    found = similar_faces(embedding_matrix(faces), owners, min(SPLIT_THRESHOLD, least))
    reasons = [ONE_SHOT if cosine > most else "" if cosine > least else NOT_ALIKE for cosine in found.cosine.tolist()]
    columns = {
        "face_a": [names[face] for face in found.a.tolist()],
        "face_b": [names[face] for face in found.b.tolist()],
        "cosine": found.cosine,
        "status": [DROPPED if reason else KEPT for reason in reasons],
        "stage": ["pairs" if reason else "" for reason in reasons],
        "reason": reasons,
    }
    write_rows(pa.Table.from_pydict(columns, schema=PAIRS_SCHEMA), config.output / PAIRS / SINGLE_FILE[PAIRS])


def kept_images(config: BuildConfig) -> pa.Table:
    """Images that nothing has dropped, in the order of the partitions."""
    images = read_stage(config.output, DEDUPLICATE)
    return images.filter(pc.equal(images["status"], KEPT))


def kept_faces(config: BuildConfig) -> pa.Table:
    """Faces of the kept images, in the order of the images."""
    images = kept_images(config)
    kept = set(zip(images["partition"].to_pylist(), images["uid"].to_pylist(), strict=True))
    faces = read_stage(config.output, FACES)
    keys = zip(faces["partition"].to_pylist(), faces["uid"].to_pylist(), strict=True)
    return faces.filter(pa.array([key in kept for key in keys], pa.bool_()))


def names_and_owners(faces: pa.Table) -> tuple[list[str], NDArray[np.int64]]:
    """Name of each face, and a number of the image that it is in."""
    uids = faces["uid"].to_pylist()
    numbers = {uid: number for number, uid in enumerate(dict.fromkeys(uids))}
    names = [face_name(uid, number) for uid, number in zip(uids, faces["number"].to_pylist(), strict=True)]
    return names, np.array([numbers[uid] for uid in uids], np.int64)


def embedding_matrix(faces: pa.Table) -> NDArray[np.float16]:
    """Embeddings, one in a row."""
    column = faces["embedding"].combine_chunks()
    return column.flatten().to_numpy().reshape(faces.num_rows, -1) if faces.num_rows else np.zeros((0, 1), np.float16)
