"""YuNet (Wu et al., Machine Intelligence Research 2023) through OpenCV: small, and fast on a CPU."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from faceops.geometry.faces import Faces
from faceops.weights.cache import find_weights

OVERLAP = 0.3
"""Intersection over union from which on two boxes are one face; OpenCV's default."""
MOST_CANDIDATES = 5000
"""Boxes that go into the suppression of overlaps; OpenCV's default."""

ORIGIN = -0.5
"""Where the network has the origin, in our pixels: at the corner of the first pixel, whose centre is our origin.

Nobody says so. Measured on 252 reduced portraits (eyes 10 to 40 pixels apart) against the same faces at full size,
its points lie (0.47, 0.64) pixels, +- 0.05, to the right and below; hence half a pixel is taken off."""


class YuNet:
    """YuNet on images as they are, whatever their size.

    It knows faces of about 10 to 400 pixels and sees several in a larger one; `build_detector` adds the copies that
    bring every face to a size it knows. Computed on the CPU, 8 bits a sample, without gradients. OpenCV's network is
    not for several threads at once: each needs a detector of its own.

    Args:
        weights: ONNX file, or the name of a `WEIGHTS` entry.
        threshold: Least score of a face, in [0, 1].

    Raises:
        ValueError: If the threshold is not in [0, 1], or the file is no YuNet.
        MissingWeightsError: If the weights are not there and cannot be fetched.
    """

    def __init__(self, weights: Path | str | None = None, threshold: float = 0.6) -> None:
        if not 0 <= threshold <= 1:
            raise ValueError(f"A threshold of scores is between 0 and 1, got {threshold}.")
        self.path = find_weights("yunet" if weights is None else weights)
        self.threshold = threshold

    def __reduce__(self) -> tuple[Callable[[Path, float], "YuNet"], tuple[Path, float]]:
        # OpenCV's networks cannot be pickled; a process that gets this detector reads the file again.
        return YuNet, (self.path, self.threshold)

    @cached_property
    def _network(self) -> cv2.FaceDetectorYN:
        with without_warnings():
            try:
                return cv2.FaceDetectorYN.create(str(self.path), "", (32, 32), self.threshold, OVERLAP, MOST_CANDIDATES)
            except cv2.error as error:
                raise ValueError(f"{self.path} is no YuNet that OpenCV {cv2.__version__} can read.") from error

    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> Faces:
        """Find the faces."""
        samples = images.detach().clamp(0, 1).mul(255).round().to("cpu", torch.uint8)
        pictures = samples.flip(1).permute(0, 2, 3, 1).contiguous().numpy()
        self._network.setInputSize((images.shape[3], images.shape[2]))
        parts = [rows_as_faces(self._network.detect(picture)[1], index) for index, picture in enumerate(pictures)]
        return Faces.concatenate(parts).ordered().to(images.device)


def rows_as_faces(rows: np.ndarray | None, image: int) -> Faces:
    """Faces from OpenCV's rows: x, y, width, height, five points from the eye on the left of the image, score.

    Example:
        >>> row = np.array([[1, 2, 3, 4, *range(10), 0.5]], np.float32)
        >>> faces = rows_as_faces(row, 0)
        >>> faces.boxes.tolist(), faces.landmarks[0, 1].tolist(), faces.scores.tolist()
        ([[0.5, 1.5, 3.5, 5.5]], [1.5, 2.5], [0.5])
    """
    if rows is None:
        return Faces.none()
    values = torch.from_numpy(np.asarray(rows, np.float32))
    return Faces(
        torch.full((len(values),), image),
        torch.cat([values[:, :2], values[:, :2] + values[:, 2:4]], dim=1) + ORIGIN,
        values[:, 4:14].unflatten(1, (5, 2)) + ORIGIN,
        values[:, 14],
    )


@contextmanager
def without_warnings() -> Iterator[None]:
    """Keep OpenCV from writing warnings to stderr: version 5 warns of a default of its own FaceDetectorYN."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
