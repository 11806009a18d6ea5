"""Pictures that a study can ask about: those that every folder has, matched by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from portraitdata.scoring.pairing import missing_sentences, pictures_by_name

Given = Literal["truth", "reference", "input"]
"""Kinds of comparison picture: the truth, another photograph of the person, the restorer's input."""

MOST_METHODS = 9
"""As many as there are number keys to choose with."""


@dataclass(frozen=True)
class StudyPicture:
    """Files of one name."""

    name: str
    """Path within every folder, without the suffix."""
    candidates: Mapping[str, Path]
    """By the name of the method."""
    given: Mapping[Given, Path]


def method_folders(folders: Sequence[str]) -> dict[str, Path]:
    """Folders by the name of the method: ``NAME=FOLDER``, or a folder, whose own name is then the method's.

    Raises:
        ValueError: If there are fewer than two or more than nine, or two have one name.
        FileNotFoundError: If a folder is not there.
    """
    methods: dict[str, Path] = {}
    for text in folders:
        name, equals, path = text.partition("=")
        whole = Path(text)
        if not equals or whole.is_dir():
            name, path = whole.resolve().name, text
        if not path or not Path(path).is_dir():
            raise FileNotFoundError(f"There is no folder {path or text}.")
        if not name or name in methods:
            raise ValueError(f"Two methods need two names, got {name!r} twice; name a folder as NAME={path}.")
        methods[name] = Path(path)
    if not 2 <= len(methods) <= MOST_METHODS:
        raise ValueError(f"A question compares 2 to {MOST_METHODS} methods, got {len(methods)}.")
    return methods


def match_pictures(
    methods: Mapping[str, Path], given: Mapping[Given, Path]
) -> tuple[tuple[StudyPicture, ...], tuple[str, ...]]:
    """Pictures that every folder has, ordered by name, and sentences on those that some folder lacks or has twice.

    As in `pair_folders`, ``a/b.jpg`` and ``a/b.png`` are one name. What is given but no method has is not missed.

    Args:
        given: Folders of what the candidates are compared with.

    Raises:
        FileNotFoundError: If a folder is not there.
        ValueError: If there is no such picture.
    """
    problems: list[str] = []
    candidates = {name: pictures_by_name(folder, problems) for name, folder in methods.items()}
    others = {kind: pictures_by_name(folder, problems) for kind, folder in given.items()}
    wanted: set[str] = set().union(*candidates.values())
    shared = wanted.intersection(*candidates.values(), *others.values())
    for folder, files in zip(
        (*methods.values(), *given.values()), (*candidates.values(), *others.values()), strict=True
    ):
        problems += missing_sentences(folder, sorted(wanted - files.keys()), "picture")
    if not shared:
        raise ValueError(" ".join(["No picture is in all the folders under one name.", *problems]))
    pictures = tuple(
        StudyPicture(
            name,
            {method: files[name] for method, files in candidates.items()},
            {kind: files[name] for kind, files in others.items()},
        )
        for name in sorted(shared)
    )
    return pictures, tuple(problems)
