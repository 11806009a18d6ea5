"""Parquet files of an index of photographs: their columns, and the metadata that say where the photographs lie."""

import os
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from faceops.json_text import parse_json
from portraitdata.storage.parquet_tables import read_table
from portraitdata.storage.places import Place
from portraitdata.storage.writing import writing


def read_parquet(path: Place, wanted: str) -> pa.Table:
    """Read a parquet file; ValueError if it is none."""
    try:
        return read_table(path)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path} is not a parquet file, {wanted} was wanted.") from error


def write_parquet(table: pa.Table, path: Place) -> None:
    """Write a parquet file, whole or not at all."""
    with writing(path) as file:
        pq.write_table(table, file)


def conform(table: pa.Table, schema: pa.Schema, what: str, index: str, optional: pa.Schema | None = None) -> pa.Table:
    """The columns of a schema in its types, then all the others as they are.

    Args:
        what: What an error calls the table.
        index: What an error calls its kind of index.
        optional: Columns that are brought to a type where they are there.

    Raises:
        ValueError: If a column is missing, of another type, or empty where it must not be.

    Example:
        >>> schema = pa.schema([pa.field("cosine", pa.float32())])
        >>> conform(pa.table({"note": ["?"], "cosine": [0.75]}), schema, "a.parquet", "an index").column_names
        ['cosine', 'note']
    """
    missing = [name for name in schema.names if name not in table.column_names]
    if missing:
        raise ValueError(f"{what} lacks the columns {', '.join(missing)}, which {index} must have.")
    known = {field.name: field for field in (*schema, *(optional or ()))}
    extra = [name for name in table.column_names if name not in schema.names]
    fields = [known.get(name, table.schema.field(name)) for name in (*schema.names, *extra)]
    try:
        chosen = table.select([field.name for field in fields]).cast(pa.schema(fields))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise ValueError(f"{what} has columns of another type than {index}: {error}.") from error
    holes = [name for name in schema.names if not schema.field(name).nullable and chosen[name].null_count]
    if holes:
        raise ValueError(f"{what} has rows without {', '.join(holes)}.")
    return chosen.combine_chunks()


def stored_metadata(table: pa.Table, key: bytes, version: int, place: Path, command: str) -> dict:
    """Metadata that an index stores beside its table: version, root and more.

    Args:
        key: Where it does.
        version: Newest version that can be read.
        place: What errors call the index.
        command: Command that makes one.

    Raises:
        ValueError: If there is nothing, or the version is newer.
    """
    stored = (table.schema.metadata or {}).get(key)
    if stored is None:
        raise ValueError(f"{place} does not say where its photographs lie; make it by `portraitdata {command}`.")
    try:
        metadata = parse_json(stored)
        newer = metadata["version"] > version
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{place} has no readable metadata ({error}); make it by `portraitdata {command}`.") from error
    if newer:
        raise ValueError(
            f"{place} has version {metadata['version']} of the index format, newer than {version}; update portraitdata."
        )
    return metadata


def portable_root(root: Path, folder: Path) -> str:
    """Root relative to the folder of an index, so that both may move together; absolute if they share nothing.

    Example:
        >>> portable_root(Path("/data/photos"), Path("/data/indexes")), portable_root(Path("/photos"), Path("/data"))
        ('../photos', '/photos')
    """
    try:
        common = Path(os.path.commonpath([root, folder]))
    except ValueError:  # different drives
        return str(root)
    return str(root) if common == common.parent else os.path.relpath(root, folder)


def check_inside(paths: Iterable[str | None], index: Path) -> None:
    """Refuse paths of an index that lead out of the folder of its photographs.

    Args:
        paths: Relative to the folder; None for what is not there.
        index: What errors call the index.

    Raises:
        ValueError: If one does.

    Example:
        >>> check_inside(["ada/1.jpg", None, "ada..lovelace.jpg"], Path("a.parquet"))
        >>> check_inside(["../key.jpg"], Path("a.parquet"))
        Traceback (most recent call last):
        ...
        ValueError: a.parquet names '../key.jpg', outside of the folder of its photographs; make the index anew.
    """
    for path in paths:
        if path and (os.path.isabs(path) or (".." in path and ".." in Path(path).parts)):
            raise ValueError(f"{index} names {path!r}, outside of the folder of its photographs; make the index anew.")


def photographs_root(stored: str, folder: Path, index: Path, given: Path | str | None) -> Path:
    """Folder of the photographs: the given one, else the one stored relative to the folder of the index.

    Raises:
        FileNotFoundError: If it is not there.
    """
    root = Path(given) if given is not None else Path(os.path.normpath(folder / stored))
    if not root.is_dir():
        raise FileNotFoundError(
            f"The photographs of {index} were in {root}, which is not there; give their folder as `root`."
        )
    return root
