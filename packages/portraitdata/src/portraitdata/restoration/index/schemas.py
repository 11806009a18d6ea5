"""Columns of the three tables of a portrait index, and how such a table is read and written."""

from pathlib import Path

import pyarrow as pa

from portraitdata.loading.index_files import conform, read_parquet
from portraitdata.storage.places import Place

KIND = "a portrait index"

IMAGES = pa.schema(
    [
        pa.field("uid", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("archive", pa.string()),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
    ]
)
"""One row for each photograph; `size` is the length of the file in bytes, `width` and `height` are pixels as shown."""

IMAGES_OPTIONAL = pa.schema(
    [
        pa.field("prompt", pa.string()),
        pa.field("tags", pa.list_(pa.string())),
        pa.field("licence", pa.string()),
        pa.field("source", pa.string()),
    ]
)
"""Columns of photographs that may be absent."""

FACES = pa.schema(
    [
        pa.field("uid", pa.string(), nullable=False),
        pa.field("number", pa.int32(), nullable=False),
        pa.field("box", pa.list_(pa.float32(), 4), nullable=False),
        pa.field("score", pa.float32(), nullable=False),
        pa.field("landmarks", pa.list_(pa.float32(), 10), nullable=False),
        pa.field("eye_distance", pa.float32(), nullable=False),
        pa.field("matrix", pa.list_(pa.float64(), 6), nullable=False),
    ]
)
"""One row for each face: `number` counts the faces of its photograph from zero.

Coordinates are pixels of the upright photograph with centres at integers: `box` is left, top, right, bottom;
`landmarks` are x and y of left eye, right eye, nose, left and right mouth corner; `matrix` is, row by row, the map
from pixels of the photograph to those of the face aligned to FFHQ at 512 pixels. A column `embedding` of float16
lists may follow.
"""

PAIRS = pa.schema(
    [
        pa.field("face_a", pa.string(), nullable=False),
        pa.field("face_b", pa.string(), nullable=False),
        pa.field("cosine", pa.float32(), nullable=False),
    ]
)
"""One row for each unordered pair of faces of one person, by `face_name`."""


def face_name(uid: str, number: int) -> str:
    """Name of a face in the table of pairs.

    Example:
        >>> face_name("9f3a", 0)
        '9f3a:0'
    """
    return f"{uid}:{number}"


def check_table(path: Place) -> None:
    """Refuse a table that is not there."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}; a portrait index is a folder with images.parquet in it.")


def read_table(path: Place) -> pa.Table:
    """Read a parquet file.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is no parquet file.
    """
    check_table(path)
    return read_parquet(path, f"a table of {KIND}")


def read_faces_and_pairs(folder: Path) -> tuple[pa.Table, pa.Table]:
    """Tables of faces and of pairs beside images.parquet; either may be absent."""
    faces, pairs = (
        read_table(path) if (path := folder / f"{name}.parquet").is_file() else schema.empty_table()
        for name, schema in (("faces", FACES), ("pairs", PAIRS))
    )
    return faces, pairs


def conform_tables(images: pa.Table, faces: pa.Table, pairs: pa.Table) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Tables of an index with the columns of their schemas first; ValueError if one is missing or of another type."""
    return (
        conform(images, IMAGES, "images.parquet", KIND, IMAGES_OPTIONAL),
        conform(faces, FACES, "faces.parquet", KIND),
        conform(pairs, PAIRS, "pairs.parquet", KIND),
    )
