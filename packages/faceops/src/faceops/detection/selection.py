"""Face detectors by name, for faces of every size."""

from pathlib import Path
from typing import get_args

import torch

from faceops.detection.detector import Detector
from faceops.detection.detector_names import DEFAULT_DETECTOR, DetectorName
from faceops.detection.scale_search import ScaleSearch
from faceops.detection.turns import TurnSearch


def build_detector(
    name: DetectorName = DEFAULT_DETECTOR,
    weights: Path | str | None = None,
    threshold: float | None = None,
    *,
    working_side: int = 1024,
    refine: bool = True,
    tiny: bool = False,
    turned: bool = True,
    device: torch.device | str = "cpu",
) -> Detector:
    """Detector for images of any size with faces of any size.

    Args:
        name: Which network; "retinaface" is the one with MobileNet-0.25.
        weights: File of its weights, or a name of `WEIGHTS`; its own ones if None.
        threshold: Least score of a face, in [0, 1]; the network's own if None. Scores of two networks do not compare.
            What "any-turn" gives less than `LEAST_THRESHOLD` at first sight is never a face.
        working_side: See `ScaleSearch`.
        refine: Look for the landmarks once more, see `ScaleSearch` and, for "any-turn", `ExactLandmarks`.
        tiny: See `ScaleSearch`.
        turned: Look for faces that are not upright too, see `TurnSearch`; for portraits by the million, which are
            upright, the looks at each face are saved. "any-turn" finds them anyway.
        device: Where RetinaFace and "any-turn" compute; the other networks stay on the CPU. Images may be anywhere.

    Raises:
        ValueError: If there is no such detector, or an argument is out of range.
        MissingWeightsError: If the weights are not there and cannot be fetched.
        ImportError: If the detector needs a package that is not installed.
    """
    if threshold is not None and not 0 <= threshold <= 1:
        raise ValueError(f"A threshold of scores is between 0 and 1, got {threshold}.")
    if name == "any-turn":
        return _build_any_turn(weights, threshold, working_side, refine, tiny, device)
    network = build_network(name, weights, threshold, device)
    search = ScaleSearch(network, working_side, refine, tiny)
    return TurnSearch(search, network) if turned else search


def _build_any_turn(
    weights: Path | str | None,
    threshold: float | None,
    working_side: int,
    refine: bool,
    tiny: bool,
    device: torch.device | str,
) -> Detector:
    from faceops.detection.detectors.any_turn import THRESHOLD
    from faceops.detection.exact_landmarks.second_look import ExactLandmarks
    from faceops.detection.pyramid_search import PyramidSearch
    from faceops.detection.upright_look import FIRST_THRESHOLD, LEAST_THRESHOLD, UprightLook

    threshold = THRESHOLD if threshold is None else threshold
    first = min(max(threshold, LEAST_THRESHOLD), FIRST_THRESHOLD)
    network = build_network("any-turn", weights, first, device)
    search = PyramidSearch(network, working_side, tiny)
    return UprightLook(search, network, threshold, exact=ExactLandmarks(device=device) if refine else None)


def build_network(
    name: DetectorName,
    weights: Path | str | None = None,
    threshold: float | None = None,
    device: torch.device | str = "cpu",
) -> Detector:
    """The detector alone, for images whose faces have a size it knows; arguments and errors as `build_detector`."""
    if name == "any-turn":
        from faceops.detection.detectors.any_turn import THRESHOLD as LEAST
        from faceops.detection.detectors.any_turn import AnyTurn

        return AnyTurn(weights, LEAST if threshold is None else threshold, device)
    if name == "yunet":
        from faceops.detection.detectors.yunet import YuNet

        return YuNet(weights) if threshold is None else YuNet(weights, threshold)
    if name in ("retinaface", "retinaface-resnet50"):
        from faceops.detection.detectors.retinaface import THRESHOLD, Backbone, RetinaFace

        backbone: Backbone = "resnet50" if name == "retinaface-resnet50" else "mobilenet0.25"
        return RetinaFace(weights, backbone, THRESHOLD if threshold is None else threshold, device)
    if name == "scrfd":
        from faceops.detection.detectors.scrfd import SCRFD

        return SCRFD(weights) if threshold is None else SCRFD(weights, threshold)
    raise ValueError(f"Detectors are {', '.join(get_args(DetectorName))}; there is no {name!r}.")
