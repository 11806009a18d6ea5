"""Embeddings in the table of faces of a portrait index."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def embedding_matrix(faces: pa.Table) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Embeddings of the faces that have one, (n, d), and the rows of these faces.

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
    flat = present.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    return flat.reshape(len(present), -1), rows
