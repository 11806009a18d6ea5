"""What was found in some pictures of an index, as a file: a run that was killed goes on after the last of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from faceops.geometry.faces import Faces
from portraitdata.exemplars.index import Photograph
from portraitdata.exemplars.sources.scanning import Skipped
from portraitdata.loading.index_files import write_parquet
from portraitdata.restoration.index.face_pass import SeenPicture

PART = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("uid", pa.string()),
        pa.field("archive", pa.string()),
        pa.field("offset", pa.int64()),
        pa.field("size", pa.int64()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("small_faces", pa.int32()),
        pa.field("boxes", pa.list_(pa.float32())),
        pa.field("landmarks", pa.list_(pa.float32())),
        pa.field("scores", pa.list_(pa.float32())),
        pa.field("embeddings", pa.list_(pa.float16())),
    ]
)
"""One row for each picture; one that was skipped has a reason and nothing else. Arrays are flattened."""


def write_part(looked_at: Sequence[SeenPicture | Skipped], path: Path) -> None:
    """Write a part, whole or not at all.

    Raises:
        OSError: If it cannot be written.
    """
    table = pa.Table.from_pylist([_row(picture) for picture in looked_at], schema=PART)
    write_parquet(table, path)


def read_part(path: Path) -> list[SeenPicture | Skipped]:
    """What `write_part` wrote, the same to the bit.

    Raises:
        OSError: If it cannot be read.
    """
    return [_looked_at(row) for row in pq.read_table(path).to_pylist()]


def _row(picture: SeenPicture | Skipped) -> dict[str, Any]:
    if isinstance(picture, Skipped):
        return {"path": picture.path, "reason": picture.reason}
    place = picture.photograph
    return {
        **{name: getattr(place, name) for name in ("path", "archive", "offset", "size", "width", "height")},
        "uid": picture.uid,
        "small_faces": picture.small_faces,
        "boxes": picture.faces.boxes.flatten().numpy(),
        "landmarks": picture.faces.landmarks.flatten().numpy(),
        "scores": picture.faces.scores.numpy(),
        "embeddings": picture.embeddings.ravel(),
    }


def _looked_at(row: dict[str, Any]) -> SeenPicture | Skipped:
    if row["reason"] is not None:
        return Skipped(row["path"], row["reason"])
    place = Photograph(
        row["path"], row["archive"], row["offset"], row["size"], "", "unused", row["width"], row["height"]
    )
    scores = torch.tensor(row["scores"], dtype=torch.float32)
    faces = Faces(
        torch.zeros(len(scores), dtype=torch.int64),
        torch.tensor(row["boxes"], dtype=torch.float32).reshape(-1, 4),
        torch.tensor(row["landmarks"], dtype=torch.float32).reshape(-1, 5, 2),
        scores,
    )
    embeddings = np.array(row["embeddings"], np.float16)
    return SeenPicture(
        row["uid"], place, faces, embeddings.reshape(len(scores), -1 if len(embeddings) else 0), row["small_faces"]
    )
