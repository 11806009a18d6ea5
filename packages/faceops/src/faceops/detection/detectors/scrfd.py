"""SCRFD (Guo et al., ICLR 2022) through insightface, whose weights are for non-commercial research only."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from faceops.geometry.faces import Faces
from faceops.weights.cache import find_weights


class SCRFD:
    """SCRFD on images as they are.

    The code of insightface is MIT; **its weights are licensed for non-commercial research only.** insightface itself
    reduces or enlarges every image to `input_side`.

    Args:
        weights: ONNX file of an SCRFD with five landmarks, or the name of a `WEIGHTS` entry.
        threshold: Least score of a face, in [0, 1].
        input_side: Side of the square that the network sees, in pixels; a multiple of 32.

    Raises:
        ValueError: If the threshold is not in [0, 1], the side not a multiple of 32, or the file no SCRFD.
        ImportError: If insightface is not installed.
        MissingWeightsError: If the weights are not there.
    """

    def __init__(self, weights: Path | str | None = None, threshold: float = 0.5, input_side: int = 640) -> None:
        if not 0 <= threshold <= 1:
            raise ValueError(f"A threshold of scores is between 0 and 1, got {threshold}.")
        if input_side < 32 or input_side % 32:
            raise ValueError(f"The input side of SCRFD is a multiple of 32, got {input_side}.")
        import_insightface()
        self.path = find_weights("scrfd" if weights is None else weights)
        self.threshold, self.input_side = threshold, input_side

    def __reduce__(self) -> tuple[Callable[[Path, float, int], "SCRFD"], tuple[Path, float, int]]:
        # A session of onnxruntime cannot be pickled; a process that gets this detector reads the file again.
        return SCRFD, (self.path, self.threshold, self.input_side)

    @cached_property
    def _network(self) -> Any:  # noqa: ANN401 - insightface has no types
        network = import_insightface().get_model(str(self.path), providers=["CPUExecutionProvider"])
        if not hasattr(network, "detect"):
            raise ValueError(f"{self.path} is no SCRFD that insightface can read.")
        network.prepare(-1, input_size=(self.input_side, self.input_side), det_thresh=self.threshold)
        return network

    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> Faces:
        """Find the faces."""
        samples = images.detach().clamp(0, 1).mul(255).round().to("cpu", torch.uint8)
        pictures = samples.flip(1).permute(0, 2, 3, 1).contiguous().numpy()
        parts = []
        for index, picture in enumerate(pictures):
            boxes, points = self._network.detect(picture)
            if points is None:
                raise ValueError(f"{self.path} gives no landmarks; use an SCRFD with key points (bnkps).")
            rows = torch.from_numpy(np.asarray(boxes, np.float32).reshape(-1, 5))
            landmarks = torch.from_numpy(np.asarray(points, np.float32).reshape(-1, 5, 2))
            parts.append(Faces(torch.full((len(rows),), index), rows[:, :4], landmarks, rows[:, 4]))
        return Faces.concatenate(parts).ordered().to(images.device)


def import_insightface() -> Any:  # noqa: ANN401 - a module without types
    """Model zoo of insightface.

    Raises:
        ImportError: With the command that installs it, if it is not installed.
    """
    try:
        from insightface import model_zoo
    except ImportError as error:
        raise ImportError(
            "SCRFD needs insightface: pip install insightface onnxruntime. Its weights are for non-commercial "
            "research only; YuNet and RetinaFace need neither."
        ) from error
    return model_zoo
