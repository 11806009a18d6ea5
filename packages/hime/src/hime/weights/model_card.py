"""Model cards: what a weights file says about itself, readable without loading a tensor."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from safetensors import SafetensorError, safe_open

ARCHITECTURE = "hime"
"""Value of the header's ``architecture`` in the files of this package."""


@dataclass(frozen=True)
class ModelCard:
    """Where weights come from, how good they are and who may use them.

    Args:
        training_data: The photographs the network was trained on.
        licence: Licence of the weights.
        lr_size: Side of the low-resolution training images in pixels; None if it is not known.
        steps: Optimizer steps; None if they were not counted.
        objective: The losses, in words.
        metrics: Measurements by name, for example ``{"psnr_3_references": 27.4}``.
        notes: Anything else.
    """

    training_data: str = "not stated"
    licence: str = "not stated"
    lr_size: int | None = None
    steps: int | None = None
    objective: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    notes: str = ""


@dataclass(frozen=True)
class WeightsHeader:
    """Header of a weights file of this package."""

    arguments: Mapping[str, object]
    """Constructor arguments of the network, not yet checked."""
    card: ModelCard


def header_metadata(header: WeightsHeader) -> dict[str, str]:
    """Header as the text fields that safetensors stores; `read_header` is the inverse."""
    return {
        "architecture": ARCHITECTURE,
        "arguments": json.dumps(dict(header.arguments)),
        "card": json.dumps(asdict(header.card)),
    }


def read_header(path: Path) -> WeightsHeader:
    """Read what a weights file says about itself.

    Raises:
        ValueError: If it is not a safetensors file, or one of another architecture.
        OSError: If it cannot be read.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file, or a damaged one ({error}).") from error
    architecture = metadata.get("architecture")
    if architecture != ARCHITECTURE:
        named = f'names the architecture "{architecture}"' if architecture else "names no architecture in its header"
        raise ValueError(f'{path} {named}; HIME\'s weights name "{ARCHITECTURE}". Write them with `hime export`.')
    try:
        arguments = json.loads(metadata["arguments"])
        card = parse_card(json.loads(metadata["card"]))
    except (KeyError, ValueError) as error:
        raise ValueError(f"The header of {path} cannot be read ({error}).") from error
    return WeightsHeader(arguments, card)


def parse_card(fields: object) -> ModelCard:
    """Model card from the fields of a header or a checkpoint; unknown ones, of a later version, are left out.

    Raises:
        ValueError: If it is not a mapping.

    Example:
        >>> parse_card({"licence": "Apache-2.0", "lr_size": 16}).lr_size
        16
    """
    if not isinstance(fields, Mapping):
        raise ValueError(f"a model card is a mapping of fields, not {type(fields).__name__}")
    return ModelCard(**{name: value for name, value in fields.items() if name in ModelCard.__dataclass_fields__})
