"""ID-Score of HeadsUp (Eq. 4): is the restored face the same person as the target, and as the reference?"""

from faceops.recognition.identity import similarity
from portraitdata.scoring.face_geometry import FaceEmbedder
from portraitdata.scoring.metric import Column, ImagePair, PairMetric


def identity_metric(embedder: FaceEmbedder, name: str = "id") -> PairMetric:
    """Cosine of the embeddings of the restored and the true face (HeadsUp, Eq. 4), in [-1, 1].

    Scores of different networks do not compare. A target without a face raises `NoFaceInImageError`.

    Args:
        name: Of the column.
    """
    column = Column(name, f"cosine, {embedder.name}", higher_is_better=True)
    return PairMetric(column, lambda pair: similarity(*embedder(pair)).item())


def reference_identity_metric(embedder: FaceEmbedder) -> PairMetric:
    """Cosine of the embeddings of the restored face and the one of the reference, in [-1, 1].

    The reference's face is found on the reference. Without one there is no number: a similarity of zero (the paper's
    definition) would say nothing of a restoration. A target or reference without a face raises `NoFaceInImageError`.
    """

    def measure(pair: ImagePair) -> float | None:
        reference = embedder.reference(pair)
        return None if reference is None else similarity(embedder(pair)[0], reference).item()

    column = Column("id_reference", f"cosine with the reference, {embedder.name}", higher_is_better=True)
    return PairMetric(column, measure)
