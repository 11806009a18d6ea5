"""Exact landmarks of faces that were found, whatever found them.

``python -m benchmarks any_turn`` says how much more exact they are.
"""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.detection.exact_landmarks.landmark_network import SIDE, WINDOW, middles, spread
from faceops.detection.exact_landmarks.landmark_weights import FILES
from faceops.geometry.alignment import alignment_matrix, crop_faces
from faceops.geometry.boxes import longer_sides
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import MIRRORED
from faceops.geometry.similarity import apply, invert

LOOKS = 2
"""Close-ups after each other, each aligned by the landmarks of the one before."""

AT_ONCE = 64
"""Faces that go through the network together, for memory."""

LARGEST_MOVE = 0.6
"""Mean move of the landmarks, in distances of the eyes, beyond which the close-up showed something else."""

DOUBT = (2.6, 3.1)
"""Spread of the maps from which on a face is doubted, and from which on as much as can be.

Of 160 large portraits the faces have 1.4 to 1.7, what is no face 2.75 and more; of faces of 12 pixels, or damaged as by
Real-ESRGAN, one in fifty has more than 2.6.
"""

LOWERED = 0.35
"""What the largest doubt takes off a score."""

SMALL = 0.35
"""Side of a face, in sides of another one, below which it may be an ear of that, or a pattern beside it."""


class ExactLandmarks:
    """Finds the landmarks of known faces on upright close-ups, and doubts faces that do not show them.

    Args:
        weights: File of weights; those that come with the package if None.
        device: Where to compute; images are taken there.

    Raises:
        ValueError: If the file holds no weights of this network.
        MissingWeightsError: If there is no such file.
    """

    def __init__(self, weights: Path | str | None = None, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        network = FILES.load(weights).to(memory_format=torch.channels_last)
        self.network = network.to(self.device)

    @torch.no_grad()
    def __call__(self, images: Float[Tensor, "b 3 h w"], faces: Faces) -> Faces:
        """The same faces in the same order with exact landmarks; doubtful ones have lower scores, which may be below 0.

        Landmarks that would be far from where they were stay.

        Args:
            images: RGB in [0, 1].
            faces: Whose landmarks are roughly known and apart.
        """
        if not len(faces):
            return faces
        known = faces.landmarks
        chunks = torch.arange(len(faces), device=known.device).split(AT_ONCE)
        widest = torch.zeros_like(faces.scores)
        for _ in range(LOOKS):
            seen = [self._look(images, faces.select(chunk)) for chunk in chunks]
            found, wide = (torch.cat(parts) for parts in zip(*seen, strict=True))
            widest = torch.maximum(widest, wide)
            moved = (found - known).norm(dim=2).mean(dim=1)
            there = (moved <= LARGEST_MOVE * (known[:, 1] - known[:, 0]).norm(dim=1))[:, None, None]
            faces = Faces(faces.image_index, faces.boxes, torch.where(there, found, known), faces.scores)
        return Faces(faces.image_index, faces.boxes, faces.landmarks, lowered(faces, widest))

    def _look(
        self, images: Float[Tensor, "b 3 h w"], faces: Faces
    ) -> tuple[Float[Tensor, "n 5 2"], Float[Tensor, " n"]]:
        """Landmarks, means of a close-up and its mirror image, and how wide the maps are spread."""
        matrix = alignment_matrix(faces.landmarks, SIDE, WINDOW)
        crops = crop_faces(images, matrix, faces.image_index, SIDE).crops.to(self.device, torch.float32).clamp(0, 1)
        maps, mirrored = (
            self.network((2 * views - 1).contiguous(memory_format=torch.channels_last))
            for views in (crops, crops.flip(-1))
        )
        other = middles(mirrored)[:, MIRRORED]
        other = torch.stack([SIDE - 1 - other[..., 0], other[..., 1]], dim=-1)
        middle = ((middles(maps) + other) / 2).to(faces.landmarks)
        wide = (spread(maps) + spread(mirrored)) / 2
        return apply(invert(matrix), middle), wide.to(faces.scores)


def lowered(faces: Faces, wide: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Scores, less where maps are spread as those of ears, hair and cloth are.

    Only what is small beside a likelier face, or within it, is doubted: a face alone may be too damaged for landmarks.

    Args:
        wide: How wide the maps of each face are spread.
    """
    doubt = ((wide - DOUBT[0]) / (DOUBT[1] - DOUBT[0])).clamp(0, 1)
    sides, middle = longer_sides(faces.boxes), (faces.boxes[:, None, :2] + faces.boxes[:, None, 2:]) / 2
    within = ((middle > faces.boxes[:, :2]) & (middle < faces.boxes[:, 2:])).all(dim=2)
    likelier = (faces.image_index[:, None] == faces.image_index) & (faces.scores[:, None] < faces.scores)
    beside = likelier & (sides[:, None] < sides) & ((sides[:, None] < SMALL * sides) | within)
    return faces.scores - LOWERED * doubt * beside.any(dim=1)
