"""Headers of safetensors files: text that says what the weights are, readable without loading a tensor."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from faceops.json_text import parse_json

LONGEST_NAME = 40
"""Letters of a stranger's architecture that are shown."""

Parts = dict[str, Mapping[str, object]]


@dataclass(frozen=True)
class Architecture:
    """Files that hold weights of a network."""

    name: str
    """Value of the header's ``architecture``, and the program whose ``export`` writes such files."""
    title: str
    """Name in messages."""
    parts: Sequence[str]
    """Further fields of the header, each a JSON object."""


def header_metadata(architecture: Architecture, parts: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """Header as the text fields that safetensors stores; `read_parts` is the inverse."""
    return {"architecture": architecture.name, **{name: json.dumps(dict(parts[name])) for name in architecture.parts}}


def read_parts(path: Path, architecture: Architecture) -> Parts:
    """Read what a weights file says about itself.

    Returns:
        The architecture's parts by name, their content not yet checked.

    Raises:
        ValueError: If it is not a safetensors file, or one of another architecture.
    """
    metadata = read_metadata(path)
    named = metadata.get("architecture", "")[:LONGEST_NAME]
    if named != architecture.name:
        what = f'the architecture "{named}"' if named else "no architecture"
        raise ValueError(
            f"{path} holds no weights of {architecture.title}: its header names {what}. "
            f"Write them with `{architecture.name} export`."
        )
    try:
        parts = {name: parse_json(metadata[name]) for name in architecture.parts}
    except (KeyError, ValueError) as error:
        raise unreadable_header(path, error) from error
    for name, content in parts.items():
        if not isinstance(content, Mapping):
            raise unreadable_header(path, f"{name} is not a JSON object")
    return parts


def read_metadata(path: Path) -> dict[str, str]:
    """Text fields of a safetensors file; ValueError if it is no such file."""
    from safetensors import SafetensorError, safe_open  # not needed by those who only name a card

    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file, or a damaged one ({error}).") from error


def unreadable_header(path: Path, reason: object) -> ValueError:
    """Error about a header whose fields are not what they should be."""
    return ValueError(f"The header of {path} cannot be read ({str(reason).rstrip('.')}).")
