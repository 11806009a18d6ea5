"""Weights that come with a package, and how names and paths of weights are told apart."""

from pathlib import Path

SUFFIX = ".safetensors"


def shipped_names(folder: Path) -> list[str]:
    """Names of the weights in a folder, sorted."""
    return sorted(path.stem for path in folder.glob(f"*{SUFFIX}"))


def check_suffix(output: Path) -> None:
    """Refuse a name that no weights file has, before anything is loaded; it may be that of a checkpoint.

    Raises:
        ValueError: If it ends in something else.
    """
    if output.suffix != SUFFIX:
        raise ValueError(f"A weights file must end in {SUFFIX}, got {output}.")


def find_shipped(name_or_path: str | Path, folder: Path, program: str) -> Path:
    """File of shipped weights, or of one's own.

    A shipped name wins over a file of that name; write ``./small-x8`` for the file.

    Args:
        name_or_path: A name that `shipped_names` lists, or a file.
        program: What exports checkpoints to weights files.

    Raises:
        ValueError: If it is neither, or a training checkpoint.
        FileNotFoundError: If it is a path and there is no such file.
    """
    text, path = str(name_or_path), Path(name_or_path)
    if text in shipped_names(folder):
        return folder / f"{text}{SUFFIX}"
    if path.suffix == ".ckpt":
        raise ValueError(
            f"{path} is a training checkpoint; export it first with `{program} export {path} --output NAME{SUFFIX}`."
        )
    if path.is_file():
        return path
    if path.is_dir():
        raise ValueError(f"Weights are one {SUFFIX} file; {path} is a folder.")
    if path.suffix or "/" in text or path.parent != Path():
        raise FileNotFoundError(f"There is no weights file {path}.")
    known = ", ".join(shipped_names(folder)) or "none in this installation"
    raise ValueError(
        f'No weights are called "{text}"; the shipped ones are: {known}. A path to a {SUFFIX} file works too.'
    )
