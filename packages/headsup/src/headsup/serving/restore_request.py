"""Restoration request of the page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from headsup.restoring.colour_method import ColourMethod
from headsup.restoring.options import RestoreOptions

Box = tuple[float, float, float, float]

FORMATS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif"}
"""Suffixes of result files by what the page calls their formats."""

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
    weights: str | None = None
    """Name of a restorer; None for the default one."""
    suffix: str | None = None
    """Suffix of the result file; None for that of the photograph."""


def parse_request(text: bytes, memory: float | None = None, weights: Sequence[str] = ()) -> RestoreRequest:
    """Read what the page sent.

    Args:
        text: JSON with the fields scale, size, fidelity, colour, reference_strength, strip_metadata, force, face_box,
            weights and format; each may be left out.
        memory: See `RestoreOptions`.
        weights: Names of the restorers that there are.

    Raises:
        ValueError: If it is something else.
    """
    try:
        fields = json.loads(text, parse_int=float)  # there are integers that are too long to be read or shown
        if not isinstance(fields, dict):
            raise ValueError(f"They are a JSON object, got {told(fields)}.")
        colour = chosen(fields, "colour", get_args(ColourMethod)) or "wavelet"
        suffix = chosen(fields, "format", tuple(FORMATS))
        options = RestoreOptions(
            number(fields.get("scale", 4.0)),
            parse_size(fields.get("size")),
            number(fields.get("fidelity", 0.0)),
            cast(ColourMethod, colour),
            memory=memory,
            reference_strength=number(fields.get("reference_strength", 1.0)),
            strip_metadata=switch(fields, "strip_metadata"),
        )
        return RestoreRequest(
            options,
            switch(fields, "force"),
            parse_box(fields.get("face_box")),
            chosen(fields, "weights", weights),
            None if suffix is None else FORMATS[suffix],
        )
    except RecursionError as error:
        raise ValueError("The options cannot be read. They are nested too deeply.") from error
    except ValueError as error:
        raise ValueError(f"The options cannot be read. {error}") from error


def chosen(fields: Mapping[str, Any], name: str, known: Sequence[str]) -> str | None:
    """One of the words that are known, or none; anything else is a ValueError."""
    value = fields.get(name)
    if value is not None and value not in known:
        raise ValueError(f"The {name} is one of {', '.join(known)}, got {told(value)}.")
    return value


def switch(fields: Mapping[str, Any], name: str) -> bool:
    """True or false, which it also is if it is left out; anything else is a ValueError."""
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(f"{name} is true or false, got {told(value)}.")
    return value


def parse_size(value: Any) -> tuple[int, int] | None:  # noqa: ANN401 - any JSON
    """A width and a height in whole pixels, or none; anything else is a ValueError."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(f"The size is a width and a height in pixels; got {told(value)}.")
    width, height = map(number, value)
    if not (width.is_integer() and height.is_integer()):
        raise ValueError(f"The size is in whole pixels; got {told(value)}.")
    return int(width), int(height)


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
            f"Scale, size, fidelity, strength and edges of a box are numbers up to {LARGEST_NUMBER:g}, "
            f"got {told(value)}."
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
