"""Weights files of the detector any-turn: network and model card in one safetensors file."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file

from faceops.detection.detectors.any_turn_network import AnyTurnArguments, AnyTurnNetwork
from faceops.weights import shipped
from faceops.weights.cache import MissingWeightsError
from faceops.weights.header import Architecture, header_metadata, read_parts
from faceops.weights.model_card import WeightsCard, known_fields
from faceops.weights.reading import check_finite
from faceops.weights.writing import write_weights

ARCHITECTURE = Architecture("any-turn", "the detector any-turn", ("arguments", "card"))
"""Fields in the headers of its files."""

SHIPPED = Path(shipped.__file__).with_name("any-turn.safetensors")
"""The weights that come with the package, where some do."""

MOST_CHANNELS = 1024
"""Channels that no network of this kind needs; a file may claim any number."""


def save_any_turn(network: AnyTurnNetwork, path: Path, card: WeightsCard) -> None:
    """Write a folded network as float16 with its card; the file appears complete or not at all.

    Raises:
        ValueError: If a weight is not finite or does not fit into float16.
    """
    parts = {"arguments": network.arguments._asdict(), "card": asdict(card)}
    write_weights(network.state_dict(), header_metadata(ARCHITECTURE, parts), path, half=True)


def load_any_turn(path: Path | str | None = None) -> AnyTurnNetwork:
    """Folded network of a file, in float32 and evaluation mode; that of the package if None.

    Raises:
        ValueError: If the file holds no weights of this detector.
        MissingWeightsError: If there is no such file, or no weights come with this installation.
    """
    file = SHIPPED if path is None else Path(path)
    if not file.is_file():
        raise missing(path)
    arguments = read_arguments(file)
    with torch.device("meta"):  # shapes alone: whoever wrote the file may claim a network of any size
        wanted = AnyTurnNetwork(arguments, folded=True).state_dict()
    tensors = load_file(file)
    if {name: tensor.shape for name, tensor in tensors.items()} != {name: t.shape for name, t in wanted.items()}:
        raise ValueError(f"{file} does not hold the weights of the network that its header describes.")
    check_finite(tensors, file)
    network = AnyTurnNetwork(arguments, folded=True)
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return network.eval().requires_grad_(False)


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


def read_card(path: Path = SHIPPED) -> WeightsCard:
    """What weights say about themselves.

    Raises:
        ValueError: If the file holds no weights of this detector, or a field of its card does not fit.
    """
    return known_fields(WeightsCard, read_parts(path, ARCHITECTURE)["card"])


def read_arguments(path: Path) -> AnyTurnArguments:
    """Channels that a file names.

    Raises:
        ValueError: If it holds no weights of this detector, or names other things.
    """
    named: Mapping[str, object] = read_parts(path, ARCHITECTURE)["arguments"]
    wanted = AnyTurnArguments._fields
    numbers = {name: value for name, value in named.items() if type(value) is int and 1 <= value <= MOST_CHANNELS}
    if set(named) != set(wanted) or len(numbers) != len(wanted):
        raise ValueError(
            f"{path} must name the channels {', '.join(wanted)} of its network, each a whole number from 1 to "
            f"{MOST_CHANNELS}."
        )
    return AnyTurnArguments(**numbers)
