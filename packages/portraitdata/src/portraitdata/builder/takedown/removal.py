"""Removing photographs from an index, its archives and its build, so that an interruption does no harm.

The order is what makes it safe: what the build must not use again, journal, new archives under new names, pairs, faces,
photographs, and only then the old archives, the stages of the build, the list, and the end of the journal. The one step
that decides is the renaming of ``images.parquet``: before it all photographs are as they were, after it the removed
ones are gone and every other has its new place. At any moment the index can be read and is right; what is on the list
is gone from the disk.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from faceops.atomic_files import HALF_WRITTEN, replacing
from faceops.json_text import parse_json
from portraitdata.builder.layout import SCHEMA_OF
from portraitdata.builder.takedown.archive_rewriting import next_generation, rewrite_without
from portraitdata.builder.takedown.build_removal import forbid_in_build, remove_from_build
from portraitdata.loading.index_files import write_parquet
from portraitdata.restoration.index.tables import IndexTables, build_of, read_index_tables
from portraitdata.restoration.index.takedown_list import LIST_FILE, TakenDown, extend_takedown_list, without_photographs

JOURNAL_FILE = "takedown.pending.json"
"""Journal in the folder of the index; present while a takedown is under way or was interrupted."""

EARLIER_HALF_WRITTEN = re.compile(r"\..*\.\d+\.(tar|parquet|csv|json|txt)")
"""Names of files that earlier versions left behind when they were killed, without the name of the machine."""


class Journal(NamedTuple):
    """One takedown."""

    rows: tuple[TakenDown, ...]
    """Photographs to remove."""
    files: tuple[str, ...]
    """Archives and plain files in the folder of the index that hold them and go once the index no longer uses them."""


def read_journal(folder: Path) -> Journal | None:
    """The takedown that is under way in an index; None if there is none.

    Raises:
        ValueError: If there is another kind of file.
    """
    path = folder / JOURNAL_FILE
    if not path.is_file():
        return None
    try:
        stored = parse_json(path.read_text(encoding="utf-8"))
        return Journal(tuple(TakenDown(**row) for row in stored["rows"]), tuple(stored["files"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no journal of a takedown ({error}).") from error


def remove_photographs(folder: Path, rows: Sequence[TakenDown]) -> list[str]:
    """Take photographs down, in an index and, if it belongs to one, in its build.

    Archives and files outside the folder of the index are the user's own and stay.

    Args:
        rows: Photographs; they need not be in the index.

    Returns:
        A sentence for each file outside that still holds one of them.

    Raises:
        ValueError: If the index cannot be read, or an archive is none.
    """
    build = build_of(folder)
    if build is not None:
        forbid_in_build(build, rows)
    tables = read_index_tables(folder)
    gone = {row.uid for row in rows}
    named = (row["archive"] or row["path"] for row in tables.images.to_pylist() if row["uid"] in gone)
    places = {tables.root / name for name in named}
    inside = {place for place in places if _is_inside(place, folder)}
    files = sorted(place.resolve().relative_to(folder.resolve()).as_posix() for place in inside)
    with replacing(folder / JOURNAL_FILE) as temporary:
        journal = {"rows": [row._asdict() for row in rows], "files": files}
        temporary.write_text(json.dumps(journal, indent=1), encoding="utf-8")
    outside = [f"{place} is outside {folder} and stays as it is." for place in sorted(places - inside)]
    return outside + finish(folder)


def finish(folder: Path) -> list[str]:
    """Do what the journal says, from wherever it was interrupted; without a journal there is nothing to do.

    Returns:
        As `remove_photographs`, of the build.

    Raises:
        ValueError: If a table, an archive or the journal is damaged.
    """
    journal = read_journal(folder)
    if journal is None:
        return []
    gone = {row.uid for row in journal.rows}
    tables = read_index_tables(folder)
    if not gone.isdisjoint(tables.images["uid"].to_pylist()):
        _remove_rows(folder, tables, gone)
    build = build_of(folder)
    _remove_files(folder, build, journal)
    outside = [] if build is None else remove_from_build(build, gone)
    for place in (build, folder):
        if place is not None:
            extend_takedown_list(place / LIST_FILE, journal.rows)
    (folder / JOURNAL_FILE).unlink()
    return outside


def _remove_rows(folder: Path, tables: IndexTables, gone: set[str]) -> None:
    """Write the archives anew that hold photographs to remove, then the tables; those of photographs last."""
    uids, archives, offsets = (tables.images[name].to_pylist() for name in ("uid", "archive", "offset"))
    doomed: dict[str, set[int]] = {}
    for uid, archive, offset in zip(uids, archives, offsets, strict=True):
        if uid in gone and archive is not None and _is_inside(tables.root / archive, folder):
            doomed.setdefault(archive, set()).add(offset)
    for archive in sorted(doomed):
        renamed = Path(archive).with_name(next_generation(Path(archive).name)).as_posix()
        moved = rewrite_without(tables.root / archive, doomed[archive], tables.root / renamed)
        for row, offset in enumerate(offsets):
            if archives[row] == archive and offset in moved:
                archives[row], offsets[row] = renamed, moved[offset]
    images = tables.images
    for name, values in (("archive", archives), ("offset", offsets)):
        column = images.schema.get_field_index(name)
        images = images.set_column(column, images.schema.field(name), pa.array(values, images.schema.field(name).type))
    for name, table in (("pairs", tables.pairs), ("faces", tables.faces), ("images", images)):
        write_parquet(without_photographs(table, gone), folder / f"{name}.parquet")


def _remove_files(folder: Path, build: Path | None, journal: Journal) -> None:
    """Remove what the index no longer uses, and what a killed process left half written."""
    tables = read_index_tables(folder)
    places = zip(tables.images["archive"].to_pylist(), tables.images["path"].to_pylist(), strict=True)
    used = {(tables.root / (archive or path)).resolve() for archive, path in places}
    for name in journal.files:
        if (folder / name).resolve() not in used:
            (folder / name).unlink(missing_ok=True)
    for place in (folder, *(build / stage for stage in ("", *SCHEMA_OF) if build is not None)):
        for path in place.glob(".*"):
            if HALF_WRITTEN.fullmatch(path.name) or EARLIER_HALF_WRITTEN.fullmatch(path.name):
                path.unlink(missing_ok=True)


def _is_inside(path: Path, folder: Path) -> bool:
    return folder.resolve() in path.resolve().parents
