"""Fifth stage: of equal files and of images that look alike, one is kept."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portraitdata.builder.candidates import Batch
from portraitdata.builder.config import BuildConfig, DuplicateSettings, StageName
from portraitdata.builder.layout import (
    DEDUPLICATE,
    FACES,
    FACES_IMAGES,
    IMAGES_SCHEMA,
    SINGLE_FILE,
    read_stage,
    write_rows,
)
from portraitdata.builder.marking import Drop, Takedown, drop, kept_rows
from portraitdata.builder.stages.perceptual_hash import alike_hashes

STAGE: StageName = "deduplicate"

FaceKey = tuple[int, str]
"""Partition and uid of an image."""


def deduplicate(config: BuildConfig) -> None:
    """Mark duplicates among all images, and write the table of all of them.

    Of equal files the first is kept, of images that look alike the one with the most pixels, then the first.
    """
    batch: Batch = read_stage(config.output, FACES_IMAGES).to_pydict()
    takedown = Takedown(config)
    for row in kept_rows(batch):
        takedown.apply(batch, row, STAGE)
    _drop_repeated(batch, "uid", "listed twice")
    _drop_repeated(batch, "sha256", "equal file")
    faces = read_stage(config.output, FACES, ["partition", "uid", "embedding"])
    _drop_alike(batch, embeddings_of(faces), config.duplicates)
    table = pa.Table.from_pydict(batch, schema=IMAGES_SCHEMA)
    write_rows(table, config.output / DEDUPLICATE / SINGLE_FILE[DEDUPLICATE])


def embeddings_of(faces: pa.Table) -> dict[FaceKey, NDArray[np.float32]]:
    """Unit embeddings of the faces of each image, one in a row."""
    rows: dict[FaceKey, list[NDArray]] = defaultdict(list)
    for partition, uid, embedding in zip(
        *(faces[name].to_pylist() for name in ("partition", "uid", "embedding")), strict=True
    ):
        vector = np.asarray(embedding, np.float32)
        rows[partition, uid].append(vector / max(float(np.linalg.norm(vector)), 1e-12))
    return {key: np.stack(vectors) for key, vectors in rows.items()}


def _drop_repeated(batch: Batch, column: str, reason: str) -> None:
    first: dict[str, int] = {}
    for row in kept_rows(batch):
        same = first.setdefault(batch[column][row], row)
        if same != row:
            drop(batch, row, STAGE, Drop(reason, f"{place(batch, row)} is the same as {place(batch, same)}."))


def _drop_alike(batch: Batch, embeddings: dict[FaceKey, NDArray[np.float32]], settings: DuplicateSettings) -> None:
    # The best first: then of each two the later one goes, unless the earlier one is gone itself.
    rows = sorted(kept_rows(batch), key=lambda row: (-batch["width"][row] * batch["height"][row], row))
    alike = alike_hashes(np.array([batch["phash"][row] for row in rows], np.uint64), settings.hamming_at_most)
    gone: set[int] = set()
    for a, b in zip(alike.a.tolist(), alike.b.tolist(), strict=True):
        if a in gone or b in gone:
            continue
        keys = [(batch["partition"][row], batch["uid"][row]) for row in (rows[a], rows[b])]
        if _closest(embeddings, keys) < settings.same_faces_above:
            continue
        gone.add(b)
        bits = (batch["phash"][rows[a]] ^ batch["phash"][rows[b]]).bit_count()
        detail = f"{place(batch, rows[b])} looks like {place(batch, rows[a])}: {bits} of 64 bits differ."
        drop(batch, rows[b], STAGE, Drop("near-duplicate", detail))


def _closest(embeddings: dict[FaceKey, NDArray[np.float32]], keys: Sequence[FaceKey]) -> float:
    """Similarity of the two most similar faces of two images."""
    first, second = (embeddings[key] for key in keys)
    return float((first @ second.T).max())


def place(batch: Batch, row: int) -> str:
    """Name of an image in messages."""
    return batch["url"][row] or batch["path"][row]
