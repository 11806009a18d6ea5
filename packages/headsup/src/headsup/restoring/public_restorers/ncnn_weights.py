"""Convolutions out of a model of ncnn: a text file that lists the layers, and a binary one with their numbers.

Of every convolution the binary file has, in the order of the text, a flag of four bytes, the kernel as 16-bit floats,
filled up to a multiple of four bytes, and the bias as 32-bit floats.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

HALF = 0x01306B47
"""Flag of kernels of 16-bit floats."""


def read_convolutions(param: Path) -> Iterator[tuple[Tensor, Tensor]]:
    """Kernel and bias of each convolution, in the order of the text file; every byte is used.

    Args:
        param: The text file; the binary one has the ending .bin.

    Raises:
        ValueError: If a kernel is of another type, or the binary file has less or more than the text names.
    """
    content, place = param.with_suffix(".bin").read_bytes(), 0
    for outputs, side, count in convolution_shapes(param.read_text(encoding="ascii")):
        if content[place : place + 4] != HALF.to_bytes(4, "little"):
            raise ValueError(f"{param.stem} has no kernel of 16-bit floats at byte {place}.")
        kernel = np.frombuffer(content, "<f2", count, place + 4)
        place += 4 + -(-2 * count // 4) * 4
        bias = np.frombuffer(content, "<f4", outputs, place)
        place += 4 * outputs
        shape = outputs, count // (outputs * side**2), side, side
        yield torch.from_numpy(kernel.astype(np.float32)).reshape(shape), torch.from_numpy(bias.copy())
    if place != len(content):
        raise ValueError(f"{param.stem} has {len(content)} bytes of numbers, its text names {place}.")


def convolution_shapes(text: str) -> Iterator[tuple[int, int, int]]:
    """Outputs, side of the kernel and numbers in it of each convolution.

    Example:
        >>> list(convolution_shapes("Convolution a 1 1 in out 0=64 1=3 4=1 5=1 6=1728"))
        [(64, 3, 1728)]
    """
    for line in text.splitlines():
        if line.startswith("Convolution "):
            values = dict(part.split("=", 1) for part in line.split() if "=" in part)
            yield int(values["0"]), int(values["1"]), int(values["6"])
