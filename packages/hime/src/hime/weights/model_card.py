"""Model cards: what a weights file says about itself, readable without loading a tensor."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from faceops.weights.header import Architecture, header_metadata, read_parts, unreadable_header
from faceops.weights.model_card import WeightsCard, known_fields

ARCHITECTURE = Architecture("hime", "HIME", ("arguments", "card"))
"""Fields in the headers of this package's files."""


@dataclass(frozen=True, kw_only=True)
class ModelCard(WeightsCard):
    """Model card with the sizes of the training images.

    Args:
        lr_size: Side of the low-resolution training images in pixels; None if it is not known.
    """

    lr_size: int | None = None


@dataclass(frozen=True)
class WeightsHeader:
    """Header of a weights file of this package."""

    arguments: Mapping[str, object]
    """Constructor arguments of the network, not yet checked."""
    card: ModelCard

    def metadata(self) -> dict[str, str]:
        """The text fields that safetensors stores; `read_header` is the inverse."""
        return header_metadata(ARCHITECTURE, {"arguments": self.arguments, "card": asdict(self.card)})


def read_header(path: Path) -> WeightsHeader:
    """Read what a weights file says about itself.

    Raises:
        ValueError: If it is not a safetensors file, one of another architecture, or a field of its card does not fit.
    """
    parts = read_parts(path, ARCHITECTURE)
    try:
        card = known_fields(ModelCard, parts["card"])
        if card.lr_size is not None and card.lr_size < 1:
            raise ValueError(f"lr_size must be at least 1, got {card.lr_size}")
    except ValueError as error:
        raise unreadable_header(path, error) from error
    return WeightsHeader(parts["arguments"], card)
