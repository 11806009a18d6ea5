"""Weights files of the detector any-turn: network and model card in one safetensors file."""

from pathlib import Path

from faceops.detection.detectors.any_turn_network import AnyTurnArguments, AnyTurnNetwork
from faceops.weights import shipped
from faceops.weights.cache import MissingWeightsError
from faceops.weights.model_card import WeightsCard
from faceops.weights.network_files import NetworkFiles

FILES = NetworkFiles(
    "any-turn",
    "the detector any-turn",
    AnyTurnArguments._fields,
    lambda arguments: AnyTurnNetwork(AnyTurnArguments(**arguments), folded=True),
)
"""How they are written and read."""

SHIPPED = Path(shipped.__file__).with_name("any-turn.safetensors")
"""The weights that come with the package, where some do."""


def save_any_turn(network: AnyTurnNetwork, path: Path, card: WeightsCard) -> None:
    """Write a folded network as float16 with its card; the file appears complete or not at all.

    Raises:
        ValueError: If a weight is not finite or does not fit into float16.
    """
    FILES.save(network, network.arguments._asdict(), path, card)


def load_any_turn(path: Path | str | None = None) -> AnyTurnNetwork:
    """Folded network of a file, in float32 and evaluation mode; that of the package if None.

    Raises:
        ValueError: If the file holds no weights of this detector.
        MissingWeightsError: If there is no such file, or no weights come with this installation.
    """
    file = SHIPPED if path is None else Path(path)
    if not file.is_file():
        raise missing(path)
    return FILES.load(file)


def missing(path: Path | str | None) -> MissingWeightsError:
    """Error about weights that are not there.

    Args:
        path: What was asked for; None for those of the package.
    """
    if path is not None:
        return MissingWeightsError(f"There is no weights file {path}.")
    return MissingWeightsError(
        "No weights of the detector any-turn come with this installation. Train some, see docs/faces.md, and give "
        "their file; or take the detector yunet."
    )
