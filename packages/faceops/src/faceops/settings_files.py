"""Files of settings (YAML) that anybody may have written, for the parser of the command lines."""

from typing import Any

from jsonargparse import get_loader, set_loader
from yaml import CollectionEndEvent, CollectionStartEvent, YAMLError, parse

MOST_VALUES = 100_000
"""Values that settings may have, each counted wherever it is named; the parser copies it there."""

MOST_DEPTH = 100
"""Lists and mappings in each other; at some thousands parsers crash."""

_load = get_loader("yaml")


def bound_settings() -> None:
    """Let every parser of this process refuse settings that would take its time, its memory or its stack."""
    set_loader("yaml", load_bounded, (YAMLError,))


def load_bounded(text: str) -> Any:  # noqa: ANN401 - any YAML
    """Load YAML.

    Raises:
        YAMLError: If it is none, nested deeper than `MOST_DEPTH`, holds itself, or becomes more than `MOST_VALUES`
            values.

    Example:
        >>> load_bounded("a: [1, 2]")
        {'a': [1, 2]}
        >>> load_bounded("a: &a [*a]")
        Traceback (most recent call last):
            ...
        yaml.error.YAMLError: settings have 100000 values at most, these have more or hold themselves
    """
    depth = 0
    for event in parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > MOST_DEPTH:
            raise YAMLError(f"settings are nested too deep, more than {MOST_DEPTH} times")
    value = _load(text)
    pending, count = [value], 0
    while pending:
        part = pending.pop()
        count += 1
        if count > MOST_VALUES:
            raise YAMLError(f"settings have {MOST_VALUES} values at most, these have more or hold themselves")
        if isinstance(part, dict):
            pending.extend(part.values())
        elif isinstance(part, list):
            pending.extend(part)
    return value
