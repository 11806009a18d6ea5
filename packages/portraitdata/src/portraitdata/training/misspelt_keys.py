"""Keys of configs and command lines that no class has, and what was meant."""

import inspect
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import yaml

CONFIG_FLAGS = "--config", "-c"

Tree = dict[str, Any]
"""Settings as a config file has them: groups within groups."""


def misspelt_keys(argv: Sequence[str], groups: Mapping[str, type]) -> list[str]:
    """Sentence for each key that its class does not have.

    Args:
        argv: Words of the command line; the config files that it names are read.
        groups: Base class of each group, ``model`` for one.
    """
    tree = stated_tree(argv)
    sentences = []
    for group, base in groups.items():
        sentences += list(unknown_keys(group, tree.get(group), base))
    return sentences


def stated_tree(argv: Sequence[str]) -> Tree:
    """Everything that config files and the command line say."""
    tree: Tree = {}
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        flag, equals, value = word.partition("=")
        value = value if equals else following
        if flag in CONFIG_FLAGS:
            overlay(tree, read_settings(Path(value)))
        elif flag.startswith("--"):
            overlay(tree, nested(flag.removeprefix("--").split("."), value))
    return tree


def read_settings(path: Path) -> Tree:
    """Settings of a config file; none if it cannot be read, which is the parser's to tell."""
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return read if isinstance(read, dict) else {}


def nested(keys: Sequence[str], value: object) -> Tree:
    """A tree with a single leaf.

    Example:
        >>> nested(["data", "init_args", "size"], "3")
        {'data': {'init_args': {'size': '3'}}}
    """
    return {keys[0]: nested(keys[1:], value) if len(keys) > 1 else value}


def overlay(below: Tree, above: Tree) -> None:
    """Lay settings over others, group by group; the name of a class alone names the class of a group.

    Arguments of a class that gives way to another go with it: the parser keeps those that fit.
    """
    for key, value in above.items():
        held = below.get(key)
        if isinstance(held, str) and isinstance(value, dict):
            held = below[key] = {"class_path": held}
        laid = {"class_path": value} if isinstance(held, dict) and isinstance(value, str) else value
        if not (isinstance(held, dict) and isinstance(laid, dict)):
            below[key] = laid
            continue
        if laid.get("class_path", held.get("class_path")) != held.get("class_path"):
            held.pop("init_args", None)
        overlay(held, laid)


def unknown_keys(place: str, stated: object, base: type) -> Iterator[str]:
    """Sentences for a group and for the groups in it.

    Args:
        place: Path of the group on the command line.
        stated: What is said of it.
        base: Class that it is if no other is named.
    """
    if not isinstance(stated, dict):
        return
    chosen = find_class(stated.get("class_path"), base)
    if chosen is None or chosen is object:
        return
    inner = stated.get("init_args", stated)
    inside = f"{place}.init_args" if "init_args" in stated else place
    known = parameters_of(chosen)
    for key, value in (inner if isinstance(inner, dict) else {}).items():
        if key in known:
            yield from unknown_keys(f"{inside}.{key}", value, known[key])
        elif key not in ("class_path", "dict_kwargs"):
            near = get_close_matches(key, known, n=1)
            advice = f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(known))}."
            yield f"{chosen.__name__} has no {key} (--{inside}.{key}); {advice}"


def find_class(name: object, base: type) -> type | None:
    """Class by its path, or by its own name among the subclasses of `base`; None if there is none."""
    if not isinstance(name, str):
        return base
    try:
        found = pkgutil.resolve_name(name) if "." in name else subclasses(base).get(name)
    except (ImportError, AttributeError, ValueError):
        return None
    return found if isinstance(found, type) else None


def subclasses(base: type) -> dict[str, type]:
    """A class and all below it, by name."""
    found = {base.__name__: base}
    children: list[type] = base.__subclasses__()
    for child in children:
        found |= subclasses(child)
    return found


def parameters_of(chosen: type) -> dict[str, type]:
    """Class of each parameter that the constructor takes or passes on; ``object`` for what is no class of ours."""
    found: dict[str, type] = {}
    for owner in chosen.__mro__[:-1]:
        parameters = signature_of(owner).parameters.values()
        for parameter in parameters:
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                found.setdefault(parameter.name, class_of(parameter.annotation))
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return found


def signature_of(owner: type) -> inspect.Signature:
    """Signature of a constructor; its types are as written if a name in them is known to type checkers alone."""
    try:
        return inspect.signature(owner, eval_str=True)
    except NameError:
        return inspect.signature(owner)


def class_of(hint: object) -> type:
    """Class that a group of settings makes; ``object`` where the type is none, or one of several."""
    choices = [choice for choice in get_args(hint) or (hint,) if choice is not type(None)]
    only = choices[0] if len(choices) == 1 else object
    return only if isinstance(only, type) else object
