"""Reading files of weights that come from anywhere: nothing in them is executed."""

import pickle
import struct
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

UNREADABLE = (
    *(RuntimeError, pickle.UnpicklingError, SafetensorError, struct.error, EOFError),
    *(LookupError, AttributeError, TypeError, ValueError, AssertionError),
)
"""Errors of the readers on files that are damaged, hold something else, or would execute something."""


def load_safely(path: Path) -> Any:  # noqa: ANN401
    """Content of a .safetensors file, or of a file of torch, on the CPU.

    Raises:
        ValueError: If it is damaged, or holds more than tensors and plain values.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of torch, about pickles of other programs
            return torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        # torch's own words recommend to load without weights_only, which would execute what is in the file.
        raise ValueError(
            f"{path} cannot be read safely: it is damaged, or holds more than tensors and plain values."
        ) from error
