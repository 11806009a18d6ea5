"""Checkpoints that are there whole or not at all, and the newest of a run that is there."""

import errno
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from faceops.atomic_files import remove_half_written, replacing

SUFFIX = ".ckpt"
FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors of a disk without room, and of a user who has no right to more."""


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its place, and gives it its name once its bytes are on the disk.

    Lightning's own copies it there from the folder of temporary files: a run that is killed meanwhile has half a
    checkpoint. What is not on a disk of this machine is left to Lightning.
    """

    def save_checkpoint(
        self,
        checkpoint: Mapping[str, Any],
        path: str | Path,
        storage_options: Any | None = None,  # noqa: ANN401 - as Lightning's
    ) -> None:
        """Write a checkpoint; the folder is made if absent.

        Raises:
            OSError: If it cannot be written; the sentence names the folder.
        """
        if "://" in str(path) or storage_options is not None:
            super().save_checkpoint(dict(checkpoint), path, storage_options)
            return
        target = Path(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with replacing(target) as temporary, temporary.open("wb") as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:
            # torch's writer fails once more when it closes a file that could not be written
            cause = error if isinstance(error, OSError) else error.__context__
            if not isinstance(cause, OSError):
                raise
            raise OSError(unwritten(target, cause)) from error


def unwritten(target: Path, error: OSError) -> str:
    """Sentence for a checkpoint that could not be written.

    Example:
        >>> unwritten(Path("runs/last.ckpt"), OSError(errno.ENOSPC, "No space left on device")).partition(":")[0]
        'The folder runs is full'
    """
    reason = "is full" if error.errno in FULL else f"does not take it ({error.strerror or error})"
    return (
        f"The folder {target.parent} {reason}: the checkpoint {target.name} was not written, earlier ones are as they "
        "were. Make room or name another folder, and go on with --ckpt_path last."
    )


def is_whole(path: Path) -> bool:
    """Tell whether every byte of a checkpoint is there and as it was written, by its checksums."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist()) and archive.testzip() is None
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError):
        return False


def newest_whole(folder: Path) -> tuple[Path | None, list[Path]]:
    """Newest whole checkpoint in a folder, at every depth, and the newer ones that are not whole."""
    files = [path for path in folder.rglob(f"*{SUFFIX}") if path.is_file() and not path.name.startswith(".")]
    broken: list[Path] = []
    for path in sorted(files, key=lambda file: (file.stat().st_mtime_ns, file), reverse=True):
        if is_whole(path):
            return path, broken
        broken.append(path)
    return None, broken


def clear_half_written(run: Path) -> None:
    """Remove what killed runs have left half written in the folders of a run."""
    remove_half_written.cache_clear()  # a start looks again where this process has looked before
    for folder in (run, *run.rglob("*/")):
        if folder.is_dir():
            remove_half_written(folder.resolve())
