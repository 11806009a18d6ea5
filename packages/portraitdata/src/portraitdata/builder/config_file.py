"""The configuration of a build as a file, and what has changed since a build began."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from portraitdata.builder.config import BuildConfig, StageName
from portraitdata.builder.layout import CONFIG_FILE, STAGES
from portraitdata.storage.object_path import ObjectPath
from portraitdata.storage.places import Place
from portraitdata.storage.writing import make_folder, write_text

STAGE_OF: dict[str, StageName] = {
    "download": "download",
    "quality": "quality",
    "faces": "faces",
    "duplicates": "deduplicate",
    "pairs": "pairs",
    "split": "split",
    "shards": "shards",
}
"""First stage that a section of the configuration changes; everything else changes the first of all."""


def read_config(path: Place) -> BuildConfig:
    """Read a YAML file; ValueError if it says something that a build does not know, or a number is out of range."""
    from jsonargparse import ArgumentParser

    if not path.is_file():
        raise FileNotFoundError(f"There is no configuration {path}.")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--build", type=BuildConfig)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError("it holds no settings")
        return parser.instantiate(parser.parse_object({"build": values})).build
    except Exception as error:  # jsonargparse has many of its own
        raise ValueError(f"{path} is no configuration of a build: {error}") from error


def write_config(config: BuildConfig) -> None:
    """Write the configuration into its build."""
    make_folder(config.output)
    write_text(config.output / CONFIG_FILE, yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True))


def plain(value: object) -> Any:  # noqa: ANN401
    """Settings as YAML knows them.

    Example:
        >>> plain({"sources": (Path("a"), None)})
        {'sources': ['a', None]}
    """
    if isinstance(value, BuildConfig):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return str(value) if isinstance(value, ObjectPath | Path) else value


def changes(config: BuildConfig) -> tuple[list[str], StageName | None]:
    """Differences from the configuration that the build in its output was begun with.

    Where the build lies does not count, nor a setting that was not there before and has its default.

    Returns:
        One clause for each setting that differs, and the first stage that has to be done again.
    """
    path = config.output / CONFIG_FILE
    if not path.is_file():
        return [], None
    # as it is read, so that a setting that there was not yet had its default
    before, now = (flat(plain(settings)) for settings in (read_config(path), config))
    names = [name for name in {**before, **now} if before.get(name) != now.get(name) and name != "output"]
    clauses = [f"{name} was {before.get(name, 'absent')} and is {now.get(name, 'absent')}" for name in names]
    stages = {STAGE_OF.get(name.split(".")[0], "index") for name in names}
    return clauses, min(stages, key=STAGES.index) if stages else None


def flat(values: Any, prefix: str = "") -> dict[str, Any]:  # noqa: ANN401
    """Settings by their dotted names.

    Example:
        >>> flat({"size": {"aspect": [0.6, 1.6]}, "sources": []})
        {'size.aspect.0': 0.6, 'size.aspect.1': 1.6, 'sources': []}
    """
    inner = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    found = {name: leaf for key, value in inner for name, leaf in flat(value, f"{prefix}{key}.").items()}
    return found or {prefix.rstrip("."): values}
