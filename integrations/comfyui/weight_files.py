"""Weights that a node offers: the shipped ones, and files in a folder of ComfyUI's models."""

from collections.abc import Sequence
from pathlib import Path

import folder_paths

from faceops.weights.shipped import SUFFIX


def offered(folder: str, shipped: Sequence[str]) -> list[str]:
    """Shipped names, then files in ComfyUI's `models/FOLDER`.

    Args:
        folder: Name of the folder, also in `extra_model_paths.yaml`.
        shipped: Names of the shipped weights.
    """
    if folder not in folder_paths.folder_names_and_paths:
        folder_paths.add_model_folder_path(folder, str(Path(folder_paths.models_dir) / folder))
    files = [name for name in folder_paths.get_filename_list(folder) if name.endswith(SUFFIX)]
    return [*shipped, *files]


def weight_file(folder: str, name: str, shipped: Sequence[str]) -> str:
    """Shipped name as it is, or the path of a file that `offered` lists.

    Raises:
        FileNotFoundError: If there is neither.
    """
    if name in shipped:
        return name
    path = folder_paths.get_full_path(folder, name)
    if path is None:
        known = ", ".join(shipped)
        raise FileNotFoundError(f"There is no {name} in models/{folder}; the shipped weights are {known}.")
    return path
