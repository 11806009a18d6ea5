"""Where the face of a pair of images is: found once, on the target, and used for both."""

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.detection.detector import Detector
from faceops.geometry.alignment import align
from faceops.geometry.boxes import intersection_over_union
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import FFHQ_512
from faceops.recognition.identity import IdentityNetwork, embed
from portraitdata.scoring.metric import ImagePair, NoFaceInImageError

SAME_FACE = 0.3
"""Intersection over union from which on a box in the restored image is that of the target's face."""


class FaceFinder:
    """The largest face of the target, at the same place in the restored image; remembered for one pair.

    The geometry is the target's: a restorer that distorts a face is not helped by an alignment that makes up for it.

    Args:
        detector: Finds faces; None only if the sets are aligned and no landmarks are measured.
        aligned: Whether the images are faces aligned to FFHQ's template already, as CelebA-Test is; then nothing is
            sought.

    Raises:
        ValueError: If there is no detector for sets that are not aligned.
    """

    def __init__(self, detector: Detector | None, *, aligned: bool = False) -> None:
        if detector is None and not aligned:
            raise ValueError("Faces of images that are not aligned need a detector, got none.")
        self.detector, self.aligned = detector, aligned
        self._pair: ImagePair | None = None
        self._faces = Faces.none()
        self._detected: Faces | None = None

    def target(self, pair: ImagePair) -> Faces:
        """The face of the target: one row.

        Raises:
            NoFaceInImageError: If there is none.
            ValueError: If the sets are said to be aligned and the image is not square.
        """
        self._turn_to(pair)
        if not len(self._faces):
            self._faces = aligned_face(pair.target, pair.name) if self.aligned else self.detected(pair)
        return self._faces

    def detected(self, pair: ImagePair) -> Faces:
        """The face of the target by the detector, even of aligned sets; NoFaceInImageError if there is none."""
        self._turn_to(pair)
        if self._detected is None:
            self._detected = self._largest(pair.target)
        if not len(self._detected):
            raise NoFaceInImageError(pair.name, "target")
        return self._detected

    def reference(self, pair: ImagePair) -> Faces | None:
        """The face of the reference; None if the pair has no reference.

        Raises:
            NoFaceInImageError: If the reference shows no face.
        """
        if pair.reference is None:
            return None
        if self.aligned:
            return aligned_face(pair.reference, pair.name)
        found = self._largest(pair.reference)
        if not len(found):
            raise NoFaceInImageError(pair.name, "reference")
        return found

    def restored(self, pair: ImagePair) -> Faces:
        """Detect the face in the restored image where the target has its face.

        Raises:
            NoFaceInImageError: If either has none.
        """
        wanted = self.detected(pair)
        found = self._all(pair.restored)
        overlaps = intersection_over_union(found.boxes, wanted.boxes).flatten()
        if not len(found) or overlaps.max() < SAME_FACE:
            raise NoFaceInImageError(pair.name, "restored")
        return found.select(overlaps.argmax().reshape(1))

    def _turn_to(self, pair: ImagePair) -> None:
        if pair is not self._pair:
            self._pair, self._faces, self._detected = pair, Faces.none(), None

    def _all(self, image: Tensor) -> Faces:
        if self.detector is None:
            raise ValueError("Landmarks of aligned faces need a detector, got none.")
        return self.detector(image)

    def _largest(self, image: Tensor) -> Faces:
        return self._all(image).largest()


def aligned_face(image: Float[Tensor, "1 3 h w"], name: str) -> Faces:
    """The face of an image that is one, aligned to FFHQ's template: no detector is needed.

    Raises:
        ValueError: If the image is not square.

    Example:
        >>> aligned_face(torch.zeros(1, 3, 512, 512), "a").landmarks[0, 0].round(decimals=2).tolist()
        [192.97999572753906, 239.9499969482422]
    """
    height, width = image.shape[-2:]
    if height != width:
        raise ValueError(f"{name} is {width} x {height} pixels; aligned faces are square.")
    points = FFHQ_512.scaled(width).tensor(image.device).float().unsqueeze(0)
    box = torch.tensor([[0.0, 0.0, width - 1.0, height - 1.0]], device=image.device)
    index = torch.zeros(1, dtype=torch.int64, device=image.device)
    return Faces(index, box, points, torch.ones(1, device=image.device))


class FaceEmbedder:
    """Embeddings of the face in the restored image and in the target; remembered for one pair.

    Args:
        name: What to call the network beside the numbers.
    """

    def __init__(self, finder: FaceFinder, network: IdentityNetwork, name: str) -> None:
        self.finder, self.network, self.name = finder, network, name
        self._pair: ImagePair | None = None
        self._embeddings = (torch.empty(0), torch.empty(0))

    @torch.inference_mode()
    def __call__(self, pair: ImagePair) -> tuple[Float[Tensor, "1 d"], Float[Tensor, "1 d"]]:
        """Embeddings of the restored and of the target's face, both cut at the target's landmarks.

        Raises:
            NoFaceInImageError: If the target shows no face.
        """
        if pair is not self._pair:
            face = self.finder.target(pair)
            # the pair is remembered last: an error in between must not leave another one's embeddings behind
            self._embeddings = (embed(self.network, pair.restored, face), embed(self.network, pair.target, face))
            self._pair = pair
        return self._embeddings

    @torch.inference_mode()
    def reference(self, pair: ImagePair) -> Float[Tensor, "1 d"] | None:
        """Embedding of the reference's face; None if the pair has no reference.

        Raises:
            NoFaceInImageError: If the reference shows no face.
        """
        face = self.finder.reference(pair)
        if face is None or pair.reference is None:
            return None
        return embed(self.network, pair.reference, face)


def aligned_at_512(finder: FaceFinder, pair: ImagePair) -> tuple[Float[Tensor, "1 3 s s"], Float[Tensor, "1 3 s s"]]:
    """The restored and the target's face in FFHQ's window; images of aligned sets as they are.

    Raises:
        NoFaceInImageError: If the target shows no face.
    """
    face = finder.target(pair)
    if finder.aligned:
        return pair.restored, pair.target
    return align(pair.restored, face).crops, align(pair.target, face).crops
