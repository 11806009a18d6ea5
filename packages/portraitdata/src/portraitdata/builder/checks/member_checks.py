"""Checks of archives and files: that the bytes a row points to are those of its photograph."""

import re
import tarfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from faceops.images.decoding import decode_raster
from faceops.images.errors import ImageFileError
from portraitdata.exemplars.index import ExemplarIndex, Photograph
from portraitdata.loading.parquet_pictures import PARQUET
from portraitdata.restoration.index.tables import IndexTables

HASH_NAME = re.compile("[0-9a-f]{16}")
"""A uid that is the beginning of the file's SHA-256, as `portraitdata portrait-index` gives it."""


class Row(NamedTuple):
    """Row of an index on a photograph."""

    uid: str
    photograph: Photograph
    sha256: str | None
    """Beginning or whole of the hash that its bytes should have; None where nothing is known."""


def expected_rows(tables: IndexTables) -> list[Row]:
    """Photographs with the hash that they should have: that of the column `sha256`, else the uid if that is one."""
    images = tables.images
    columns = [images[name].to_pylist() for name in ("uid", "path", "archive", "offset", "size", "width", "height")]
    listed = "sha256" in images.column_names
    hashes = images["sha256"].to_pylist() if listed else [None] * images.num_rows
    by_name = not listed and all(HASH_NAME.fullmatch(uid) for uid in columns[0])
    return [
        Row(uid, Photograph(path, archive, offset, size, "", "unused", w, h), uid if by_name else known)
        for (uid, path, archive, offset, size, w, h), known in zip(zip(*columns, strict=True), hashes, strict=True)
    ]


def archive_members(archive: Path) -> dict[int, tarfile.TarInfo]:
    """Regular files in a tar archive by where their bytes begin.

    Raises:
        ValueError: If it is no uncompressed tar archive, or is cut off.
    """
    try:
        with tarfile.open(archive, "r:") as tar:
            members = {member.offset_data: member for member in tar if member.isreg()}
            end = tar.offset
    except tarfile.ReadError as error:
        raise ValueError(f"{archive.name} is no tar archive that can be read ({error}).") from error
    last = max(members.values(), key=lambda member: member.offset_data, default=None)
    if last is not None and archive.stat().st_size < max(end, last.offset_data + last.size):
        raise ValueError(f"{archive.name} is cut off within {last.name}.")
    return members


def archive_problems(folder: Path, root: Path, archive: str, rows: list[Row]) -> list[str]:
    """Check the places that rows name in a tar archive, and find members that no row names.

    A parquet file needs to be there, no more: what its rows hold is checked with the content of all photographs.

    Args:
        folder: Folder of the index; an archive elsewhere may hold more than is listed.
    """
    place = root / archive
    if not place.is_file():
        return [f"{archive} is not there; {len(rows)} photographs are in it."]
    if archive.endswith(PARQUET):
        return []
    try:
        members = archive_members(place)
    except ValueError as error:
        return [str(error)]
    problems = []
    for uid, photograph, _ in rows:
        member, path = members.get(photograph.offset), PurePosixPath(photograph.path)
        # as paths, since tar may call a member ./name
        if member is None or PurePosixPath(member.name) != path:
            elsewhere = [entry.offset_data for entry in members.values() if PurePosixPath(entry.name) == path]
            where = f"it is at {elsewhere[0]}" if elsewhere else "the archive does not hold it"
            problems.append(f"{uid}: {photograph.path} is not at {photograph.offset} of {archive}; {where}.")
        elif member.size != photograph.size:
            problems.append(f"{uid}: {photograph.path} has {member.size} bytes in {archive}, not {photograph.size}.")
    if folder.resolve() in place.resolve().parents:
        stems = {PurePosixPath(row.photograph.path).with_suffix("") for row in rows}
        problems += [
            f"{archive} holds {member.name}, which the index does not list."
            for member in members.values()
            if PurePosixPath(member.name).with_suffix("") not in stems
        ]
    return problems


def content_problems(root: Path, rows: list[Row], taken_down: set[str], deep: bool) -> Iterator[str]:
    """Check the bytes of photographs; every file is read and hashed.

    Args:
        taken_down: SHA-256 of files that must not be there.
        deep: Decode them, too, and compare the size in pixels.
    """
    places = ExemplarIndex(root, ())
    for uid, photograph, expected in rows:
        try:
            data = places.read_bytes(photograph)
        except OSError as error:
            yield f"{uid}: {error}"
            continue
        found = sha256(data).hexdigest()
        if expected is not None and not found.startswith(expected):
            yield f"{uid}: {photograph.path} has the SHA-256 {found[:16]}..., not {expected[:16]}..."
        if photograph.archive is None and len(data) != photograph.size:
            yield f"{uid}: {photograph.path} has {len(data)} bytes, not {photograph.size}."
        if found in taken_down:
            yield f"{uid}: {photograph.path} has been taken down and is there again."
        if deep:
            yield from _decoding_problems(uid, photograph, data)


def _decoding_problems(uid: str, photograph: Photograph, data: bytes) -> Iterator[str]:
    try:
        height, width = decode_raster(data, photograph.path).samples.shape[:2]
    except ImageFileError as error:
        yield f"{uid}: {error}"
        return
    if (width, height) != (photograph.width, photograph.height):
        yield (f"{uid}: {photograph.path} has {width} x {height} pixels, not {photograph.width} x {photograph.height}.")
