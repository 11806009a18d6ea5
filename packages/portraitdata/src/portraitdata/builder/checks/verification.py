"""All checks of a portrait index."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from portraitdata.builder.checks.member_checks import Row, archive_problems, content_problems, expected_rows
from portraitdata.builder.checks.people_checks import CrossSplit, cross_split, people_problems
from portraitdata.builder.layout import read_split_facts
from portraitdata.builder.takedown.removal import read_journal
from portraitdata.exemplars.index import Split
from portraitdata.restoration.index.schemas import face_name
from portraitdata.restoration.index.similar_faces import PAIR_THRESHOLD
from portraitdata.restoration.index.tables import IndexTables, build_of, read_index_tables
from portraitdata.restoration.index.takedown_list import LIST_FILE, TakenDown, read_takedown_list


@dataclass(frozen=True)
class Verification:
    """Result of checking an index."""

    photographs: int
    faces: int
    pairs: int
    archives: int
    size: int
    """Bytes of all photographs."""
    largest_cross_similarity: float | None
    """Of a test face and a training face; None where there are no embeddings on one side."""
    problems: tuple[str, ...]
    """A sentence each."""
    notes: tuple[str, ...]
    """Notes on what could not be checked or is not finished; no errors."""


def verify_index(folder: Path, deep: bool = False, tell: Callable[[str], None] | None = None) -> Verification:
    """Check a portrait index: its tables, the split, its archives, what was taken down, every byte of its photographs.

    The bytes, which take longest, are read last.

    Args:
        deep: Decode every photograph, too.
        tell: Is given each problem as soon as it is found.

    Raises:
        FileNotFoundError: If there is no index.
        ValueError: If a table is none of a portrait index.
    """
    tables = read_index_tables(folder)
    rows = expected_rows(tables)
    problems: list[str] = []

    def add(found: Iterable[str]) -> None:
        for problem in found:
            problems.append(problem)
            if tell is not None:
                tell(problem)

    add(table_problems(tables))
    cross = cross_split(tables)
    torn = people_problems(cross, split_threshold(folder, tables))
    add(torn)
    add(_file_problems(folder, tables, rows, deep))
    largest = None if cross is None else float(cross.cosine.max())
    archives = len({row.photograph.archive for row in rows} - {None})
    size = sum(row.photograph.size for row in rows)
    counts = tables.images.num_rows, tables.faces.num_rows, tables.pairs.num_rows
    return Verification(
        *counts, archives, size, largest, tuple(problems), tuple(_notes(folder, rows, cross, bool(torn)))
    )


def _file_problems(folder: Path, tables: IndexTables, rows: list[Row], deep: bool) -> Iterator[str]:
    listed = taken_down_of(folder)
    gone = {entry.uid for entry in listed}
    yield from (f"{row.uid} has been taken down and is listed." for row in rows if row.uid in gone)
    by_archive: dict[str, list[Row]] = {}
    for row in rows:
        if row.photograph.archive is not None:
            by_archive.setdefault(row.photograph.archive, []).append(row)
    for archive in sorted(by_archive):
        yield from archive_problems(folder, tables.root, archive, by_archive[archive])
    if read_journal(folder) is None:
        yield from _strays(folder, tables)
    yield from content_problems(tables.root, rows, {entry.sha256 for entry in listed} - {""}, deep)


def _notes(folder: Path, rows: list[Row], cross: CrossSplit | None, torn: bool) -> Iterator[str]:
    if read_journal(folder) is not None:
        yield f"A takedown was interrupted; `portraitdata takedown {folder}` finishes it."
    if torn and build_of(folder) is not None:
        yield "`portraitdata build --config FILE --from-stage split` makes the split again, with nobody on both sides."
    if cross is None:
        yield "Whether a person is on both sides of the split was seen from pairs only: there are no embeddings."
    unknown = sum(row.sha256 is None for row in rows)
    if unknown:
        yield f"The content of {unknown} photographs was not compared: the index holds no hash of them."


def taken_down_of(folder: Path) -> list[TakenDown]:
    """Entries of the takedown lists of an index and of the build it belongs to."""
    build = build_of(folder)
    return [row for place in (folder, build) if place is not None for row in read_takedown_list(place / LIST_FILE)]


def split_threshold(folder: Path, tables: IndexTables) -> float:
    """Similarity above which two faces must not be on both sides: of the build, else of the index, else of pairs."""
    build = build_of(folder)
    facts = None if build is None else read_split_facts(build)
    if facts is not None:
        return facts.threshold
    return PAIR_THRESHOLD if tables.split_threshold is None else tables.split_threshold


def _strays(folder: Path, tables: IndexTables) -> list[str]:
    used = {(tables.root / name).resolve() for name in tables.images["archive"].to_pylist() if name is not None}
    if not used:
        return []
    return [
        f"{path.name} is an archive that the index does not use."
        for path in sorted(folder.glob("*.tar"))
        if path.resolve() not in used
    ]


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
