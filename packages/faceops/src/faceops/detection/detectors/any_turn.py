"""A detector of faces at any turn, trained by the recipe of this project: decoding around the network."""

from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from faceops.detection.detectors.any_turn_network import STRIDES, AnyTurnNetwork, Predictions
from faceops.detection.detectors.any_turn_weights import FILES
from faceops.detection.places import boxes_at, places_of, points_at
from faceops.detection.suppression import suppress_overlaps
from faceops.geometry.faces import Faces

OVERLAP = 0.4
"""Intersection over union from which on two boxes are one face."""

THRESHOLD = 0.5
"""Default of the least score."""

MOST_CANDIDATES = 1000
"""Boxes of an image that go into the suppression of overlaps: those of the highest scores."""


class AnyTurn:
    """The detector on images as they are, whatever their size.

    It knows faces of about 8 to 400 pixels at any turn, and names their landmarks as if they were upright;
    `build_detector` adds the copies that bring every face to a size it knows.

    Args:
        weights: File of weights; those that come with the package if None.
        threshold: Least score of a face, in [0, 1].
        device: Where to compute; images are taken there.

    Raises:
        ValueError: If the threshold is not in [0, 1], or the file holds no weights of this detector.
        MissingWeightsError: If there is no such file.
    """

    def __init__(
        self, weights: Path | str | None = None, threshold: float = THRESHOLD, device: torch.device | str = "cpu"
    ) -> None:
        if not 0 <= threshold <= 1:
            raise ValueError(f"A threshold of scores is between 0 and 1, got {threshold}.")
        self.threshold, self.device = threshold, torch.device(device)
        network = FILES.load(weights).to(memory_format=torch.channels_last)
        self.network: AnyTurnNetwork = network.to(self.device)

    @torch.no_grad()
    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> Faces:
        """Find the faces."""
        if not len(images):
            return Faces.none(images.device)
        inputs = padded(images.detach().to(self.device, torch.float32).clamp(0, 1) * 2 - 1)
        predictions = self.network(inputs.contiguous(memory_format=torch.channels_last))
        places = places_of(*inputs.shape[2:]).to(self.device)
        return decoded(predictions, places, self.threshold).to(images.device)


def padded(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h2 w2"]:
    """Images with a grey border to the right and below, so that their sides are multiples of the largest stride."""
    down, across = (-side % STRIDES[-1] for side in images.shape[2:])
    return F.pad(images, (0, across, 0, down)) if down or across else images


def decoded(predictions: Predictions, places: Float[Tensor, "p 3"], threshold: float) -> Faces:
    """Faces from predictions."""
    scores = predictions.logits.sigmoid()
    top, order = scores.topk(min(MOST_CANDIDATES, scores.shape[1]), dim=1)
    image, rank = (top >= threshold).nonzero(as_tuple=True)
    chosen = order[image, rank]
    faces = Faces(
        image,
        boxes_at(predictions.boxes[image, chosen], places[chosen]),
        points_at(predictions.landmarks[image, chosen], places[chosen]),
        top[image, rank],
    )
    return faces.select(suppress_overlaps(faces.boxes, faces.scores, faces.image_index, OVERLAP)).ordered()
