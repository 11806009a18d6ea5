"""Exact landmarks of faces that were found, whatever found them.

``python -m benchmarks any_turn`` says how much more exact they are.
"""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.detection.exact_landmarks.landmark_network import SIDE, WINDOW
from faceops.detection.exact_landmarks.landmark_weights import load_landmark_network
from faceops.geometry.alignment import alignment_matrix, crop_faces
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import MIRRORED
from faceops.geometry.similarity import apply, invert

LOOKS = 2
"""Close-ups after each other, each aligned by the landmarks of the one before."""

AT_ONCE = 64
"""Faces that go through the network together, for memory."""

LARGEST_MOVE = 0.6
"""Mean move of the landmarks, in distances of the eyes, beyond which the close-up showed something else."""


class ExactLandmarks:
    """Finds the landmarks of known faces on upright close-ups.

    Args:
        weights: File of weights; those that come with the package if None.
        device: Where to compute; images are taken there.

    Raises:
        ValueError: If the file holds no weights of this network.
        MissingWeightsError: If there is no such file.
    """

    def __init__(self, weights: Path | str | None = None, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        network = load_landmark_network(weights).to(memory_format=torch.channels_last)
        self.network = network.to(self.device)

    @torch.no_grad()
    def __call__(self, images: Float[Tensor, "b 3 h w"], faces: Faces) -> Faces:
        """The same faces with exact landmarks; boxes, scores and order stay.

        A face on whose close-ups the landmarks are far from where they were stays as it is.

        Args:
            images: RGB in [0, 1].
            faces: Whose landmarks are roughly known and apart.
        """
        if not len(faces):
            return faces
        known = faces.landmarks
        chunks = torch.arange(len(faces), device=known.device).split(AT_ONCE)
        for _ in range(LOOKS):
            found = torch.cat([self._look(images, faces.select(chunk)) for chunk in chunks])
            unit = (known[:, 1] - known[:, 0]).norm(dim=1)
            moved = (found - known).norm(dim=2).mean(dim=1)
            there = (moved <= LARGEST_MOVE * unit)[:, None, None]
            faces = Faces(faces.image_index, faces.boxes, torch.where(there, found, known), faces.scores)
        return faces

    def _look(self, images: Float[Tensor, "b 3 h w"], faces: Faces) -> Float[Tensor, "n 5 2"]:
        matrix = alignment_matrix(faces.landmarks, SIDE, WINDOW)
        crops = crop_faces(images, matrix, faces.image_index, SIDE).crops.to(self.device, torch.float32).clamp(0, 1)
        seen = self.network((2 * crops - 1).contiguous(memory_format=torch.channels_last))
        other = self.network((2 * crops.flip(-1) - 1).contiguous(memory_format=torch.channels_last))[:, MIRRORED]
        other = torch.stack([SIDE - 1 - other[..., 0], other[..., 1]], dim=-1)
        middle = ((seen + other) / 2).to(faces.landmarks)
        return apply(invert(matrix), middle)
