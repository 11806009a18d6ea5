"""``portraitdata build`` and ``portraitdata status``: make a data set of portraits, and see what became of what."""

from dataclasses import fields

import rich.table
from rich.console import Console

from portraitdata.builder.build import build
from portraitdata.builder.config import BuildConfig
from portraitdata.builder.engines import running_engine
from portraitdata.builder.layout import (
    KEPT,
    SHARDS,
    SINGLE_FILE,
    SPLIT,
    SPLIT_PAIRS_FILE,
    check_build,
    funnel,
    read_pair_facts,
    read_split_facts,
    read_stage,
)
from portraitdata.builder.ray_engine import Gpus
from portraitdata.commands.build_options import BuildOptions
from portraitdata.loading.workers import worker_count
from portraitdata.restoration.index.schemas import read_table
from portraitdata.storage.places import Place


def run_build(options: BuildOptions) -> None:
    """Build, and print the funnel.

    Raises:
        ValueError: If the configuration has changed, a source is none, or nothing came through.
        OSError: If something cannot be read or written.
        ImportError: If Ray, or faiss, is wanted and not installed.
    """
    config = BuildConfig(**{field.name: getattr(options, field.name) for field in fields(BuildConfig)})
    workers = worker_count(options.workers)
    gpus = Gpus(options.quality_gpus, options.faces_gpus)
    with running_engine(options.engine, workers, gpus) as running:
        build(config, running, options.from_stage)
    run_status(config.output)


def run_status(folder: Place) -> None:
    """Print the funnel of a build, as far as it has come.

    Raises:
        FileNotFoundError: If there is no build.
    """
    check_build(folder)
    table = rich.table.Table(title=str(folder))
    table.add_column("stage")
    table.add_column("images", justify="right")
    table.add_column("")
    for row in funnel(folder):
        table.add_row("" if row.reason else row.stage, str(row.count), row.reason or "came through")
    Console().print(table)
    for line in sentences(folder):
        print(line)


def sentences(folder: Place) -> list[str]:
    """Facts of pairs, split and shards."""
    facts = read_split_facts(folder)
    if facts is None:
        return ["The build is not finished; the same command continues it."]
    splits = read_stage(folder, SPLIT)["split"].to_pylist()
    pairs = read_table(folder / SPLIT / SPLIT_PAIRS_FILE).to_pydict()
    kept = pairs["status"].count(KEPT)
    reasons = sorted(set(pairs["reason"]) - {""})
    left_out = "".join(f"; {pairs['reason'].count(reason)} {reason}" for reason in reasons)
    cross, searched = facts.largest_cross_similarity, read_pair_facts(folder)
    found = "" if searched is None or searched.recall == 1 else f", {searched.recall:.1%} of those of a sample"
    lines = [
        f"{kept} pairs of faces{found}{left_out}",
        f"{splits.count('train')} images for training, {splits.count('test')} for testing; {facts.groups} groups of "
        f"similar faces (above {facts.threshold:.2f}), the largest of {facts.largest_group}",
        "no faces on one of the sides of the split"
        if cross is None
        else f"largest similarity of a face for training and one for testing: {cross:.3f}",
    ]
    done = (folder / SHARDS / SINGLE_FILE[SHARDS]).is_file()
    return [*lines, str(folder / SHARDS) if done else "The build is not finished; the same command continues it."]
