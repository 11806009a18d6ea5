"""Removing photographs from the stages of a build."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from faceops.atomic_files import replacing
from portraitdata.builder.layout import (
    DEDUPLICATE,
    DOWNLOAD,
    FACES,
    FACES_IMAGES,
    INDEX,
    PAIRS,
    QUALITY,
    SPLIT,
    TAKEDOWN_FILE,
    read_stage,
    write_rows,
)
from portraitdata.builder.marking import TAKEN_DOWN, Drop, drop
from portraitdata.builder.takedown.archive_rewriting import blank_members
from portraitdata.restoration.index.takedown_list import TakenDown, without_photographs

ERASED = "url", "path", "archive", "attribution", "prompt"
"""Columns that lead to an image."""


def forbid_in_build(build: Path, rows: Iterable[TakenDown]) -> None:
    """Add uids and SHA-256 of photographs to what every stage of a build drops from now on."""
    path = build / TAKEDOWN_FILE
    known = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    new = [name for row in rows for name in (row.uid, row.sha256) if name and name not in known]
    with replacing(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in [*known, *new]), encoding="utf-8")


def remove_from_build(build: Path, gone: set[str]) -> list[str]:
    """Mark photographs as dropped in every stage; remove their faces, pairs and splits, and what was downloaded.

    Rows of images stay, marked, so that the funnel still adds up; hashes stay in them, addresses, paths and texts do
    not.

    Returns:
        A sentence for each file of the user's own that still holds one.

    Raises:
        ValueError: If a downloaded archive is none.
    """
    outside = _remove_downloads(build, gone)
    for folder in (DEDUPLICATE, FACES_IMAGES, QUALITY, DOWNLOAD, INDEX, FACES, PAIRS, SPLIT):
        for path in sorted((build / folder).glob("*.parquet")):
            table = pq.read_table(path)
            changed = without_photographs(table, gone) if folder in (FACES, PAIRS, SPLIT) else _marked(table, gone)
            if not changed.equals(table):
                write_rows(changed, path)
    return outside


def _remove_downloads(build: Path, gone: set[str]) -> list[str]:
    columns = ["uid", "url", "path", "archive", "offset", "source"]
    stages = (read_stage(build, folder, columns) for folder in (INDEX, DOWNLOAD, QUALITY, FACES_IMAGES))
    archives: dict[Path, set[int]] = {}
    outside = set()
    for row in (row for table in stages for row in table.to_pylist() if row["uid"] in gone):
        name = row["archive"] or row["path"]
        if name is None:
            continue
        if row["url"] is None:
            member = f" ({row['path']})" if row["archive"] else ""
            outside.add(f"{name}{member} of the source {row['source']} is your own file and stays as it is.")
        elif row["archive"] is None:
            (build / name).unlink(missing_ok=True)
        elif (build / name).is_file():
            archives.setdefault(build / name, set()).add(row["offset"])
    for archive in sorted(archives):
        blank_members(archive, archives[archive])
    return sorted(outside)


def _marked(table: pa.Table, gone: set[str]) -> pa.Table:
    """The rows of images, those that are gone dropped by the first stage, with nothing in them that leads to them."""
    doomed = [row for row, uid in enumerate(table["uid"].to_pylist()) if uid in gone]
    if not doomed:
        return table
    batch = table.to_pydict()
    for row in doomed:
        for name in ERASED:
            batch[name][row] = None
        batch["offset"][row], batch["size"][row], batch["takedown"][row] = 0, 0, True
        drop(batch, row, "index", Drop(TAKEN_DOWN))
    return pa.Table.from_pydict(batch, schema=table.schema)
