"""Restoration request of the page."""

import json
from dataclasses import dataclass
from typing import Any, get_args

from headsup.restoring.colour_method import ColourMethod
from headsup.restoring.options import RestoreOptions

Box = tuple[float, float, float, float]

LARGEST_NUMBER = 1e6
"""More than any scale, and than any edge in pixels."""

LONGEST_QUOTE = 40
"""Characters of what was sent that a refusal repeats."""


@dataclass(frozen=True)
class RestoreRequest:
    """Restoration request."""

    options: RestoreOptions
    force: bool = False
    """See `headsup.restoring.references.matching.match_people`."""
    face_box: Box | None = None
    """The only face that counts: left, top, right and bottom in pixels of the photograph."""


def parse_request(text: bytes, memory: float | None = None) -> RestoreRequest:
    """Read what the page sent.

    Args:
        text: JSON with the fields scale, fidelity, colour, force and face_box; each may be left out.
        memory: See `RestoreOptions`.

    Raises:
        ValueError: If it is something else.
    """
    try:
        fields = json.loads(text, parse_int=float)  # there are integers that are too long to be read or shown
        if not isinstance(fields, dict):
            raise ValueError(f"They are a JSON object, got {told(fields)}.")
        colour, force = fields.get("colour", "wavelet"), fields.get("force", False)
        if colour not in get_args(ColourMethod) or not isinstance(force, bool):
            raise ValueError(f"The colour is one of {', '.join(get_args(ColourMethod))}, and force true or false.")
        scale, fidelity = number(fields.get("scale", 4.0)), number(fields.get("fidelity", 0.0))
        box = parse_box(fields.get("face_box"))
        return RestoreRequest(RestoreOptions(scale, None, fidelity, colour, memory=memory), force, box)
    except RecursionError as error:
        raise ValueError("The options cannot be read. They are nested too deeply.") from error
    except ValueError as error:
        raise ValueError(f"The options cannot be read. {error}") from error


def parse_box(value: Any) -> Box | None:  # noqa: ANN401 - any JSON
    """Four numbers, or none; anything else is a ValueError."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 4:
        raise ValueError(f"The box of a face is left, top, right and bottom in pixels; got {told(value)}.")
    left, top, right, bottom = map(number, value)
    return left, top, right, bottom


def number(value: Any) -> float:  # noqa: ANN401 - any JSON
    """A number that is not beyond `LARGEST_NUMBER`; anything else is a ValueError."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= LARGEST_NUMBER:
        raise ValueError(
            f"The scale, the fidelity and the edges of a box are numbers up to {LARGEST_NUMBER:g}, got {told(value)}."
        )
    return float(value)


def told(value: Any) -> str:  # noqa: ANN401 - any JSON
    """A value as a sentence quotes it: its beginning.

    Example:
        >>> told("4"), told("4" * 400)
        ("'4'", "'444444444444444444444444444444444444444...")
    """
    words = repr(value)
    return words if len(words) <= LONGEST_QUOTE else f"{words[:LONGEST_QUOTE]}..."
