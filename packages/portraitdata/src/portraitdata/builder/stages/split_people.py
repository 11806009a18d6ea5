"""Seventh stage: nobody is on both sides of the split; a face for testing has at most one reference."""

import json
from collections import Counter

import numpy as np
import pyarrow as pa

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
from portraitdata.builder.stages.mine_pairs import (
    comparing_device,
    embedding_matrix,
    kept_faces,
    kept_images,
    pairs_among,
)
from portraitdata.builder.stages.whole_people import WholePeople, keep_people_whole
from portraitdata.restoration.index.similar_faces import SplitPeople, connected, split_people

NOT_THE_BEST = "not the most similar of a face for testing"


def split_images(config: BuildConfig) -> None:
    """Divide the kept images by connected components of similar faces, and write splits, pairs and facts.

    HeadsUp splits the images at random, which leaves people on both sides. A search that misses a few pairs would, too:
    see `keep_people_whole`.
    """
    images = kept_images(config, ["uid"])
    uids = images["uid"].to_pylist()
    number_of = {uid: number for number, uid in enumerate(uids)}
    pairs = pairs_among(read_stage(config.output, PAIRS), images)
    owners = [[number_of[name.rpartition(":")[0]] for name in pairs[side].to_pylist()] for side in ("face_a", "face_b")]
    edges = list(zip(*owners, pairs["cosine"].to_pylist(), strict=True))
    settings = config.split
    split = split_people(uids, edges, settings.test_share, settings.seed, config.pairs.similarity_above)
    alike = [(a, b) for a, b, cosine in edges if cosine > split.threshold]
    whole = _whole_people(config, number_of, connected(len(uids), alike), split)
    groups = connected(len(uids), alike + whole.missed)
    test = {uid for uid, tested in zip(uids, whole.tested.tolist(), strict=True) if tested}
    write_rows(one_reference(pairs, test), config.output / SPLIT / SPLIT_PAIRS_FILE)
    sizes = Counter(groups)
    largest = None if whole.largest is None else round(whole.largest, 6)
    facts = SplitFacts(split.threshold, len(sizes), max(sizes.values(), default=0), largest)
    columns = {
        "uid": uids,
        "split": ["test" if uid in test else "train" for uid in uids],
        "group": [uids[group] for group in groups],
    }
    table = pa.Table.from_pydict(columns, schema=SPLITS_SCHEMA)
    stored = table.replace_schema_metadata({SPLIT_FACTS: json.dumps(facts._asdict()).encode()})
    write_rows(stored, config.output / SPLIT / SINGLE_FILE[SPLIT])


def _whole_people(config: BuildConfig, number_of: dict[str, int], groups: list[int], split: SplitPeople) -> WholePeople:
    faces = kept_faces(config, ("uid", "embedding"))
    owners = np.array([number_of[uid] for uid in faces["uid"].to_pylist()], np.int64)
    tested = np.array([part == "test" for part in split.splits], np.bool_)
    device = comparing_device(len(owners), config.pairs)
    return keep_people_whole(
        embedding_matrix(faces), owners, np.array(groups, np.int64), tested, split.threshold, device
    )


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
