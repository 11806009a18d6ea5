"""``portraitdata takedown``: a photograph or a person out of an index, its archives and its build."""

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from faceops.detection.selection import build_detector
from faceops.progress.verbosity import say, say_failure
from faceops.recognition.identity import build_identity
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
from portraitdata.commands.build_options import TakedownOptions
from portraitdata.restoration.index.schemas import check_table
from portraitdata.restoration.index.tables import IndexTables, build_of, read_index_tables
from portraitdata.storage.single_run import only_run


def run_takedown(options: TakedownOptions) -> int:
    """Take photographs down; without any named, finish a takedown that was interrupted.

    Returns:
        0, or 1 if there was nobody to ask and nothing was removed.

    Raises:
        ValueError: If more than one thing is named, or one that is not there.
        FileNotFoundError: If there is no index, photograph or weights.
        OSError: If a file cannot be read or written, or another run works at the index or its build.
    """
    index = options.index
    if sum((bool(options.uid), options.face is not None, options.like is not None)) > 1:
        raise ValueError("Name photographs, a face or a photograph of a person: one of --uid, --face and --like.")
    if not -1 <= options.similarity <= 1:
        raise ValueError(f"A similarity is a cosine, between -1 and 1; got {options.similarity}.")
    build = build_of(index)
    check_table(index / "images.parquet")
    with nullcontext() if build is None else only_run(build), only_run(index):
        if read_journal(index) is not None and not options.dry_run:
            _say(finish(index))
            say(f"{index}: the takedown that was interrupted is finished")
        tables = read_index_tables(index)
        # an image that is listed may be back, in an index that was made again without the list
        done = {row.uid for row in taken_down_of(index)} - set(tables.images["uid"].to_pylist())
        found = [entry for entry in _found(tables, build, options, done) if entry.uid not in done]
        copies = [] if build is None else copies_in_build(build, [entry.uid for entry in found])
        rows = taken_down_rows([*(entry.uid for entry in found), *copies], tables, build, options.reason, options.date)
        _list([*found, *(Similar(uid, None) for uid in copies)], tables)
        if not rows or options.dry_run:
            print(f"{index}: nothing was removed" + (f"; {len(rows)} photographs would be" if rows else ""))
            return 0
        if not options.uid and not options.yes and not _agreed(len(rows)):
            say_failure(f"{index}: nothing was removed; --yes removes these photographs without asking")
            return 1
        _say(remove_photographs(index, rows))
        print(f"{index}: {len(rows)} photographs are taken down")
        return 0


def _found(tables: IndexTables, build: Path | None, options: TakedownOptions, done: set[str]) -> list[Similar]:
    if options.face is not None:
        if options.face.rpartition(":")[0] in done:
            return []
        return photographs_of_face(options.face, tables, build, options.similarity)
    if options.like is not None:
        detector = build_detector(options.detector, options.detector_weights)
        query = embedding_of_photograph(options.like, detector, build_identity(options.identity_weights))
        return similar_photographs(known_faces(tables, build), query, options.similarity)
    return [Similar(uid, None) for uid in dict.fromkeys(options.uid)]


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
        say(f"note: {line}")
