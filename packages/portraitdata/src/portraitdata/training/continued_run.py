"""Going on in the TensorBoard run of a checkpoint."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.loggers import Logger, TensorBoardLogger

CONFIG = "config.yaml"
"""File with the settings of a run, in its folder."""

METRICS = "metrics.csv"
"""File of a CSV logger there, which a logger with the same folder would delete."""


def start_of(checkpoint: Path, run: Path) -> str | None:
    """Name of the folder of the start that has written a checkpoint; None if it is not within a run.

    Example:
        >>> start_of(Path("runs/hime/version_3/checkpoints/last.ckpt"), Path("runs/hime"))
        'version_3'
    """
    if checkpoint.parent.name != "checkpoints" or checkpoint.parent.parent.parent != run:
        return None
    return checkpoint.parent.parent.name


def steps_of(checkpoint: Path) -> int:
    """Optimizer steps of a checkpoint."""
    return int(torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)["global_step"])


def continue_loggers(
    loggers: Sequence[Logger], stated: Sequence[Mapping[str, Any]], start: str, steps: int
) -> list[Logger]:
    """Loggers of a resumed run; that of TensorBoard writes into the folder of the start before.

    What was logged after the checkpoint is no longer shown. Other loggers are as they were: a CSV file would be
    written anew, and a service has names of its own for its runs.

    Args:
        loggers: Loggers of the trainer.
        stated: Arguments of each.
        start: Name of the folder.
        steps: Steps of the checkpoint.
    """
    return [
        type(logger)(**{**arguments, "version": start, "purge_step": steps})
        if isinstance(logger, TensorBoardLogger) and arguments.get("version") is None
        else logger
        for logger, arguments in zip(loggers, stated, strict=True)
    ]


def stated_arguments(logger: object, default_root: str) -> list[dict[str, Any]]:
    """Arguments of each logger of a parsed config.

    Args:
        logger: What the config says of ``trainer.logger``: one, several, or whether there is Lightning's usual one.
        default_root: Folder of the usual one.
    """
    if isinstance(logger, bool) or logger is None:
        return [{"save_dir": default_root}]
    entries = logger if isinstance(logger, list) else [logger]
    return [
        {**dict(vars(entry.get("init_args") or {})), **(entry.get("dict_kwargs") or {})}
        if hasattr(entry, "get")
        else {}
        for entry in entries
    ]


def put_aside(file: Path) -> None:
    """Give a file of an earlier start a number, so that the next start has its name: ``config-1.yaml``."""
    if not file.exists():
        return
    number = 1
    while (aside := file.with_name(f"{file.stem}-{number}{file.suffix}")).exists():
        number += 1
    file.rename(aside)


def refuse_second_run(folder: Path) -> None:
    """Refuse to train into the folder of another run before its logger deletes what the other one has logged.

    Raises:
        FileExistsError: If the settings of a run are there.
    """
    if (folder / CONFIG).exists():
        raise FileExistsError(
            f"There is a run in {folder} already. Go on with it by --ckpt_path last, or give this one another version "
            "of the logger."
        )
