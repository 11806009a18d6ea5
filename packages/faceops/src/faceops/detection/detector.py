"""The protocol of face detectors."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from faceops.geometry.faces import Faces


@runtime_checkable
class Detector(Protocol):
    """Finds the faces in a batch of images of one size.

    Faces are ordered by image, then by score, then by position, and lie on the device of the images. Detectors are not
    differentiable.
    """

    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> Faces:
        """Find the faces."""
