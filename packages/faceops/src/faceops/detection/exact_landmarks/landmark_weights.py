"""Weights files of the network for exact landmarks."""

from pathlib import Path

from faceops.detection.exact_landmarks.landmark_network import LandmarkNetwork
from faceops.weights.model_card import WeightsCard
from faceops.weights.network_files import NetworkFiles

FILES = NetworkFiles(
    "exact-landmarks",
    "the network for exact landmarks",
    ("fine", "coarse"),
    lambda arguments: LandmarkNetwork(arguments["fine"], arguments["coarse"], folded=True),
)
"""How they are written and read."""


def save_landmark_network(network: LandmarkNetwork, path: Path, card: WeightsCard) -> None:
    """Write a folded network as float16 with its card; the file appears complete or not at all.

    Raises:
        ValueError: If a weight is not finite or does not fit into float16.
    """
    FILES.save(network, {"fine": network.fine, "coarse": network.coarse}, path, card)
