"""Weights files of the detector any-turn: network and model card in one safetensors file."""

from pathlib import Path

from faceops.detection.detectors.any_turn_network import AnyTurnArguments, AnyTurnNetwork
from faceops.weights.model_card import WeightsCard
from faceops.weights.network_files import NetworkFiles

FILES = NetworkFiles(
    "any-turn",
    "the detector any-turn",
    AnyTurnArguments._fields,
    lambda arguments: AnyTurnNetwork(AnyTurnArguments(**arguments), folded=True),
)
"""How they are written and read."""


def save_any_turn(network: AnyTurnNetwork, path: Path, card: WeightsCard) -> None:
    """Write a folded network as float16 with its card; the file appears complete or not at all.

    Raises:
        ValueError: If a weight is not finite or does not fit into float16.
    """
    FILES.save(network, network.arguments._asdict(), path, card)
