"""Model cards: what weights say about themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TypeVar, get_type_hints

from faceops.weights.field_types import fits, in_words, shown

Fields = TypeVar("Fields")
Card = TypeVar("Card", bound="WeightsCard")


@dataclass(frozen=True, kw_only=True)
class WeightsCard:
    """Where weights come from, how good they are and who may use them; architectures add fields of their own.

    Args:
        training_data: The photographs that they were trained on.
        licence: Licence of the weights.
        steps: Optimiser steps; None if they were not counted.
        objective: The losses, in words.
        metrics: Measurements by name, for example ``{"psnr_3_references": 27.4}``.
        notes: Anything else.
    """

    training_data: str = "not stated"
    licence: str = "not stated"
    steps: int | None = None
    objective: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    notes: str = ""


def known_fields(kind: type[Fields], content: object) -> Fields:
    """Dataclass from the fields of a header or a checkpoint; unknown ones, of a later version, are left out.

    Raises:
        ValueError: If it is not a mapping, or a field is of another type.

    Example:
        >>> known_fields(WeightsCard, {"licence": "Apache-2.0", "invented later": 1}).licence
        'Apache-2.0'
    """
    if not isinstance(content, Mapping):
        raise ValueError(f"{kind.__name__} is read from a mapping of fields, got {type(content).__name__}.")
    hints = get_type_hints(kind)
    known = {name: value for name, value in content.items() if name in hints}
    for name, value in known.items():
        if not fits(value, hints[name]):
            raise ValueError(f"{name} must be {in_words(hints[name])}, got {shown(value)}")
    return kind(**known)


def begun_with(name: object, card: WeightsCard) -> str:
    """Note for the card of what is trained on from other weights, whose data and licence go with it.

    Example:
        >>> begun_with("small-x4", WeightsCard(training_data="LFW", licence="research only"))
        'Begun with small-x4: trained on LFW; licence: research only.'
    """
    return f"Begun with {name}: trained on {card.training_data}; licence: {card.licence}."


def merge_cards(stored: Card, told: Card) -> Card:
    """Card that is stored, with what a user tells in its place; fields left at their default tell nothing.

    Example:
        >>> merge_cards(WeightsCard(steps=10, notes="a"), WeightsCard(notes="b")).notes
        'b'
    """
    silent = type(told)()
    changes = {each.name: getattr(told, each.name) for each in fields(told)}
    return replace(stored, **{name: value for name, value in changes.items() if value != getattr(silent, name)})
