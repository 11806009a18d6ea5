"""The tables of a portrait index as they lie, not yet checked, and where its files are."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portraitdata.loading.index_files import stored_metadata
from portraitdata.restoration.index.portrait_index import METADATA_KEY, VERSION
from portraitdata.restoration.index.schemas import conform_tables, read_faces_and_pairs, read_table


class IndexTables(NamedTuple):
    """Tables of a `PortraitIndex`; reading by columns only, a contradiction between them is no error."""

    root: Path
    """Folder that paths and archives are relative to."""
    images: pa.Table
    faces: pa.Table
    pairs: pa.Table
    split_threshold: float | None = None
    """As of `PortraitIndex`."""


def read_index_tables(folder: Path) -> IndexTables:
    """Read the tables of a portrait index; faces and pairs may be absent.

    Raises:
        FileNotFoundError: If there is no index.
        ValueError: If a table is none of a portrait index.
    """
    images = read_table(folder / "images.parquet")
    metadata = stored_metadata(images, METADATA_KEY, VERSION, folder, "portrait-index")
    conformed, faces, pairs = conform_tables(images, *read_faces_and_pairs(folder))
    root = Path(os.path.normpath(folder / metadata["root"]))
    conformed = conformed.replace_schema_metadata(images.schema.metadata)
    return IndexTables(root, conformed, faces, pairs, metadata.get("split_threshold"))


def build_of(folder: Path) -> Path | None:
    """Folder of the build that an index belongs to, if it does."""
    parent = folder.resolve().parent
    return parent if folder.resolve().name == "shards" and (parent / "10_index").is_dir() else None


def embedding_matrix(faces: pa.Table) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
    """Embeddings of the faces that have one, (n, d), as precise as they are stored, and the rows of these faces.

    Example:
        >>> embedding_matrix(pa.table({"embedding": [[1.0, 0.0], None]}))[1].tolist()
        [0]
    """
    if "embedding" not in faces.column_names:
        return np.zeros((0, 0), np.float32), np.zeros(0, np.int64)
    values = faces["embedding"].combine_chunks()
    rows = np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False))
    present = values.drop_null()
    if not len(present):
        return np.zeros((0, 0), np.float32), rows
    return present.flatten().to_numpy(zero_copy_only=False).reshape(len(present), -1), rows
