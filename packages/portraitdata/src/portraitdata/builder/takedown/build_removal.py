"""Removing photographs from the stages of a build."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from faceops.atomic_files import replacing
from portraitdata.builder.layout import (
    DEDUPLICATE,
    DOWNLOAD,
    DROPPED,
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
from portraitdata.builder.marking import TAKEN_DOWN
from portraitdata.builder.takedown.archive_rewriting import blank_members
from portraitdata.restoration.index.takedown_list import TakenDown

MARKED = {
    "archive": None,
    "path": None,
    "url": None,
    "attribution": None,
    "prompt": None,
    "offset": 0,
    "size": 0,
    "takedown": True,
    "status": DROPPED,
    "stage": "index",
    "reason": TAKEN_DOWN,
    "detail": "",
}
"""What a row of images becomes: dropped by the first stage, and nothing in it leads to the image any more."""


def forbid_in_build(build: Path, rows: Iterable[TakenDown]) -> None:
    """Add uids and SHA-256 of photographs to what every stage of a build drops from now on.

    Raises:
        OSError: If the list cannot be written.
    """
    path = build / TAKEDOWN_FILE
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    known = set(text.splitlines())
    new = [name for row in rows for name in (row.uid, row.sha256) if name and name not in known]
    if new:
        with replacing(path) as temporary:
            lines = [*text.splitlines(), *new]
            temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def remove_from_build(build: Path, gone: set[str]) -> list[str]:
    """Mark photographs as dropped in every stage; remove their faces, pairs and splits, and what was downloaded.

    Rows of images stay, marked, so that the funnel still adds up; hashes stay in them, addresses, paths and texts do
    not.

    Args:
        build: Folder of the build.
        gone: Photographs.

    Returns:
        A sentence for each file of the user's own that still holds one.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If a downloaded archive is none.
    """
    outside = _remove_downloads(build, gone)
    for folder in (DEDUPLICATE, FACES_IMAGES, QUALITY, DOWNLOAD, INDEX):
        for path in sorted((build / folder).glob("*.parquet")):
            _rewrite(path, lambda table: _marked(table, gone))
    for path in sorted((build / FACES).glob("*.parquet")):
        _rewrite(path, lambda table: _without(table, ("uid",), gone))
    for path in [*(build / PAIRS).glob("*.parquet"), *(build / SPLIT).glob("*.parquet")]:
        _rewrite(path, lambda table: _without(table, ("uid", "face_a", "face_b"), gone))
    return outside


def _places(build: Path, gone: set[str]) -> list[dict]:
    columns = ["uid", "url", "path", "archive", "offset", "source"]
    return [
        row
        for folder in (INDEX, DOWNLOAD, QUALITY, FACES_IMAGES)
        for row in read_stage(build, folder, columns).to_pylist()
        if row["uid"] in gone
    ]


def _remove_downloads(build: Path, gone: set[str]) -> list[str]:
    archives: dict[Path, set[int]] = {}
    outside = set()
    for row in _places(build, gone):
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


def _rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    table = pq.read_table(path)
    changed = change(table)
    if not changed.equals(table):
        write_rows(changed.replace_schema_metadata(table.schema.metadata), path)


def _marked(table: pa.Table, gone: set[str]) -> pa.Table:
    hit = [uid in gone for uid in table["uid"].to_pylist()]
    if not any(hit):
        return table
    for name, value in MARKED.items():
        place, field = table.schema.get_field_index(name), table.schema.field(name)
        values = [value if doomed else old for doomed, old in zip(hit, table[name].to_pylist(), strict=True)]
        table = table.set_column(place, field, pa.array(values, field.type))
    return table


def _without(table: pa.Table, columns: tuple[str, ...], gone: set[str]) -> pa.Table:
    """The rows whose uid, or whose face's photograph, is not gone."""
    for name in columns:
        if name in table.column_names:
            kept = [value not in gone and value.rpartition(":")[0] not in gone for value in table[name].to_pylist()]
            table = table.filter(pa.array(kept, pa.bool_()))
    return table
