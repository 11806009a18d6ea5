"""Weights that come with the package."""

from pathlib import Path

from faceops.weights.shipped import find_shipped, shipped_names

FOLDER = Path(__file__).parent


def shipped_weights() -> list[str]:
    """Names of the weights that come with the package, sorted."""
    return shipped_names(FOLDER)


def shipped_name(scale: int, perceptual: bool = False) -> str:
    """Name of the shipped weights for a magnification of 2, 4 or 8.

    Raises:
        ValueError: If there are none of the kind.

    Example:
        >>> shipped_name(8), shipped_name(4, perceptual=True), shipped_name(2)
        ('small-x8', 'small-x4-perceptual', 'free-x2')
    """
    if scale != 2:
        return f"small-x{scale}" + ("-perceptual" if perceptual else "")
    if perceptual:
        raise ValueError("Perceptual weights are for --scale 4 and 8: choose one of them, or leave --perceptual out.")
    return "free-x2"


def find_weights(name_or_path: str | Path) -> Path:
    """File of shipped weights, or of one's own.

    Raises:
        ValueError: If it is neither, or a training checkpoint.
        FileNotFoundError: If it is a path and there is no such file.
    """
    return find_shipped(name_or_path, FOLDER, "hime")


def choose_weights(name_or_path: str | None, scale: int | None, perceptual: bool) -> str:
    """Weights that a command line asks for: named ones, or the shipped ones for a scale, x4 if none is given.

    Raises:
        ValueError: If weights are named beside options that choose shipped ones, or there are none of the kind.

    Example:
        >>> choose_weights(None, None, False)
        'small-x4'
    """
    if name_or_path is None:
        return shipped_name(scale or 4, perceptual)
    if perceptual or scale is not None:
        raise ValueError("Name the weights, or choose shipped ones by --scale and --perceptual, but not both.")
    return name_or_path
