"""Likeness of result and truth by a recognition network, under its own name, so that a table can have two."""

from portraitdata.scoring.face_geometry import FaceEmbedder
from portraitdata.scoring.identity_metrics import IdentityMetric
from portraitdata.scoring.metric import Column, ImagePair


class NamedIdentity:
    """`IdentityMetric` with a column of another name.

    Args:
        embedder: Recognition network, and where the face is.
        column: Name of the column.
    """

    def __init__(self, embedder: FaceEmbedder, column: str) -> None:
        self.metric = IdentityMetric(embedder)
        self.columns = (Column(column, self.metric.columns[0].convention, higher_is_better=True),)

    def __call__(self, pair: ImagePair) -> tuple[float]:
        """Cosine of the embeddings.

        Raises:
            NoFaceInImageError: If the truth shows no face.
        """
        return self.metric(pair)
