"""Weights that come with the package, and how names and paths of weights are told apart."""

from pathlib import Path

FOLDER = Path(__file__).parent
SUFFIX = ".safetensors"

USUAL = "guided"
"""Name of the weights that are taken where none are named."""


def shipped_weights() -> list[str]:
    """Names of the weights that come with the package, sorted."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def find_weights(name_or_path: str | Path) -> Path:
    """File of shipped weights, or of one's own.

    A shipped name wins over a file of that name; write ``./tiny`` for the file.

    Raises:
        ValueError: If it is neither, or a training checkpoint.
        FileNotFoundError: If it is a path and there is no such file.
    """
    path = Path(name_or_path)
    if str(name_or_path) in shipped_weights():
        return FOLDER / f"{name_or_path}{SUFFIX}"
    if path.suffix == ".ckpt":
        raise ValueError(
            f"{path} is a training checkpoint; export it first with `headsup export {path} --output NAME{SUFFIX}`."
        )
    if path.is_file():
        return path
    if path.is_dir():
        raise ValueError(f"Weights are one {SUFFIX} file; {path} is a folder.")
    if path.suffix or path.parent != Path():
        raise FileNotFoundError(f"There is no weights file {path}.")
    known = ", ".join(shipped_weights()) or "none in this installation"
    raise ValueError(f'No weights are called "{path}"; the shipped ones are: {known}. A path works too.')
