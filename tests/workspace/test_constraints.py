"""constraints.txt pins what the packages and the development tools need."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "constraints.txt").read_text().splitlines()
PINS = {name: version for name, _, version in (line.partition("==") for line in LINES)}
PINNED_BY_TORCH = ("nvidia-", "cuda-", "triton")
"""Beginnings of the names of distributions that torch asks for by version, on some machines only."""


def declared() -> list[Requirement]:
    """What the packages, with every extra, and the group of development tools ask for."""
    texts = list(tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["dev"])
    own = set()
    for path in sorted(ROOT.glob("packages/*/pyproject.toml")):
        project = tomllib.loads(path.read_text())["project"]
        own.add(project["name"])
        for asked in (project["dependencies"], *project.get("optional-dependencies", {}).values()):
            texts += asked
    return [Requirement(text) for text in texts if re.match(r"[a-z]+", text)[0] not in own]


def needed_by(name: str, extras: frozenset[str]) -> list[Requirement]:
    """What an installed distribution asks for on this machine."""
    try:
        asked = [Requirement(text) for text in requires(name) or []]
    except PackageNotFoundError:  # of an extra that the development environment does without
        return []
    used = ("", *extras)
    return [one for one in asked if not one.marker or any(one.marker.evaluate({"extra": extra}) for extra in used)]


def test_lines_are_names_and_versions() -> None:
    assert not [line for line in LINES if not re.fullmatch(r"[a-z0-9-]+==\d[a-z0-9.]*", line)]
    assert sorted(set(LINES)) == LINES
    assert len(PINS) == len(LINES)


def test_every_declared_distribution_has_a_pin_that_will_do() -> None:
    for asked in declared():
        name = canonicalize_name(asked.name)
        assert name in PINS, f"constraints.txt lacks {name}"
        assert asked.specifier.contains(PINS[name]), f"constraints.txt has {name}=={PINS[name]}, wanted {asked}"


def test_what_those_ask_for_is_pinned_too() -> None:
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = declared()
    while waiting:
        asked = waiting.pop()
        known = canonicalize_name(asked.name), frozenset(asked.extras)
        if known not in seen and not known[0].startswith(PINNED_BY_TORCH):
            seen.add(known)
            waiting += needed_by(*known)
    assert {name for name, _ in seen} - set(PINS) == set()
