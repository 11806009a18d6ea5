"""Metrics of the face: ID-Score (HeadsUp, Eq. 4), IDA, landmark distance, the seam of a pasted face."""

from math import isfinite

import torch
from torch import nn

from faceops.metrics.ida import angles, daefr_grey
from faceops.metrics.landmark_distance import landmark_distances
from faceops.metrics.seam_scores import seam_scores
from faceops.recognition.identity import similarity
from portraitdata.scoring.face_geometry import FaceEmbedder, FaceFinder, aligned_at_512
from portraitdata.scoring.metric import Column, ImagePair, PairMetric


def ida_metric(embedder: FaceEmbedder) -> PairMetric:
    """Angle between the embeddings of the restored and the true face, in radians."""
    column = Column("ida", f"radians, {embedder.name}", higher_is_better=False)
    return PairMetric(column, lambda pair: angles(*embedder(pair)).item())


def daefr_ida_metric(finder: FaceFinder, network: nn.Module) -> PairMetric:
    """IDA by DAEFR's rules (HeadsUp, Table 1), in radians: grey faces of misread channels, see `daefr_grey`.

    The mean is over the pairs. DAEFR divides by the number of targets, so that a missing image lowers the mean; here
    missing images are said.

    Args:
        network: Makes features (n, d) of grey faces (n, 1, 128, 128) in [0, 1].
    """
    still = network.eval()

    def measure(pair: ImagePair) -> float:
        with torch.inference_mode():
            ours, theirs = (still(daefr_grey(faces)) for faces in aligned_at_512(finder, pair))
            return angles(ours, theirs).item()

    return PairMetric(Column("ida_daefr", "radians, DAEFR's rules and network", higher_is_better=False), measure)


def landmark_metric(finder: FaceFinder) -> PairMetric:
    """Mean distance of the landmarks found in the restored and in the true face, in distances of the true eyes.

    Both are found by the detector, of aligned sets too. A restored face that is not found where the target has its
    face has no number and is named.
    """

    def measure(pair: ImagePair) -> float:
        return landmark_distances(finder.restored(pair).landmarks, finder.detected(pair).landmarks).item()

    return PairMetric(Column("lmd", "of the distance of the eyes, 5 landmarks", higher_is_better=False), measure)


def boundary_metric() -> PairMetric:
    """Visibility of the seam around a pasted face, beyond what the target has at the same place; 0 is none.

    There is no number without a mask, and with one without a contour in the image.
    """

    def measure(pair: ImagePair) -> float | None:
        if pair.mask is None:
            return None
        with torch.inference_mode():
            seen = seam_scores(pair.restored, pair.mask, pair.target).total.item()
        return seen if isfinite(seen) else None

    return PairMetric(Column("boundary", "seam of the mask, beyond the target's", higher_is_better=False), measure)


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
