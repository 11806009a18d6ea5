"""Removing photographs from an index, its archives and its build, so that an interruption does no harm.

The order is what makes it safe: what the build must not use again, journal, new archives under new names, pairs, faces,
photographs, and only then the old archives, the stages of the build, the list, and the end of the journal. The one step
that decides is the renaming of ``images.parquet``: before it all photographs are as they were, after it the removed
ones are gone and every other has its new place. At any moment the index can be read and is right; what is on the list
is gone from the disk.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from portraitdata.builder.takedown.archive_rewriting import next_generation, rewrite_without
from portraitdata.builder.takedown.build_removal import forbid_in_build, remove_from_build
from portraitdata.builder.takedown.journal import JOURNAL_FILE, Journal, read_journal, write_journal
from portraitdata.restoration.index.schemas import write_table
from portraitdata.restoration.index.tables import IndexTables, build_of, read_index_tables
from portraitdata.restoration.index.takedown_list import LIST_FILE, TakenDown, extend_takedown_list, without_taken_down

HALF_WRITTEN = re.compile(r"\..*\.\d+\.(tar|parquet|csv|json)")
"""What `faceops.atomic_files.replacing` leaves behind when it is killed."""


def remove_photographs(folder: Path, rows: Sequence[TakenDown]) -> list[str]:
    """Take photographs down, in an index and, if it belongs to one, in its build.

    Archives and files outside the folder of the index are the user's own and stay.

    Args:
        folder: Folder of the index.
        rows: Photographs; they need not be in the index.

    Returns:
        A sentence for each file outside that still holds one of them.

    Raises:
        ValueError: If the index cannot be read, or an archive is none.
        OSError: If a file cannot be read or written.
    """
    build = build_of(folder)
    if build is not None:
        forbid_in_build(build, rows)
    tables = read_index_tables(folder)
    gone = {row.uid for row in rows}
    images = tables.images.to_pylist()
    places = {row["archive"] or row["path"] for row in images if row["uid"] in gone}
    inside = {place for place in places if _is_inside(tables.root / place, folder)}
    names = sorted((tables.root / place).resolve().relative_to(folder.resolve()).as_posix() for place in inside)
    write_journal(folder, Journal(tuple(rows), tuple(names)))
    outside = [f"{tables.root / place} is outside {folder} and stays as it is." for place in sorted(places - inside)]
    return outside + finish(folder)


def finish(folder: Path) -> list[str]:
    """Do what the journal says, from wherever it was interrupted; without a journal there is nothing to do.

    Returns:
        As `remove_photographs`, of the build.

    Raises:
        ValueError: If a table, an archive or the journal is damaged.
        OSError: If a file cannot be read or written.
    """
    journal = read_journal(folder)
    if journal is None:
        return []
    gone = {row.uid for row in journal.rows}
    tables = read_index_tables(folder)
    if not gone.isdisjoint(tables.images["uid"].to_pylist()):
        _remove_rows(folder, tables, gone)
    _remove_files(folder, journal)
    build = build_of(folder)
    outside = [] if build is None else remove_from_build(build, gone)
    for place in (build, folder):
        if place is not None:
            extend_takedown_list(place / LIST_FILE, journal.rows)
    (folder / JOURNAL_FILE).unlink()
    return outside


def _remove_rows(folder: Path, tables: IndexTables, gone: set[str]) -> None:
    images = tables.images
    doomed: dict[str, set[int]] = {}
    for uid, archive, offset in zip(*(images[name].to_pylist() for name in ("uid", "archive", "offset")), strict=True):
        if uid in gone and archive is not None and _is_inside(tables.root / archive, folder):
            doomed.setdefault(archive, set()).add(offset)
    for archive in sorted(doomed):
        images = _moved(images, tables.root, archive, doomed[archive])
    by_uid = [TakenDown(uid) for uid in gone]
    kept_images, faces, pairs = without_taken_down(by_uid, images, tables.faces, tables.pairs)
    write_table(pairs, folder / "pairs.parquet")
    write_table(faces, folder / "faces.parquet")
    write_table(kept_images.replace_schema_metadata(tables.images.schema.metadata), folder / "images.parquet")


def _moved(images: pa.Table, root: Path, archive: str, doomed: set[int]) -> pa.Table:
    """The photographs with their places in an archive that is written anew; those that are removed keep the old one."""
    renamed = Path(archive).with_name(next_generation(Path(archive).name)).as_posix()
    moved = rewrite_without(root / archive, doomed, root / renamed)
    archives, offsets = images["archive"].to_pylist(), images["offset"].to_pylist()
    for row, (name, offset) in enumerate(zip(archives, offsets, strict=True)):
        if name == archive and offset in moved:
            archives[row], offsets[row] = renamed, moved[offset]
    for name, values in (("archive", archives), ("offset", offsets)):
        place = images.schema.get_field_index(name)
        images = images.set_column(place, images.schema.field(name), pa.array(values, images.schema.field(name).type))
    return images


def _remove_files(folder: Path, journal: Journal) -> None:
    """Remove what the index no longer uses, and what a killed process left half written."""
    tables = read_index_tables(folder)
    places = zip(tables.images["archive"].to_pylist(), tables.images["path"].to_pylist(), strict=True)
    used = {(tables.root / (archive or path)).resolve() for archive, path in places}
    for name in journal.files:
        if (folder / name).resolve() not in used:
            (folder / name).unlink(missing_ok=True)
    for path in folder.iterdir():
        if HALF_WRITTEN.fullmatch(path.name):
            path.unlink(missing_ok=True)


def _is_inside(path: Path, folder: Path) -> bool:
    return folder.resolve() in path.resolve().parents
