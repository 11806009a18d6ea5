"""Reading a YAML file of tests; whatever is wrong in it is a sentence that names the place."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml

from benchmarks.given.given_tests import GivenSet, GivenTests
from faceops.settings_files import load_bounded
from faceops.weights.field_types import IN_WORDS


def read_tests(path: Path) -> GivenTests:
    """Tests of a YAML file: the fields of `GivenTests`; a set may be its folder alone.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is no YAML, or says something that is not known.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        values = load_bounded(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no YAML: {' '.join(str(error).split())}.") from error
    settings = checked_settings(values, GivenTests, str(path))
    parts: dict[str, dict[str, Any]] = {name: {} for name in ("sets", "weights", "results")}
    for part, found in parts.items():
        for name, value in by_name(settings[part], f"{path}, {part}").items() if part in settings else ():
            where = f"{path}, {part}, {name}"
            if part == "sets":
                found[name] = GivenSet(**checked_settings(as_set(value), GivenSet, where))
            else:
                found[name] = checked(value, Path if part == "results" else str, where)
    return GivenTests(**settings | parts)


def as_set(value: object) -> object:
    """Settings of a set that may be its folder alone."""
    return {"folder": value} if isinstance(value, str) else value


def by_name(value: object, where: str) -> Mapping[str, object]:
    """What is given by name; ValueError if it is not.

    Example:
        >>> by_name(["a"], "tests.yaml, sets")
        Traceback (most recent call last):
        ...
        ValueError: tests.yaml, sets: wanted is a NAME: and what it stands for, one or more; got ['a'].
    """
    if not isinstance(value, Mapping) or not value or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{where}: wanted is a NAME: and what it stands for, one or more; got {value!r}.")
    return value


def checked_settings(values: object, kind: type, where: str) -> dict[str, Any]:
    """Settings of a dataclass, each of the type of its field; those that are mappings are left as they are.

    Raises:
        ValueError: If one is not known, or not of its type.

    Example:
        >>> checked_settings({"folder": "data", "size": "many"}, GivenSet, "tests.yaml, sets, mine")
        Traceback (most recent call last):
        ...
        ValueError: tests.yaml, sets, mine, size: wanted is a whole number, got 'many'.
    """
    names = [each.name for each in fields(kind)]
    if not isinstance(values, Mapping):
        raise ValueError(f"{where}: wanted are settings, of {', '.join(names)}; got {values!r}.")
    unknown = [str(name) for name in values if name not in names]
    if unknown:
        raise ValueError(f"{where}: there is no setting {', '.join(unknown)}; settings are {', '.join(names)}.")
    needed = [each.name for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING]
    for name in needed:
        if name not in values:
            raise ValueError(f"{where}: {name} is missing; settings are {', '.join(names)}.")
    hints = get_type_hints(kind)
    return {name: checked(value, hints[name], f"{where}, {name}") for name, value in values.items()}


WORDS = {**IN_WORDS, Path: "a path"}
"""Types for people."""


def checked(value: object, hint: Any, where: str) -> Any:
    """A value of the type of its field; ValueError if it is not.

    Example:
        >>> checked("faces", Literal["faces", "general"] | None, "task"), checked(None, int | None, "limit")
        ('faces', None)
        >>> checked(True, int, "limit")
        Traceback (most recent call last):
        ...
        ValueError: limit: wanted is a whole number, got True.
    """
    origin, inner = get_origin(hint), get_args(hint)
    if origin is UnionType or type(None) in inner:
        if value is None:
            return None
        return checked(value, next(each for each in inner if each is not type(None)), where)
    if origin is Literal:
        if value not in inner:
            raise ValueError(f"{where}: wanted is one of {', '.join(inner)}; got {value!r}.")
        return value
    if origin is not None and issubclass(origin, Mapping):
        return value
    if origin is not None:
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise ValueError(f"{where}: wanted is a list of names, got {value!r}.")
        return tuple(value)
    wanted = str if hint is Path else hint
    if type(value) is not wanted:
        raise ValueError(f"{where}: wanted is {WORDS[hint]}, got {value!r}.")
    return Path(str(value)) if hint is Path else value
