"""Checks of the tables of an index against each other."""

from collections import Counter
from typing import get_args

from portraitdata.exemplars.index import Split
from portraitdata.restoration.index.schemas import face_name
from portraitdata.restoration.index.tables import IndexTables


def table_problems(tables: IndexTables) -> list[str]:
    """Check the rows of an index without its archives; one sentence for each problem.

    Photographs and faces are listed once, splits are known, sizes positive; faces are of listed photographs, pairs of
    listed faces of two photographs in one split.
    """
    images, faces = tables.images, tables.faces
    uids = images["uid"].to_pylist()
    split_of = dict(zip(uids, images["split"].to_pylist(), strict=True))
    problems = [f"{uid} is listed {count} times." for uid, count in Counter(uids).items() if count > 1]
    problems += [
        f"{uid} has the split {split!r}, which is none."
        for uid, split in split_of.items()
        if split not in get_args(Split)
    ]
    shapes = zip(uids, images["width"].to_pylist(), images["height"].to_pylist(), strict=True)
    problems += [f"{uid} has {w} x {h} pixels." for uid, w, h in shapes if min(w, h) <= 0]
    owners = faces["uid"].to_pylist()
    names = [face_name(*row) for row in zip(owners, faces["number"].to_pylist(), strict=True)]
    problems += [f"The face {name} is listed {count} times." for name, count in Counter(names).items() if count > 1]
    problems += [
        f"The face {name} is of a photograph that is not listed."
        for name, uid in zip(names, owners, strict=True)
        if uid not in split_of
    ]
    return problems + _pair_problems(tables, dict(zip(names, owners, strict=True)), split_of)


def _pair_problems(tables: IndexTables, owner_of: dict[str, str], split_of: dict[str, str]) -> list[str]:
    problems = []
    for a, b in zip(tables.pairs["face_a"].to_pylist(), tables.pairs["face_b"].to_pylist(), strict=True):
        absent = [name for name in (a, b) if name not in owner_of]
        if absent:
            problems.append(f"The pair {a}, {b} names {' and '.join(absent)}, which is no listed face.")
        elif owner_of[a] == owner_of[b]:
            problems.append(f"The pair {a}, {b} lies within one photograph.")
        elif split_of.get(owner_of[a]) != split_of.get(owner_of[b]):
            problems.append(
                f"The pair {a}, {b} has one face in {split_of.get(owner_of[a])!r} "
                f"and one in {split_of.get(owner_of[b])!r}."
            )
    return problems
