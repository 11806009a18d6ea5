"""RetinaFace (Deng et al., CVPR 2020): priors, decoding and suppression around the network."""

import math
from functools import lru_cache
from pathlib import Path
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.detection.detectors.retinaface_network import Backbone, Predictions, RetinaFaceNetwork, own_key
from faceops.detection.suppression import suppress_overlaps
from faceops.geometry.faces import Faces
from faceops.weights.cache import find_weights
from faceops.weights.reading import check_finite

STRIDES = (8, 16, 32)
PRIOR_SIDES = ((16, 32), (64, 128), (256, 512))
"""Sides of the square priors of each stride, in pixels."""

CENTRE_VARIANCE, SIZE_VARIANCE = 0.1, 0.2
"""Units of the predictions: parts of the prior's side, and of the logarithm of its growth."""

ORIGIN = -0.5
"""Where the network has the origin, in our pixels: its priors count from the corner of the first pixel.

Measured as for YuNet, its points lie (0.33, 0.25) pixels, +- 0.05, off without this and (-0.17, -0.25) with it."""

MEAN_BGR = (104.0, 117.0, 123.0)
"""Colour that the network takes for zero, of 255."""

OVERLAP = 0.4
"""Intersection over union from which on two boxes are one face."""

THRESHOLD = 0.9
"""Default of the least score. MobileNet-0.25 gives necks and flags up to 0.88, and nearly all faces more than 0.95."""

MOST_CANDIDATES = 1000
"""Boxes of an image that go into the suppression of overlaps: those of the highest scores."""


class RetinaFace:
    """RetinaFace on images as they are, whatever their size.

    Its priors are 16 to 512 pixels; `build_detector` adds the copies that bring every face to a size it knows.

    Args:
        weights: State dict as facexlib and biubug6's port write it, or the name of a `WEIGHTS` entry; those of the
            backbone if not given.
        backbone: "mobilenet0.25" (0.4 M parameters) or "resnet50" (27 M).
        threshold: Least score of a face, in [0, 1].
        device: Where to compute; images are taken there.

    Raises:
        ValueError: If the weights do not fit the backbone, or the threshold is not in [0, 1].
        MissingWeightsError: If the weights are not there and cannot be fetched.
    """

    def __init__(
        self,
        weights: Path | str | None = None,
        backbone: Backbone = "mobilenet0.25",
        threshold: float = THRESHOLD,
        device: torch.device | str = "cpu",
    ) -> None:
        if not 0 <= threshold <= 1:
            raise ValueError(f"A threshold of scores is between 0 and 1, got {threshold}.")
        self.threshold = threshold
        self.device = torch.device(device)
        path = find_weights(f"retinaface-{backbone}" if weights is None else weights)
        self.network = load_retinaface(path, backbone).to(self.device)

    @torch.no_grad()
    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> Faces:
        """Find the faces."""
        if not len(images):
            return Faces.none(images.device)
        mean = torch.tensor(MEAN_BGR, device=self.device).view(3, 1, 1)
        inputs = images.detach().to(self.device, torch.float32).flip(1) * 255 - mean
        predictions = self.network(inputs)
        priors = prior_boxes(images.shape[2], images.shape[3]).to(self.device)
        return decoded_faces(predictions, priors, self.threshold).to(images.device)


def load_retinaface(path: Path, backbone: Backbone) -> RetinaFaceNetwork:
    """Network with weights in the layout of the PyTorch ports.

    Raises:
        ValueError: If the file is no state dict of this backbone, or holds values that are not finite.
    """
    if backbone not in get_args(Backbone):
        raise ValueError(f"RetinaFace has the backbones {', '.join(get_args(Backbone))}, not {backbone!r}.")
    network = RetinaFaceNetwork(backbone)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict({own_key(key): tensor for key, tensor in state.items()})
    except Exception as error:  # unpickling alone raises a dozen kinds
        raise ValueError(f"{path} does not hold the weights of a RetinaFace with the backbone {backbone}.") from error
    check_finite(state, path)
    return network.eval().requires_grad_(False)


@lru_cache(maxsize=16)
def prior_boxes(height: int, width: int) -> Float[Tensor, "p 3"]:
    """Priors of an image size: centre x, centre y and side, in pixels; kept, as sizes repeat.

    Convention: the network's, see `ORIGIN`: a cell of stride s is centred at (column + 0.5) * s.

    Example:
        >>> prior_boxes(32, 32).shape, prior_boxes(32, 32)[-1].tolist()
        (torch.Size([42, 3]), [16.0, 16.0, 512.0])
    """
    levels = []
    for stride, sides in zip(STRIDES, PRIOR_SIDES, strict=True):
        y, x = ((torch.arange(math.ceil(length / stride)) + 0.5) * stride for length in (height, width))
        grid = torch.cartesian_prod(y, x, torch.tensor(sides, dtype=torch.float32))
        levels.append(grid[:, [1, 0, 2]])
    return torch.cat(levels)


def decoded_faces(predictions: Predictions, priors: Float[Tensor, "p 3"], threshold: float) -> Faces:
    """Faces from predictions."""
    scores = predictions.logits.softmax(dim=-1)[..., 1]
    top, prior_index = scores.topk(min(MOST_CANDIDATES, scores.shape[1]), dim=1)
    image_index, rank = (top >= threshold).nonzero(as_tuple=True)
    chosen = prior_index[image_index, rank]
    centre, side = priors[chosen, :2], priors[chosen, 2:]
    box = predictions.boxes[image_index, chosen]
    middle = centre + box[:, :2] * CENTRE_VARIANCE * side
    half = side * (box[:, 2:] * SIZE_VARIANCE).exp() / 2
    points = predictions.landmarks[image_index, chosen].unflatten(1, (5, 2))
    faces = Faces(
        image_index,
        torch.cat([middle - half, middle + half], dim=1) + ORIGIN,
        centre.unsqueeze(1) + points * CENTRE_VARIANCE * side.unsqueeze(1) + ORIGIN,
        top[image_index, rank],
    )
    stays = suppress_overlaps(faces.boxes, faces.scores, faces.image_index, OVERLAP)
    return faces.select(stays).ordered()
