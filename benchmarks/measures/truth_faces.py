"""Where the face of a truth is, sought once for all results that are compared with it."""

from benchmarks.measures.remembered import Remembered
from faceops.detection.detector import Detector
from faceops.geometry.faces import Faces
from portraitdata.scoring.face_geometry import FaceFinder
from portraitdata.scoring.metric import ImagePair, NoFaceInImageError


class TruthFaces(FaceFinder):
    """A finder that remembers the last truths, not the last pair.

    Args:
        detector: Finds faces.
    """

    def __init__(self, detector: Detector) -> None:
        super().__init__(detector)
        self._found = Remembered(lambda image: detector(image).largest())

    def target(self, pair: ImagePair) -> Faces:
        """The face of the truth: one row.

        Raises:
            NoFaceInImageError: If there is none.
        """
        found = self._found(pair.target)
        if not len(found):
            raise NoFaceInImageError(pair.name, "target")
        return found
