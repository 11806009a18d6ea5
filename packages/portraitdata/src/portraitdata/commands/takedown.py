"""``portraitdata takedown``: a photograph or a person out of an index, its archives and its build."""

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from faceops.detection.detector_names import DetectorName
from faceops.detection.selection import build_detector
from faceops.recognition.identity import DEFAULT_NETWORK, build_identity
from portraitdata.builder.build import only_run
from portraitdata.builder.checks.verification import taken_down_of
from portraitdata.builder.takedown.removal import finish, read_journal, remove_photographs
from portraitdata.builder.takedown.selection import (
    Similar,
    copies_in_build,
    embedding_of_photograph,
    known_faces,
    photographs_of_face,
    similar_photographs,
    taken_down_rows,
)
from portraitdata.restoration.index.similar_faces import SPLIT_THRESHOLD
from portraitdata.restoration.index.tables import IndexTables, build_of, read_index_tables


@dataclass(frozen=True)
class PersonSearch:
    """Settings of the search for a person's photographs."""

    similarity: float = SPLIT_THRESHOLD
    """Faces that are more similar are of the person; lower than that of pairs, to miss none."""
    detector: DetectorName = "yunet"
    detector_weights: str | None = None
    identity: str = DEFAULT_NETWORK


def run_takedown(
    index: Path,
    uids: Sequence[str] = (),
    face: str | None = None,
    like: Path | None = None,
    search: PersonSearch = PersonSearch(),
    reason: str = "",
    date: str = "",
    dry_run: bool = False,
    yes: bool = False,
) -> int:
    """Take photographs down; without any named, finish a takedown that was interrupted.

    Args:
        index: Folder of the index.
        uids: Photographs.
        face: Face ``uid:number`` of a person, all of whose photographs go.
        like: Image file of a person, all of whose photographs go.
        search: How a person's photographs are found.
        reason: What the list says about why.
        date: What the list says about when.
        dry_run: Only list them.
        yes: Do not ask before a person's photographs are removed.

    Returns:
        0, or 1 if there was nobody to ask and nothing was removed.

    Raises:
        ValueError: If more than one thing is named, or one that is not there.
        FileNotFoundError: If there is no index, photograph or weights.
        OSError: If a file cannot be read or written.
    """
    if sum((bool(uids), face is not None, like is not None)) > 1:
        raise ValueError("Name photographs, a face or a photograph of a person: one of --uid, --face and --like.")
    if not -1 <= search.similarity <= 1:
        raise ValueError(f"A similarity is a cosine, between -1 and 1; got {search.similarity}.")
    build = build_of(index)
    with nullcontext() if build is None else only_run(build):
        if read_journal(index) is not None and not dry_run:
            _say(finish(index))
            print(f"{index}: the takedown that was interrupted is finished", file=sys.stderr)
        tables = read_index_tables(index)
        done = {row.uid for row in taken_down_of(index)}
        found = [entry for entry in _found(tables, build, uids, face, like, search, done) if entry.uid not in done]
        copies = [] if build is None else copies_in_build(build, [entry.uid for entry in found])
        rows = taken_down_rows([*(entry.uid for entry in found), *copies], tables, build, reason, date)
        _list([*found, *(Similar(uid, None) for uid in copies)], tables)
        if not rows or dry_run:
            print(f"{index}: nothing was removed" + (f"; {len(rows)} photographs would be" if rows else ""))
            return 0
        if not uids and not yes and not _agreed(len(rows)):
            print(f"{index}: nothing was removed; --yes removes these photographs without asking", file=sys.stderr)
            return 1
        _say(remove_photographs(index, rows))
        print(f"{index}: {len(rows)} photographs are taken down")
        return 0


def _found(
    tables: IndexTables,
    build: Path | None,
    uids: Sequence[str],
    face: str | None,
    like: Path | None,
    search: PersonSearch,
    done: set[str],
) -> list[Similar]:
    if face is not None:
        if face.rpartition(":")[0] in done:
            return []
        return photographs_of_face(face, tables, build, search.similarity)
    if like is not None:
        detector = build_detector(search.detector, search.detector_weights)
        query = embedding_of_photograph(like, detector, build_identity(search.identity))
        return similar_photographs(known_faces(tables, build), query, search.similarity)
    return [Similar(uid, None) for uid in dict.fromkeys(uids)]


def _list(found: Sequence[Similar], tables: IndexTables) -> None:
    known = {row["uid"]: row for row in tables.images.to_pylist()}
    for uid, similarity in found:
        row = known.get(uid)
        place = "dropped by the build" if row is None else f"{row['split']}  {row['path']}"
        print(f"{uid}  {'' if similarity is None else f'{similarity:.3f}  '}{place}")


def _agreed(count: int) -> bool:
    if not sys.stdin.isatty():
        return False
    return input(f"Remove these {count} photographs for good? [y/N] ").strip().lower() in ("y", "yes")


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        print(f"note: {line}", file=sys.stderr)
