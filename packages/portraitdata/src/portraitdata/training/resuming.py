"""The checkpoint that a resumed training goes on from."""

from pathlib import Path
from typing import NamedTuple

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from portraitdata.training.whole_checkpoints import SUFFIX, is_whole, newest_whole

LAST = "last"
"""Word for the newest checkpoint of all starts of a run."""


class Resumption(NamedTuple):
    """Where a training goes on."""

    checkpoint: str | None
    """None for the beginning."""
    sentence: str | None
    """What to tell whoever started it; None if it is what was asked for."""


def run_folder(trainer: Trainer) -> Path:
    """Folder of all starts of a run: each has a folder of its own in it, unless that of checkpoints is given."""
    callback = trainer.checkpoint_callback
    if isinstance(callback, ModelCheckpoint) and callback.dirpath is not None:
        return Path(callback.dirpath)
    if not trainer.loggers:
        return Path(trainer.default_root_dir) / "checkpoints"
    logger = trainer.loggers[0]
    return Path(logger.save_dir or trainer.default_root_dir) / str(logger.name)


def resume(asked: str, run: Path) -> Resumption:
    """Whole checkpoint that is meant.

    Args:
        asked: ``last`` for the newest of the run, a folder for the newest in it, or a file. What is neither is
            Lightning's to find, as is a folder that is a checkpoint itself.
        run: Folder of the run.

    Raises:
        ValueError: If it is a file that is not whole, or there is none in the folder that is.
    """
    path = Path(asked)
    if asked == LAST:
        return newest(run, may_begin=True)
    if path.is_dir() and path.suffix != SUFFIX:
        return newest(path, may_begin=False)
    if path.is_file() and not is_whole(path):
        other, _ = newest_whole(path.parent)
        advice = f"the newest one beside it that is whole is {other}" if other else "none beside it is whole"
        raise ValueError(f"{path} is not a whole checkpoint, as if its run was killed or the disk was full; {advice}.")
    return Resumption(asked, None)


def newest(folder: Path, may_begin: bool) -> Resumption:
    """Newest whole checkpoint of a folder.

    Args:
        may_begin: Begin the training where there is no checkpoint at all.

    Raises:
        ValueError: If there is none that is whole.
    """
    found, broken = newest_whole(folder)
    named = ", ".join(map(str, broken))
    if found is not None:
        passed = f"Not whole, as if a run was killed or the disk was full: {named}. " if broken else ""
        return Resumption(str(found), f"{passed}Training goes on from {found}.")
    if broken:
        raise ValueError(
            f"No checkpoint in {folder} is whole: {named}. Delete them, and train from the beginning without "
            "--ckpt_path."
        )
    if may_begin:
        return Resumption(None, f"There is no checkpoint in {folder} yet: training begins.")
    raise ValueError(f"There is no checkpoint (*{SUFFIX}) in the folder {folder}; name a file or another folder.")
