"""Damaged input files, written at random: pictures under odd names, weights, indexes and tables."""

import os
from collections.abc import Sequence
from pathlib import Path

from numpy.random import Generator

from benchmarks.fuzz.damage import DAMAGES, TENSOR_DAMAGES, Damage
from benchmarks.fuzz.pictures import FORMATS, huge_png, picture_bytes, repaired_png

STEMS = (
    b"a", b"a b", b"-a", b"\xff\xfe", "日本".encode(), b"a\nb", b"[a]", b"*", b"a" * 240, b"%s{0}", b"'\"", b"$HOME",
)  # fmt: skip
"""Names that scripts, patterns, terminals and encodings stumble over."""

HUGE = (65_535, 65_535), (30_000, 30_000), (2**31 - 1, 2**31 - 1), (0, 5), (1, 2**31 - 1), (12_000, 12_000)
"""Sizes that a header announces."""


def damaged(data: bytes, generator: Generator, damages: Sequence[Damage] = DAMAGES) -> bytes:
    """One to three damages of bytes."""
    for _ in range(generator.integers(1, 4)):
        data = damages[int(generator.integers(len(damages)))](data, generator)
    return data


def write_picture(folder: Path, generator: Generator, side: int, damages: Sequence[Damage] = DAMAGES) -> Path:
    """Write a damaged picture under an odd name, one in ten with the suffix of another format."""
    folder.mkdir(parents=True, exist_ok=True)
    kind = int(generator.integers(len(FORMATS)))
    data, suffix = picture_bytes(kind, side), FORMATS[kind][0]
    if generator.random() < 0.04:
        data = huge_png(*HUGE[generator.integers(len(HUGE))])
    data = damaged(data, generator, damages)
    if suffix == ".png" and generator.random() < 0.5:
        data = repaired_png(data)
    if generator.random() < 0.1:
        suffix = FORMATS[generator.integers(len(FORMATS))][0]
    stem = STEMS[generator.integers(len(STEMS))] if generator.random() < 0.3 else b"a"
    path = folder / f"{os.fsdecode(stem)}{suffix}"
    path.write_bytes(data)
    return path


def write_good_picture(folder: Path, side: int, name: str = "good.png") -> Path:
    """Write a whole picture."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(picture_bytes(0, side))
    return path


def write_damaged(source: Path, target: Path, generator: Generator) -> Path:
    """Write a damaged copy of a file; of a .safetensors file, every second one with altered tensors."""
    data = source.read_bytes()
    tensors = source.suffix == ".safetensors" and generator.random() < 0.5
    if tensors:
        data = TENSOR_DAMAGES[generator.integers(len(TENSOR_DAMAGES))](data, generator)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data if tensors else damaged(data, generator))
    return target
