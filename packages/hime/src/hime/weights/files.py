"""Weights files: a HIME and its model card in one safetensors file (JSON header, nothing executable)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import torch
from safetensors.torch import load_file
from torch import Tensor

from faceops.weights.field_types import shown
from faceops.weights.reading import check_finite
from faceops.weights.writing import write_weights
from hime.blocks.spynet import FlowGrid
from hime.network import HIME, Aggregation, Alignment, HimeArguments
from hime.weights.model_card import ModelCard, WeightsHeader, read_header
from hime.weights.shipped import find_weights, shipped_weights

__all__ = ["load_network", "network_from", "save_weights", "shipped_weights"]

CHOICES = {"alignment": get_args(Alignment), "aggregation": get_args(Aggregation), "flow_grid": get_args(FlowGrid)}

LATER = HimeArguments._field_defaults
"""Arguments that files of before they were added lack, as such files mean them."""

LONGEST_NAME = 80
"""Letters of a name that are shown; those of a file of somebody's may be of any length."""

LARGEST = 1000
"""Largest of the numbers of a network: thirty times those of any that is known."""


def save_weights(network: HIME, path: Path, card: ModelCard, half: bool = False) -> None:
    """Write a network and its card; the file appears complete or not at all.

    Args:
        half: Store float16: half the size, 11 bits of mantissa. They are float32 again when loaded.

    Raises:
        ValueError: If a weight is not finite or does not fit into float16.
    """
    write_weights(network.state_dict(), WeightsHeader(network.arguments._asdict(), card).metadata(), path, half)


def load_network(name_or_path: str | Path, device: str | torch.device = "cpu") -> HIME:
    """Network with shipped or own weights, in float32 and evaluation mode.

    Args:
        name_or_path: A name that `shipped_weights` lists, or a .safetensors file.
        device: Where to put it.

    Raises:
        ValueError: If the name is not known or the file does not hold a HIME.
        OSError: If the file is missing or cannot be read.
    """
    path = find_weights(name_or_path)
    header = read_header(path)
    return network_from(header.arguments, load_file(path), str(path)).to(device).eval()


def network_from(arguments: Mapping[str, object], tensors: Mapping[str, Tensor], source: str) -> HIME:
    """Build the network that the arguments describe and fill it.

    Args:
        arguments: Constructor arguments by name, as read from a file: all but perhaps those of `LATER`.
        source: Where they come from, for the error.

    Raises:
        ValueError: If the arguments are not those of HIME, or the weights do not fit them or are not finite.
    """
    checked = parse_arguments(arguments, source)
    with torch.device("meta"):  # shapes alone: whoever wrote the file may claim a network of any size
        wanted = HIME(*checked).state_dict()
    for problem, names in (("lacks", wanted.keys() - tensors.keys()), ("has unknown", tensors.keys() - wanted.keys())):
        if names:
            raise ValueError(f"{source} {problem} weights for its own arguments: {shortened(names)}.")
    for name, tensor in wanted.items():
        if tensors[name].shape != tensor.shape:
            raise ValueError(
                f"{name} in {source} must be {tuple(tensor.shape)} for its own arguments, "
                f"got {tuple(tensors[name].shape)}."
            )
    check_finite(tensors, source)
    network = HIME(*checked)
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return network


def parse_arguments(arguments: Mapping[str, object], source: str) -> HimeArguments:
    """Constructor arguments of HIME from those of a file.

    Raises:
        ValueError: If one is missing, not known or of the wrong type.
    """
    fields = HimeArguments._fields
    if not isinstance(arguments, Mapping) or set(arguments) | set(LATER) != set(fields):
        raise ValueError(
            f"{source} must name these arguments of HIME: {', '.join(fields)}; got {shortened(arguments)}."
        )
    checked: dict[str, Any] = LATER | dict(arguments)
    for name, value in checked.items():
        if name in CHOICES and value not in CHOICES[name]:
            raise ValueError(f"{name} in {source} must be one of {', '.join(CHOICES[name])}, got {shown(value)}.")
        if name not in CHOICES and (type(value) is not int or not 1 <= value <= LARGEST):
            raise ValueError(
                f"{name} in {source} must be a whole number of at least one and at most {LARGEST}, got {shown(value)}."
            )
    return HimeArguments(**checked)


def shortened(names: object, limit: int = 3) -> str:
    """First names of many, sorted.

    Example:
        >>> shortened({"d", "b", "a", "c"})
        'a, b, c and 1 more'
    """
    if not isinstance(names, (set, frozenset, Mapping)) or not names:
        return "nothing"
    ordered = sorted(str(name)[:LONGEST_NAME] for name in names)
    rest = f" and {len(ordered) - limit} more" if len(ordered) > limit else ""
    return ", ".join(ordered[:limit]) + rest
