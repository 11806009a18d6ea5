"""Weights that come with the package, and how names and paths of weights are told apart."""

from pathlib import Path

FOLDER = Path(__file__).parent
SUFFIX = ".safetensors"


def shipped_weights() -> list[str]:
    """Names of the weights that come with the package, sorted."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def shipped_name(scale: int, perceptual: bool = False) -> str:
    """Name of the shipped weights for a magnification.

    Example:
        >>> shipped_name(8), shipped_name(4, perceptual=True)
        ('small-x8', 'small-x4-perceptual')
    """
    return f"small-x{scale}" + ("-perceptual" if perceptual else "")


def find_weights(name_or_path: str | Path) -> Path:
    """File of shipped weights, or of one's own.

    A shipped name wins over a file of that name; write ``./small-x8`` for the file.

    Raises:
        ValueError: If it is neither, or a training checkpoint.
        FileNotFoundError: If it is a path and there is no such file.
    """
    text = str(name_or_path)
    if text in shipped_weights():
        return FOLDER / f"{text}{SUFFIX}"
    path = Path(name_or_path)
    if path.suffix == ".ckpt":
        raise ValueError(
            f"{path} is a training checkpoint; export it first with `hime export {path} --output NAME{SUFFIX}`."
        )
    if path.is_file():
        return path
    if path.is_dir():
        raise ValueError(f"Weights are one {SUFFIX} file; {path} is a folder.")
    if path.suffix or "/" in text or path.parent != Path():
        raise FileNotFoundError(f"There is no weights file {path}.")
    known = ", ".join(shipped_weights()) or "none in this installation"
    raise ValueError(
        f'No weights are called "{text}"; the shipped ones are: {known}. A path to a {SUFFIX} file works too.'
    )


def choose_weights(name_or_path: str | None, scale: int | None, perceptual: bool) -> str:
    """Weights that a command line asks for: named ones, or the shipped ones for a scale, x4 if none is given.

    Raises:
        ValueError: If weights are named beside options that choose shipped ones.

    Example:
        >>> choose_weights(None, None, False)
        'small-x4'
    """
    if name_or_path is None:
        return shipped_name(scale or 4, perceptual)
    if perceptual or scale is not None:
        raise ValueError("Name the weights, or choose shipped ones by --scale and --perceptual, but not both.")
    return name_or_path
