"""Weights that come with the package."""

from pathlib import Path

from faceops.weights.shipped import find_shipped, shipped_names

FOLDER = Path(__file__).parent

DEFAULT_WEIGHTS = "guided"
"""Name of the weights that are taken where none are named."""


def shipped_weights() -> list[str]:
    """Names of the weights that come with the package, sorted."""
    return shipped_names(FOLDER)


def find_weights(name_or_path: str | Path) -> Path:
    """File of shipped weights, or of one's own.

    Raises:
        ValueError: If it is neither, or a training checkpoint.
        FileNotFoundError: If it is a path and there is no such file.
    """
    return find_shipped(name_or_path, FOLDER, "headsup")
