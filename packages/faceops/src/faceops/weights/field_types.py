"""Values of JSON compared with the types of a dataclass's fields, before anything is made of them."""

import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin

LARGEST_NUMBER = 2**53
"""Whole numbers from here on are no count of anything."""

IN_WORDS: dict[object, str] = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    types.NoneType: "null",
}


def fits(value: object, hint: Any) -> bool:  # noqa: ANN401 - types of all kinds
    """Tell whether a value of JSON is one of a field's type.

    Example:
        >>> fits(4, int), fits("4", int), fits(None, int | None), fits("left", Literal["left", "right"])
        (True, False, True, True)
    """
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return type(value) is str and value in parts
    if origin in (Union, types.UnionType):
        return any(fits(value, part) for part in parts)
    if origin is Mapping:
        return isinstance(value, Mapping) and all(fits(k, parts[0]) and fits(v, parts[1]) for k, v in value.items())
    if type(value) is int:
        return hint in (int, float) and abs(value) < LARGEST_NUMBER
    return type(value) is hint


def in_words(hint: Any) -> str:  # noqa: ANN401
    """Values of a type, in words.

    Example:
        >>> in_words(int | None), in_words(Literal["left", "right"])
        ('a whole number or null', 'left or right')
    """
    if hint in IN_WORDS:
        return IN_WORDS[hint]
    parts = get_args(hint)
    if get_origin(hint) is Mapping:
        return f"{in_words(parts[1])} for each name"
    return " or ".join(part if isinstance(part, str) else in_words(part) for part in parts)


def shown(value: object, length: int = 40) -> str:
    """Beginning of a value, as Python writes it.

    Example:
        >>> shown("x" * 100, 4)
        "'xxx..."
    """
    if isinstance(value, int) and abs(value) >= LARGEST_NUMBER:
        return "a number beyond all counts"
    text = repr(value)
    return text if len(text) <= length else f"{text[:length]}..."
