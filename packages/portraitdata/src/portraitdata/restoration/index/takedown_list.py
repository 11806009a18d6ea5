"""List of what was taken down, as hashes, so that nothing of it comes back."""

import csv
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from faceops.atomic_files import replacing
from portraitdata.loading.csv_tables import read_csv_table

LIST_FILE = "takedown.csv"
"""Name of the list, in the folder of an index and in that of a build."""


class TakenDown(NamedTuple):
    """A photograph that has been taken down; text throughout, empty where it is not known."""

    uid: str
    """Name of the photograph in the index."""
    sha256: str = ""
    """Of the image file."""
    phash: str = ""
    """Perceptual hash of 64 bits as a decimal number, which re-encoded copies share."""
    url_sha256: str = ""
    """SHA-256 of the address it was downloaded from, so that it need not be downloaded again to be recognised."""
    reason: str = ""
    date: str = ""
    """As the user gave it."""


def read_takedown_list(path: Path) -> list[TakenDown]:
    """Rows of a takedown list; none if there is no such file.

    Raises:
        ValueError: If it is no such list.
    """
    if not path.is_file():
        return []
    rows = read_csv_table(path, TakenDown._fields)
    return [TakenDown(*(row[name] or "" for name in TakenDown._fields)) for row in rows]


def extend_takedown_list(path: Path, added: Iterable[TakenDown]) -> None:
    """Add rows to a takedown list, which is made if absent; photographs that are on it already keep their row.

    Raises:
        ValueError: If there is another kind of file.
    """
    rows = {row.uid: row for row in read_takedown_list(path)}
    for row in added:
        rows.setdefault(row.uid, row)
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(TakenDown._fields)
        writer.writerows(rows.values())


def without_taken_down(
    rows: Iterable[TakenDown], images: pa.Table, faces: pa.Table, pairs: pa.Table
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """The tables of a portrait index without what has been taken down, by uid and, where there is one, SHA-256."""
    listed = list(rows)
    uids = {row.uid for row in listed}
    if "sha256" in images.column_names:
        hashes = {row.sha256 for row in listed} - {""}
        uids |= {
            uid
            for uid, file in zip(images["uid"].to_pylist(), images["sha256"].to_pylist(), strict=True)
            if file in hashes
        }
    if uids:
        images, faces, pairs = (without_photographs(table, uids) for table in (images, faces, pairs))
    return images, faces, pairs


def without_photographs(table: pa.Table, gone: Collection[str]) -> pa.Table:
    """The rows of a table that are neither about a photograph that is gone nor about a face on one.

    Args:
        table: Table with a column `uid`, or with faces ``uid:number`` in columns `face_a` and `face_b`.

    Example:
        >>> pairs = pa.table({"face_a": ["x:0", "x:0"], "face_b": ["y:0", "z:1"]})
        >>> without_photographs(pairs, {"y"})["face_b"].to_pylist()
        ['z:1']
    """
    for name in ("uid", "face_a", "face_b"):
        if name in table.column_names:
            values = table[name].to_pylist()
            uids = values if name == "uid" else [face.rpartition(":")[0] for face in values]
            table = table.filter(pa.array([uid not in gone for uid in uids], pa.bool_()))
    return table
