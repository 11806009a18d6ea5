"""Files of small networks: weights as float16, the numbers that shape the network, and a model card."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from safetensors.torch import load_file
from torch import nn

from faceops.weights.cache import MissingWeightsError
from faceops.weights.header import Architecture, header_metadata, read_parts
from faceops.weights.model_card import WeightsCard, known_fields
from faceops.weights.reading import check_finite
from faceops.weights.shipped import SUFFIX
from faceops.weights.writing import write_weights

Network = TypeVar("Network", bound=nn.Module)

FIELDS = ("arguments", "card")
"""Parts of the headers."""

MOST_CHANNELS = 1024
"""Channels that no network of this kind needs; a file may claim any number."""


@dataclass(frozen=True)
class NetworkFiles(Generic[Network]):
    """How the weights of one kind of network are written and read.

    Args:
        name: Of the kind, as the files' headers have it.
        words: What it is, for sentences.
        arguments: Names of the numbers that shape a network: channels.
        build: Makes a network of them, without weights of its own.
    """

    name: str
    words: str
    arguments: tuple[str, ...]
    build: Callable[[Mapping[str, int]], Network]

    @property
    def architecture(self) -> Architecture:
        """What the headers hold."""
        return Architecture(self.name, self.words, FIELDS)

    def save(self, network: Network, arguments: Mapping[str, int], path: Path, card: WeightsCard) -> None:
        """Write a network as float16 with its card; the file appears complete or not at all.

        Raises:
            ValueError: If a weight is not finite or does not fit into float16.
        """
        parts = {"arguments": dict(arguments), "card": asdict(card)}
        write_weights(network.state_dict(), header_metadata(self.architecture, parts), path, half=True)

    @property
    def shipped(self) -> Path:
        """The weights that come with the package."""
        return Path(__file__).with_name(self.name + SUFFIX)

    def load(self, file: Path | str | None = None) -> Network:
        """Network of a file, in float32 and evaluation mode; that of the package if None.

        Raises:
            ValueError: If the file holds no weights of this kind.
            MissingWeightsError: If there is no such file.
        """
        path = self.shipped if file is None else Path(file)
        if not path.is_file():
            raise MissingWeightsError(f"There is no weights file {path}.")
        arguments = self.read_arguments(path)
        with torch.device("meta"):  # shapes alone: whoever wrote the file may claim a network of any size
            wanted = self.build(arguments).state_dict()
        tensors = load_file(path)
        if {name: tensor.shape for name, tensor in tensors.items()} != {name: t.shape for name, t in wanted.items()}:
            raise ValueError(f"{path} does not hold the weights of the network that its header describes.")
        check_finite(tensors, path)
        network = self.build(arguments)
        network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        return network.eval().requires_grad_(False)

    def read_card(self, path: Path) -> WeightsCard:
        """What weights say about themselves.

        Raises:
            ValueError: If the file holds no weights of this kind, or a field of its card does not fit.
        """
        return known_fields(WeightsCard, read_parts(path, self.architecture)["card"])

    def read_arguments(self, path: Path) -> dict[str, int]:
        """Numbers that a file names.

        Raises:
            ValueError: If it holds no weights of this kind, or names other things.
        """
        named: Mapping[str, object] = read_parts(path, self.architecture)["arguments"]
        numbers = {name: value for name, value in named.items() if type(value) is int and 1 <= value <= MOST_CHANNELS}
        if set(named) != set(self.arguments) or len(numbers) != len(self.arguments):
            raise ValueError(
                f"{path} must name the channels {', '.join(self.arguments)} of its network, each a whole number from 1 "
                f"to {MOST_CHANNELS}."
            )
        return numbers
