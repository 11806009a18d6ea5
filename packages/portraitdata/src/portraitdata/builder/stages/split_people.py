"""Seventh stage: nobody is on both sides of the split; a face for testing has at most one reference."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from portraitdata.builder.checks.people_checks import nearest_faces
from portraitdata.builder.config import BuildConfig
from portraitdata.builder.layout import (
    DROPPED,
    KEPT,
    PAIRS,
    PAIRS_SCHEMA,
    SINGLE_FILE,
    SPLIT,
    SPLIT_FACTS,
    SPLIT_PAIRS_FILE,
    SPLITS_SCHEMA,
    SplitFacts,
    read_stage,
    write_rows,
)
from portraitdata.builder.stages.mine_pairs import embedding_matrix, kept_faces, kept_images, pairs_among
from portraitdata.restoration.index.similar_faces import connected, split_people

TRAINED_AT_ONCE = 100_000
"""Faces for training that are compared at once."""

NOT_THE_BEST = "not the most similar of a face for testing"


def split_images(config: BuildConfig) -> None:
    """Divide the kept images by connected components of similar faces, and write splits, pairs and facts.

    HeadsUp splits the images at random, which leaves people on both sides. The largest similarity across the split is
    that of all faces, or of so many for testing that no more are compared than the faces that `exact_up_to` allows.
    """
    images = kept_images(config, ["uid"])
    uids = images["uid"].to_pylist()
    number_of = {uid: number for number, uid in enumerate(uids)}
    pairs = pairs_among(read_stage(config.output, PAIRS), images)
    owners = [[number_of[name.rpartition(":")[0]] for name in pairs[side].to_pylist()] for side in ("face_a", "face_b")]
    edges = list(zip(*owners, pairs["cosine"].to_pylist(), strict=True))
    settings = config.split
    split = split_people(uids, edges, settings.test_share, settings.seed, config.pairs.similarity_above)
    groups = connected(len(uids), ((a, b) for a, b, cosine in edges if cosine > split.threshold))
    test = {uid for uid, part in zip(uids, split.splits, strict=True) if part == "test"}
    write_rows(one_reference(pairs, test), config.output / SPLIT / SPLIT_PAIRS_FILE)
    facts = SplitFacts(split.threshold, split.groups, split.largest, _largest_cross(config, test))
    columns = {"uid": uids, "split": list(split.splits), "group": [uids[group] for group in groups]}
    table = pa.Table.from_pydict(columns, schema=SPLITS_SCHEMA)
    stored = table.replace_schema_metadata({SPLIT_FACTS: json.dumps(facts._asdict()).encode()})
    write_rows(stored, config.output / SPLIT / SINGLE_FILE[SPLIT])


def one_reference(pairs: pa.Table, test: set[str]) -> pa.Table:
    """Pairs of which those for testing that are not the most similar of either face are marked.

    Args:
        pairs: Table of `PAIRS_SCHEMA`.
        test: uids of the images for testing.
    """
    columns = pairs.to_pydict()
    kept = [row for row, status in enumerate(columns["status"]) if status == KEPT]
    testing = [row for row in kept if columns["face_a"][row].rpartition(":")[0] in test]
    best: dict[str, int] = {}
    for row in sorted(testing, key=lambda row: (-columns["cosine"][row], row)):
        best.setdefault(columns["face_a"][row], row)
        best.setdefault(columns["face_b"][row], row)
    for row in set(testing) - set(best.values()):
        columns["status"][row], columns["stage"][row], columns["reason"][row] = DROPPED, "split", NOT_THE_BEST
    return pa.Table.from_pydict(columns, schema=PAIRS_SCHEMA)


def _largest_cross(config: BuildConfig, test: set[str]) -> float | None:
    faces = kept_faces(config, ("uid", "embedding"))
    testing = np.asarray(pc.is_in(faces["uid"], pa.array(sorted(test), pa.string())))
    if testing.all() or not testing.any():
        return None
    embeddings = embedding_matrix(faces)
    tested, trained = np.flatnonzero(testing), np.flatnonzero(~testing)
    step = -(-len(tested) * len(trained) // config.pairs.exact_up_to**2)
    blocks = [trained[start : start + TRAINED_AT_ONCE] for start in range(0, len(trained), TRAINED_AT_ONCE)]
    best = (nearest_faces(embeddings[tested[::step]], embeddings[block]).cosine.max() for block in blocks)
    return round(float(max(best)), 6)
