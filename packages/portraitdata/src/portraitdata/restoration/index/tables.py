"""The tables of a portrait index as they lie, not yet checked, and where its files are."""

import json
import os
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from portraitdata.restoration.index.portrait_index import METADATA_KEY
from portraitdata.restoration.index.schemas import (
    FACES,
    IMAGES,
    IMAGES_OPTIONAL,
    PAIRS,
    conform,
    read_table,
)


class IndexTables(NamedTuple):
    """Tables of a `PortraitIndex`; reading by columns only, a contradiction between them is no error."""

    root: Path
    """Folder that paths and archives are relative to."""
    images: pa.Table
    faces: pa.Table
    pairs: pa.Table


def read_index_tables(folder: Path) -> IndexTables:
    """Read the tables of a portrait index; faces and pairs may be absent.

    Raises:
        FileNotFoundError: If there is no index.
        ValueError: If a table is none of a portrait index.
    """
    images = read_table(folder / "images.parquet")
    stored = (images.schema.metadata or {}).get(METADATA_KEY)
    if stored is None:
        raise ValueError(f"{folder} is no portrait index: images.parquet does not say where its photographs lie.")
    faces, pairs = (
        read_table(path) if (path := folder / f"{name}.parquet").is_file() else schema.empty_table()
        for name, schema in (("faces", FACES), ("pairs", PAIRS))
    )
    return IndexTables(
        Path(os.path.normpath(folder / json.loads(stored)["root"])),
        conform(images, IMAGES, "images.parquet", IMAGES_OPTIONAL).replace_schema_metadata(images.schema.metadata),
        conform(faces, FACES, "faces.parquet"),
        conform(pairs, PAIRS, "pairs.parquet"),
    )


def build_of(folder: Path) -> Path | None:
    """Folder of the build that an index belongs to, if it does."""
    parent = folder.resolve().parent
    return parent if folder.resolve().name == "shards" and (parent / "10_index").is_dir() else None
