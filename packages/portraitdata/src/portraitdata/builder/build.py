"""The whole build: stage after stage, from wherever the last run ended."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from faceops.progress.display import tracked
from portraitdata.builder.config import BuildConfig, StageName
from portraitdata.builder.config_file import changes, write_config
from portraitdata.builder.engines import Engine
from portraitdata.builder.kept_tags import set_tags_aside
from portraitdata.builder.layout import (
    CONFIG_FILE,
    DOWNLOAD,
    FACES,
    FACES_IMAGES,
    FOLDER_OF,
    INDEX,
    PLAN_FILE,
    QUALITY,
    SHARDS,
    SINGLE_FILE,
    STAGES,
    TAKEDOWN_FILE,
    part_files,
    part_path,
)
from portraitdata.builder.part_names import refuse_unsorted
from portraitdata.builder.plan import plan
from portraitdata.builder.stages.deduplicate import deduplicate
from portraitdata.builder.stages.mine_pairs import mine_pairs
from portraitdata.builder.stages.split_people import split_images
from portraitdata.builder.stages.write_shards import write_shards
from portraitdata.builder.takedown.removal import JOURNAL_FILE
from portraitdata.loading.workers import one_thread
from portraitdata.restoration.index.tag_journal import JOURNAL
from portraitdata.storage.places import Place
from portraitdata.storage.single_run import is_lock, only_run
from portraitdata.storage.writing import make_folder, remove_file, remove_folder

AT_ONCE: dict[StageName, Callable[[BuildConfig], None]] = {
    "deduplicate": deduplicate,
    "pairs": mine_pairs,
    "split": split_images,
    "shards": write_shards,
}
"""Stages that look at everything at once."""


class ChangedConfigError(ValueError):
    """The configuration is another than the build was begun with."""


def build(config: BuildConfig, engine: Engine, from_stage: StageName | None = None) -> None:
    """Do what is not done yet.

    A build may be interrupted at any moment, even by force, and continued by the same call, with another engine too;
    what comes out is the same to the byte.

    Args:
        from_stage: Do this stage and those after it again.

    Raises:
        ChangedConfigError: If the configuration has changed and `from_stage` is not early enough.
        ValueError: If a source is none, nothing came through, or stages that a takedown or a tagging has yet to finish
            would be done again.
        OSError: If something cannot be read or written, or another run works at the same build or its index.
    """
    _check_place(config.output)
    clauses, earliest = changes(config)
    if earliest is not None and (from_stage is None or STAGES.index(from_stage) > STAGES.index(earliest)):
        raise ChangedConfigError(
            f"{config.output} was begun with other settings: {'; '.join(clauses)}. Build into another folder, or do "
            f"the stages that it concerns again by --from-stage {earliest}."
        )
    make_folder(config.output)
    with only_run(config.output):
        remove_leftovers(config.output)
        for folder in (INDEX, DOWNLOAD, QUALITY, FACES_IMAGES, FACES):
            refuse_unsorted(config.output / folder)
        if from_stage is not None:
            start_again(config.output, from_stage)
        write_config(config)
        partitions = range(plan(config, ["partition"]).num_rows)
        for stage in STAGES:
            _do(stage, config, engine, partitions)


def _check_place(output: Place) -> None:
    if output.exists() and not output.is_dir():
        raise ValueError(f"A build is a folder, but {output} is a file.")
    entries = [path for path in output.iterdir() if not is_lock(path.name)] if output.is_dir() else []
    known = {path.name for path in entries} & {CONFIG_FILE, PLAN_FILE.split("/")[0], TAKEDOWN_FILE}
    if entries and not known:
        raise ValueError(f"{output} holds other things than a build; name a new folder.")


def _do(stage: StageName, config: BuildConfig, engine: Engine, partitions: Sequence[int]) -> None:
    folder = FOLDER_OF[stage]
    if stage in AT_ONCE:
        if not (config.output / folder / SINGLE_FILE[folder]).is_file():
            with one_thread():
                AT_ONCE[stage](config)
        return
    done = {path.name for path in part_files(config.output, folder)}
    todo = [number for number in partitions if part_path(config.output, folder, number).name not in done]
    if todo:
        for _ in tracked(engine.run(stage, config, todo), stage, len(todo)):
            pass


def start_again(build: Place, stage: StageName) -> None:
    """Remove what a stage and those after it have written, unless work at the index would be lost with it."""
    shards = build / SHARDS
    with only_run(shards) if isinstance(shards, Path) and shards.is_dir() else nullcontext():
        for name, command in ((JOURNAL_FILE, "takedown"), (JOURNAL, "tag")):
            if (shards / name).is_file():
                raise ValueError(
                    f"A run of `portraitdata {command} {shards}` did not end and would be forgotten; finish it "
                    f"first, by that command. {shards / name} is what it has left."
                )
        set_tags_aside(build)
        remove_from(build, stage)


def remove_from(build: Place, stage: StageName) -> None:
    """Remove what a stage and those after it have written, the last first, so that what is left is always whole."""
    for later in reversed(STAGES[STAGES.index(stage) :]):
        remove_folder(build / FOLDER_OF[later])
        if later == "faces":
            remove_folder(build / FACES)
        if later == "index":
            remove_file(build / PLAN_FILE)


def remove_leftovers(build: Place) -> None:
    """Remove half-written files, which have hidden names, of a run that was killed; a store has none."""
    if not isinstance(build, Path):
        return
    for path in sorted(build.glob("*/.*")) + sorted(build.glob(".config*")):
        if is_lock(path.name) or path.name == JOURNAL:  # of who works at the shards, now or later on
            continue
        if path.is_dir():
            remove_folder(path)
        else:
            remove_file(path)
