"""A person of the references: photographs that are used together."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from faceops.enumeration import listed
from headsup.restoring.references.reference_photo import ReferencePhoto, aligned_landmarks


@dataclass(frozen=True, eq=False)
class Person:
    """Photographs of one person."""

    photos: tuple[ReferencePhoto, ...]
    folder: str | None = None
    """Name of the folder of the person's own; None where the photographs came without one."""
    label: str | None = None
    """Name in messages where the usual one is another person's too."""

    @property
    def name(self) -> str:
        """Name of the person in messages."""
        return self.usual_name if self.label is None else self.label

    @property
    def usual_name(self) -> str:
        """Name of the folder or of the photographs, which several people may have."""
        if self.folder is not None:
            return self.folder
        names = [photo.path.name for photo in self.photos]
        return listed(names, most=2 if len(names) == 2 else 1)

    @property
    def mean(self) -> Float[Tensor, " d"]:
        """Mean of the photographs' embeddings; the product of two is the mean similarity of their photographs."""
        vectors = [photo.embedding for photo in self.photos if photo.embedding is not None]
        assert len(vectors) == len(self.photos), "only where a network has compared them"
        return torch.stack(vectors).mean(dim=0)

    @property
    def embedding(self) -> Float[Tensor, " d"]:
        """The same, of length one."""
        return F.normalize(self.mean, dim=0)

    def best_for(self, landmarks: Float[Tensor, "5 2"], count: int = 1) -> tuple[ReferencePhoto, ...]:
        """The photographs that serve a face best by resolution and pose, see `ReferencePhoto.unfitness`; best first.

        Args:
            landmarks: Of the face, in pixels of its picture.
            count: How many, at most.
        """
        pose = aligned_landmarks(landmarks)
        return tuple(sorted(self.photos, key=lambda photo: photo.unfitness(pose))[:count])
