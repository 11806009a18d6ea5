"""Columns of the three tables of a portrait index, and how such a table is read and written."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from faceops.atomic_files import replacing

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


def conform(table: pa.Table, schema: pa.Schema, what: str, optional: pa.Schema | None = None) -> pa.Table:
    """The columns of a schema in its types, then all the others as they are.

    Args:
        what: What an error calls the table.
        optional: Columns that are brought to a type where they are there.

    Raises:
        ValueError: If a column is missing, of another type, or empty where it must not be.

    Example:
        >>> table = pa.table({"note": ["?"], "cosine": [0.75], "face_b": ["y:0"], "face_a": ["x:0"]})
        >>> conform(table, PAIRS, "pairs.parquet").column_names
        ['face_a', 'face_b', 'cosine', 'note']
    """
    missing = [name for name in schema.names if name not in table.column_names]
    if missing:
        raise ValueError(f"{what} lacks the columns {', '.join(missing)}, which a portrait index must have.")
    known = {field.name: field for field in (*schema, *(optional or ()))}
    extra = [name for name in table.column_names if name not in schema.names]
    fields = [known.get(name, table.schema.field(name)) for name in (*schema.names, *extra)]
    try:
        chosen = table.select([field.name for field in fields]).cast(pa.schema(fields))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise ValueError(f"{what} has columns of another type than a portrait index: {error}.") from error
    holes = [name for name in schema.names if not schema.field(name).nullable and chosen[name].null_count]
    if holes:
        raise ValueError(f"{what} has rows without {', '.join(holes)}.")
    return chosen.combine_chunks()


def check_table(path: Path) -> None:
    """Refuse a table that is not there."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}; a portrait index is a folder with images.parquet in it.")


def read_table(path: Path) -> pa.Table:
    """Read a parquet file.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is no parquet file.
    """
    check_table(path)
    try:
        return pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path} is not a parquet file, a table of a portrait index was wanted.") from error


def write_table(table: pa.Table, path: Path) -> None:
    """Write a parquet file, whole or not at all."""
    with replacing(path) as temporary:
        pq.write_table(table, temporary)
