"""``portraitdata export-detector``: weights for finding faces from a training checkpoint."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from faceops.detection.detectors.any_turn_network import AnyTurnArguments, AnyTurnNetwork
from faceops.detection.detectors.any_turn_weights import save_any_turn
from faceops.detection.exact_landmarks.landmark_network import LandmarkNetwork
from faceops.detection.exact_landmarks.landmark_weights import save_landmark_network
from faceops.weights.model_card import WeightsCard, known_fields, merge_cards
from portraitdata.commands.label_options import ExportDetectorOptions

PREFIX = "network."

Weights = Mapping[str, torch.Tensor]
Writer = Callable[[Mapping[str, int], Weights, Path, WeightsCard], None]


def run_export_detector(options: ExportDetectorOptions) -> None:
    """Fold the normalisations into the convolutions and write the weights.

    Raises:
        ValueError: If it is no checkpoint of the detector's recipe or of that for exact landmarks.
    """
    checkpoint = torch.load(options.checkpoint, map_location="cpu", weights_only=True)
    kind = next((name for name in WRITERS if name in checkpoint), None)
    if kind is None:
        raise ValueError(f"{options.checkpoint} is no checkpoint of a face detector; `portraitdata fit` writes such.")
    stored = checkpoint[kind]
    state = {k.removeprefix(PREFIX): v for k, v in checkpoint["state_dict"].items() if k.startswith(PREFIX)}
    told = WeightsCard(training_data=options.training_data, licence=options.licence, notes=options.notes)
    card = merge_cards(known_fields(WeightsCard, stored["card"]), told)
    WRITERS[kind](stored["arguments"], state, options.output, card)
    print(options.output)


def write_any_turn(arguments: Mapping[str, int], state: Weights, output: Path, card: WeightsCard) -> None:
    """Write the detector any-turn."""
    network = AnyTurnNetwork(AnyTurnArguments(**arguments))
    network.load_state_dict(state)
    save_any_turn(network.fold(), output, card)


def write_exact_landmarks(arguments: Mapping[str, int], state: Weights, output: Path, card: WeightsCard) -> None:
    """Write the network for exact landmarks."""
    network = LandmarkNetwork(arguments["fine"], arguments["coarse"])
    network.load_state_dict(state)
    save_landmark_network(network.fold(), output, card)


WRITERS: dict[str, Writer] = {"any-turn": write_any_turn, "exact-landmarks": write_exact_landmarks}
"""What writes each kind, by its name in a checkpoint."""
