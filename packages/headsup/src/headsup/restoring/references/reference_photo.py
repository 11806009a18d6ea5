"""A reference photograph: its largest face, aligned, with pose, resolution and, where there is a network, embedding."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from faceops.geometry.alignment import align, alignment_matrix
from faceops.geometry.landmarks import FFHQ_512
from faceops.geometry.similarity import apply
from faceops.images.files import decode_picture
from headsup.restoring.references.face_recognition import FaceRecognition, detect_and_embed

POSE_UNIT = 0.1
"""Mean distance of the aligned landmarks, in eye distances, that weighs as much as half the resolution."""


@dataclass(frozen=True, eq=False)
class ReferencePhoto:
    """The largest face of a photograph."""

    path: Path
    digest: str
    """SHA-256 of the file, by which it is known again as an input."""
    size: tuple[int, int]
    """Height and width of the photograph in pixels."""
    crop: UInt8[Tensor, "3 512 512"]
    """The face, aligned to FFHQ: in bytes, since there may be thousands of photographs, of which few guide."""
    pose: Float[Tensor, "5 2"]
    """Landmarks, aligned to FFHQ."""
    eye_distance: float
    """In pixels of the photograph."""
    embedding: Float[Tensor, " d"] | None
    """None where no network tells people apart."""

    @property
    def face(self) -> Float[Tensor, "3 512 512"]:
        """Aligned to FFHQ, RGB in [0, 1]."""
        return self.crop.float() / 255

    def unfitness(self, pose: Float[Tensor, "5 2"]) -> float:
        """Misfit to a face of some pose; lower is better.

        Halvings of the resolution below that of an aligned face, plus the root mean square distance of the landmarks
        in units of `POSE_UNIT`: a face that looks the other way tells less than one at half the resolution.

        Args:
            pose: Landmarks of the face, aligned to FFHQ.
        """
        wanted = FFHQ_512.eye_distance()
        halvings = torch.tensor(wanted / max(self.eye_distance, 1.0)).log2().clamp(min=0).item()
        distance = (self.pose - pose).square().sum(dim=1).mean().sqrt().item() / wanted
        return halvings + distance / POSE_UNIT


def reference_photo(path: Path, data: bytes, recognition: FaceRecognition) -> tuple[ReferencePhoto | None, int]:
    """Read a photograph and take its largest face, if it shows one.

    Args:
        path: Its name.
        data: Content of its file.
        recognition: Networks.

    Returns:
        The photograph, and how many faces it shows.

    Raises:
        ImageFileError: If it cannot be read.
    """
    pixels = decode_picture(data, str(path)).pixels
    seen = detect_and_embed(pixels, recognition)
    if len(seen) == 0:
        return None, 0
    face = seen.faces.select(torch.tensor([0]))
    photo = ReferencePhoto(
        path,
        hashlib.sha256(data).hexdigest(),
        (pixels.shape[1], pixels.shape[2]),
        (align(pixels.unsqueeze(0), face).crops[0] * 255).round().byte(),
        aligned_landmarks(face.landmarks[0]),
        face.eye_distance().item(),
        None if seen.embeddings is None else seen.embeddings[0],
    )
    return photo, len(seen)


def aligned_landmarks(landmarks: Float[Tensor, "5 2"]) -> Float[Tensor, "5 2"]:
    """Landmarks of a face, brought to FFHQ's 512 pixels: what is left of the pose when place, size and tilt are gone.

    Example:
        >>> turned = torch.tensor([[60.0, 0.0], [60.0, 40.0], [40.0, 20.0], [20.0, 5.0], [20.0, 35.0]])
        >>> upright = torch.stack((turned[:, 1], -turned[:, 0]), dim=1)
        >>> torch.allclose(aligned_landmarks(turned), aligned_landmarks(upright), atol=1e-2)
        True
    """
    return apply(alignment_matrix(landmarks.unsqueeze(0)), landmarks.unsqueeze(0))[0]
