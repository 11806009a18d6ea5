"""Weights files of the network for exact landmarks."""

from pathlib import Path

from faceops.detection.exact_landmarks.landmark_network import LandmarkNetwork
from faceops.weights import shipped
from faceops.weights.cache import MissingWeightsError
from faceops.weights.model_card import WeightsCard
from faceops.weights.network_files import NetworkFiles

FILES = NetworkFiles(
    "exact-landmarks",
    "the network for exact landmarks",
    ("fine", "coarse"),
    lambda arguments: LandmarkNetwork(arguments["fine"], arguments["coarse"], folded=True),
)
"""How they are written and read."""

SHIPPED = Path(shipped.__file__).with_name("exact-landmarks.safetensors")
"""The weights that come with the package."""


def save_landmark_network(network: LandmarkNetwork, path: Path, card: WeightsCard) -> None:
    """Write a folded network as float16 with its card; the file appears complete or not at all.

    Raises:
        ValueError: If a weight is not finite or does not fit into float16.
    """
    FILES.save(network, {"fine": network.fine, "coarse": network.coarse}, path, card)


def load_landmark_network(path: Path | str | None = None) -> LandmarkNetwork:
    """Folded network of a file, in float32 and evaluation mode; that of the package if None.

    Raises:
        ValueError: If the file holds no weights of this network.
        MissingWeightsError: If there is no such file.
    """
    file = SHIPPED if path is None else Path(path)
    if not file.is_file():
        raise MissingWeightsError(f"There is no weights file {file}.")
    return FILES.load(file)
