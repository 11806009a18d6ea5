"""ID-Score of HeadsUp (Eq. 4): is the restored face the same person as the target, and as the reference?"""

from faceops.recognition.identity import similarity
from portraitdata.scoring.face_geometry import FaceEmbedder
from portraitdata.scoring.metric import Column, ImagePair


class IdentityMetric:
    """Cosine of the embeddings of the restored and the true face (HeadsUp, Eq. 4), in [-1, 1].

    Scores of different networks do not compare.

    Args:
        embedder: Recognition network, and where the face is.
    """

    def __init__(self, embedder: FaceEmbedder) -> None:
        self.embedder = embedder
        self.columns = (Column("id", f"cosine, {embedder.name}", higher_is_better=True),)

    def __call__(self, pair: ImagePair) -> tuple[float]:
        """Similarity of one pair.

        Raises:
            NoFaceInImageError: If the target shows no face.
        """
        return (similarity(*self.embedder(pair)).item(),)


class ReferenceIdentityMetric:
    """Cosine of the embeddings of the restored face and the one of the reference, in [-1, 1].

    The reference's face is found on the reference. Without one there is no number: a similarity of zero (the paper's
    definition) would say nothing of a restoration.

    Args:
        embedder: Recognition network, and where the face is.
    """

    def __init__(self, embedder: FaceEmbedder) -> None:
        self.embedder = embedder
        self.columns = (Column("id_reference", f"cosine with the reference, {embedder.name}", higher_is_better=True),)

    def __call__(self, pair: ImagePair) -> tuple[float | None]:
        """Similarity of one pair; None without a reference.

        Raises:
            NoFaceInImageError: If the target or the reference shows no face.
        """
        reference = self.embedder.reference(pair)
        if reference is None:
            return (None,)
        return (similarity(self.embedder(pair)[0], reference).item(),)
