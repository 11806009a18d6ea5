"""Preview on the page before restoring: the photograph and its faces."""

import threading
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from faceops.detection.detector import Detector
from faceops.heard_warnings import heard_warnings
from faceops.images.files import Picture, decode_picture, save_picture
from faceops.images.memory_budget import DETECTION_BYTES, memory_budget
from headsup.restoring.comparison import reduced
from headsup.restoring.references.face_recognition import find_faces
from headsup.serving.photo_job import PhotoJob
from headsup.serving.restore_request import Box

SHOWN_SIDE = 2560
"""Longer side in pixels up to which the page shows pictures; the result itself is downloaded."""


class Preview:
    """Shows photographs and finds their faces, one at a time, while others may be restored.

    Args:
        detector: Finds faces, and is used by nobody else, since that of OpenCV serves one thread at a time.
    """

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self._one_at_a_time = threading.Lock()

    def photograph(self, job: PhotoJob) -> Path:
        """Write the photograph of a job as browsers show it."""
        with self._one_at_a_time:
            picture = photograph_of(job)
            return save_shown(picture.pixels, picture.alpha, job.folder / "preview")

    def faces(self, job: PhotoJob) -> list[Box]:
        """Boxes of the faces in the photograph of a job, the largest first, in its pixels."""
        with self._one_at_a_time, memory_budget(None, DETECTION_BYTES):
            found = find_faces(photograph_of(job).pixels, self.detector)
        return [(left, top, right, bottom) for left, top, right, bottom in found.boxes.tolist()]


def photograph_of(job: PhotoJob) -> Picture:
    """The photograph of a job that has one; FileNotFoundError if it was deleted."""
    assert job.photo is not None
    with heard_warnings():  # said with the result
        return decode_picture(job.photo.path.read_bytes(), job.photo.path.name)


def save_shown(
    pixels: Float[Tensor, "3 h w"], alpha: Float[Tensor, "1 h w"] | None, path: Path, side: int = SHOWN_SIDE
) -> Path:
    """Write a picture as browsers show it: JPEG, or WebP if it is transparent.

    Args:
        path: Its suffix is replaced.
        side: Pixels of the longer side to which larger pictures are reduced.
    """
    path = path.with_suffix(".jpg" if alpha is None else ".webp")
    opacity = None if alpha is None else reduced(alpha.expand(3, -1, -1), side)[:1]
    save_picture(Picture(reduced(pixels, side), alpha=opacity), path)
    return path
