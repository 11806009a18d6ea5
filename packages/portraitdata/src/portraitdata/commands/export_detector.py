"""``portraitdata export-detector``: weights of the face detector from a training checkpoint."""

import torch

from faceops.detection.detectors.any_turn_network import AnyTurnArguments, AnyTurnNetwork
from faceops.detection.detectors.any_turn_weights import save_any_turn
from faceops.weights.model_card import WeightsCard, known_fields, merge_cards
from portraitdata.commands.label_options import ExportDetectorOptions

PREFIX = "network."


def run_export_detector(options: ExportDetectorOptions) -> None:
    """Fold the normalisations into the convolutions and write the weights.

    Raises:
        ValueError: If it is no checkpoint of this recipe.
    """
    checkpoint = torch.load(options.checkpoint, map_location="cpu", weights_only=True)
    stored = checkpoint.get("any-turn")
    if stored is None:
        raise ValueError(f"{options.checkpoint} is no checkpoint of a face detector; `portraitdata fit` writes such.")
    network = AnyTurnNetwork(AnyTurnArguments(**stored["arguments"]))
    state = {k.removeprefix(PREFIX): v for k, v in checkpoint["state_dict"].items() if k.startswith(PREFIX)}
    network.load_state_dict(state)
    told = WeightsCard(training_data=options.training_data, licence=options.licence, notes=options.notes)
    save_any_turn(network.fold(), options.output, merge_cards(known_fields(WeightsCard, stored["card"]), told))
    print(options.output)
