"""How far mouth and eyes are from where they were, by the 468 points of MediaPipe's face mesh.

Both pictures are cut at the truth's face, so that nothing makes up for a face that has moved. A square around the box
of the face, turned until the eyes are level and larger by half as MediaPipe has it, is reduced to 192 pixels.
"""

from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.measures.remembered import Remembered
from faceops.geometry.faces import Faces
from portraitdata.scoring.face_geometry import FaceFinder
from portraitdata.scoring.metric import Column, ImagePair

SIDE, MARGIN = 192, 1.5
"""Side of the network's input in pixels, and what the box is enlarged by."""

MOUTH = (
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409),
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415),
)
"""Outer and inner contour of the lips."""

EYES = (
    *(33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173),
    *(263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398),
)
"""Contours of both eyes."""


class DenseLandmarks:
    """The network.

    Args:
        path: `face_landmark.tflite`.

    Raises:
        cv2.error: If it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.network = cv2.dnn.readNetFromTFLite(str(path))

    def __call__(self, image: Float[Tensor, "3 h w"], face: Faces) -> Float[Tensor, "468 2"]:
        """Points of the first of the faces, in pixels of the picture.

        Args:
            image: RGB in [0, 1].
            face: Where it is.
        """
        pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
        matrix = crop_matrix(face)
        flags = cv2.INTER_LINEAR if matrix[0, 0] ** 2 + matrix[0, 1] ** 2 >= 1 else cv2.INTER_AREA
        crop = cv2.warpAffine(pixels, matrix, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        self.network.setInput(cv2.dnn.blobFromImage(crop))
        points = np.asarray(self.network.forward()).reshape(-1)[: 468 * 3].reshape(468, 3)[:, :2]
        back = cv2.invertAffineTransform(matrix)
        return torch.from_numpy(points @ back[:, :2].T + back[:, 2]).float()


def crop_matrix(face: Faces) -> np.ndarray:
    """Affine matrix from the picture to the network's input, (2, 3)."""
    left, top, right, bottom = face.boxes[0].double().tolist()
    first, second = face.landmarks[0, :2].double().numpy()
    angle = np.degrees(np.arctan2(second[1] - first[1], second[0] - first[0]))
    centre = (left + right) / 2, (top + bottom) / 2
    matrix = cv2.getRotationMatrix2D(centre, angle, SIDE / (MARGIN * max(right - left, bottom - top)))
    matrix[:, 2] += (SIDE - 1) / 2 - np.array(centre)
    return matrix


class MouthAndEyes:
    """Mean distance of the points of mouth and of eyes from the truth's, in percent of the distance of its eyes.

    Args:
        finder: Where the face is; of the truth.
        landmarks: Network.
    """

    columns = (
        Column("mouth", "468 points, % of the eyes' distance", higher_is_better=False, digits=2),
        Column("eyes", "468 points, % of the eyes' distance", higher_is_better=False, digits=2),
    )

    def __init__(self, finder: FaceFinder, landmarks: DenseLandmarks) -> None:
        self.finder, self.landmarks = finder, landmarks
        self._of_truth = Remembered(self._points_of_truth)

    def __call__(self, pair: ImagePair) -> tuple[float, float]:
        """Both distances.

        Raises:
            NoFaceInImageError: If the truth shows no face.
        """
        face = self.finder.target(pair)
        found, wanted = self.landmarks(pair.restored[0], face), self._of_truth(pair.target)
        apart = 100 * (found - wanted).norm(dim=1) / face.eye_distance()[0]
        return apart[list(MOUTH)].mean().item(), apart[list(EYES)].mean().item()

    def _points_of_truth(self, image: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "468 2"]:
        return self.landmarks(image[0], self.finder.target(ImagePair("", image, image)))
