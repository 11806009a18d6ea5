"""Metrics of the face beside identity: IDA, landmark distance, the seam of a pasted face."""

from math import isfinite

import torch
from torch import nn

from faceops.metrics.ida import angles, daefr_grey
from faceops.metrics.landmark_distance import landmark_distances
from faceops.metrics.seam_scores import seam_scores
from portraitdata.scoring.face_geometry import FaceEmbedder, FaceFinder, aligned_at_512
from portraitdata.scoring.metric import Column, ImagePair


class IdaMetric:
    """Angle between the embeddings of the restored and the true face, in radians.

    Args:
        embedder: Recognition network, and where the face is.
    """

    def __init__(self, embedder: FaceEmbedder) -> None:
        self.embedder = embedder
        self.columns = (Column("ida", f"radians, {embedder.name}", higher_is_better=False),)

    def __call__(self, pair: ImagePair) -> tuple[float]:
        """Angle of one pair.

        Raises:
            NoFaceInImageError: If the target shows no face.
        """
        return (angles(*self.embedder(pair)).item(),)


class DaefrIdaMetric:
    """IDA by DAEFR's rules (HeadsUp, Table 1), in radians: grey faces of misread channels, see `daefr_grey`.

    The mean is over the pairs. DAEFR divides by the number of targets, so that a missing image lowers the mean; here
    missing images are said.

    Args:
        finder: Where the face is.
        network: Makes features (n, d) of grey faces (n, 1, 128, 128) in [0, 1].
    """

    def __init__(self, finder: FaceFinder, network: nn.Module) -> None:
        self.finder = finder
        self.network = network.eval()
        self.columns = (Column("ida_daefr", "radians, DAEFR's rules and network", higher_is_better=False),)

    def __call__(self, pair: ImagePair) -> tuple[float]:
        """Angle of one pair.

        Raises:
            NoFaceInImageError: If the target shows no face.
        """
        with torch.inference_mode():
            ours, theirs = (self.network(daefr_grey(faces)) for faces in aligned_at_512(self.finder, pair))
            return (angles(ours, theirs).item(),)


class LandmarkMetric:
    """Mean distance of the landmarks found in the restored and in the true face, in distances of the true eyes.

    Both are found by the detector, of aligned sets too. A restored face that is not found where the target has its
    face has no number and is named.

    Args:
        finder: Where the face is.
    """

    def __init__(self, finder: FaceFinder) -> None:
        self.finder = finder
        self.columns = (Column("lmd", "of the distance of the eyes, 5 landmarks", higher_is_better=False),)

    def __call__(self, pair: ImagePair) -> tuple[float]:
        """Distance of one pair.

        Raises:
            NoFaceInImageError: If the target or the restored image shows no face.
        """
        found = self.finder.restored(pair).landmarks
        return (landmark_distances(found, self.finder.detected(pair).landmarks).item(),)


class BoundaryMetric:
    """Visibility of the seam around a pasted face, beyond what the target has at the same place; 0 is none."""

    def __init__(self) -> None:
        self.columns = (Column("boundary", "seam of the mask, beyond the target's", higher_is_better=False),)

    def __call__(self, pair: ImagePair) -> tuple[float | None]:
        """Visibility of one pair; None if it has no mask, or one without a contour in the image."""
        if pair.mask is None:
            return (None,)
        with torch.inference_mode():
            seen = seam_scores(pair.restored, pair.mask, pair.target).total.item()
        return (seen if isfinite(seen) else None,)
