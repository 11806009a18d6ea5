"""A look at a picture that finds, aligns and embeds its faces."""

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import torch
from numpy.typing import NDArray

from faceops.detection.detector import Detector
from faceops.geometry.alignment import alignment_matrix
from faceops.geometry.faces import Faces
from faceops.images.decoding import decode_raster
from faceops.images.files import srgb_bytes
from faceops.recognition.identity import IdentityNetwork, embed
from portraitdata.exemplars.index import Photograph, read_photograph
from portraitdata.storage.places import Place

UID_LENGTH = 16
"""Hexadecimal digits of a file's SHA-256 that name it; two of a million files agree with a chance of 3e-8."""

MIN_EYES = 64.0
"""Least distance of the eyes of a face that is kept, in pixels of the photograph (HeadsUp, Appendix C)."""


@dataclass(frozen=True, eq=False)
class SeenPicture:
    """A picture that was decoded, and its faces."""

    uid: str
    photograph: Photograph
    """Its place, with the size in pixels."""
    faces: Faces
    embeddings: NDArray[np.float16]
    """One row for each face; (n, 0) if there is no network."""
    small_faces: int = 0
    """Faces that were left out because they are small."""


class FacePass:
    """Looks at pictures one by one.

    Args:
        detector: Finds faces; None looks for none.
        network: Embeds faces; None embeds none.
        min_eyes: Faces whose eyes are closer are left out, in pixels; the true distance, not FaceLib's figure of that
            name, which is about half of it.
        device: Where copies of pictures and aligned faces are made; where the network is.
    """

    def __init__(
        self,
        root: Place,
        detector: Detector | None,
        network: IdentityNetwork | None,
        min_eyes: float = MIN_EYES,
        device: torch.device | str = "cpu",
    ) -> None:
        self._root = root
        self._detector, self._network, self._min_eyes, self._device = detector, network, min_eyes, device

    def look(self, file: Photograph) -> SeenPicture:
        """Decode a picture and find its faces; ImageFileError if it cannot be decoded."""
        data = read_photograph(self._root, file)
        raster = decode_raster(data, file.path)
        height, width = raster.samples.shape[:2]
        uid = sha256(data).hexdigest()[:UID_LENGTH]
        faces, embeddings, small = Faces.none(), np.zeros((0, 0), np.float16), 0
        if self._detector is not None:
            samples = torch.from_numpy(srgb_bytes(raster, 0, 0, height, width)).to(self._device)
            pixels = samples.float().unsqueeze(0) / 255
            with torch.inference_mode():
                found = self._detector(pixels)
                faces = found.select(found.eye_distance() >= self._min_eyes)
                small = len(found) - len(faces)
                if self._network is not None and len(faces):
                    embeddings = embed(self._network, pixels, faces).to("cpu", torch.float16).numpy()
        return SeenPicture(uid, file._replace(width=width, height=height), faces.to("cpu"), embeddings, small)


def face_columns(faces: Faces) -> dict[str, list]:
    """Columns of the table of faces that tell where faces are, a list of one value for each face."""
    return {
        "box": faces.boxes.tolist(),
        "score": faces.scores.tolist(),
        "landmarks": faces.landmarks.flatten(1).tolist(),
        "eye_distance": faces.eye_distance().tolist(),
        # to the aligned 512-pixel face, by least median of squares, as HeadsUp's Appendix B, in float64
        "matrix": alignment_matrix(faces.landmarks.double(), estimator="lmeds").flatten(1).tolist(),
    }
