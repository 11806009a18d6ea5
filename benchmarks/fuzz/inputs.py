"""Damaged input files, written at random: pictures under odd names, weights, indexes and tables."""

import os
from collections.abc import Sequence
from pathlib import Path

from numpy.random import Generator

from benchmarks.fuzz.bombs import BOMBS
from benchmarks.fuzz.damage import DAMAGES, OF_FORMAT, Damage
from benchmarks.fuzz.pictures import FORMATS, huge_png, odd_png, picture_bytes, repaired_png

STEMS = (
    b"a", b"a b", b"-a", b"\xff\xfe", "日本".encode(), b"a\nb", b"[a]", b"*", b"a" * 240, b"%s{0}", b"'\"", b"$HOME",
)  # fmt: skip
"""Names that scripts, patterns, terminals and encodings stumble over."""

SIDES = (1, 1), (1, 300), (300, 1), (2, 3), (5, 4000)
"""Widths and heights that are read, and that hardly anything can be done with."""

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
    chance = generator.random()
    if chance < 0.04:
        data, suffix = huge_png(*HUGE[generator.integers(len(HUGE))]), ".png"
    elif chance < 0.08:
        data, suffix = odd_png(*SIDES[generator.integers(len(SIDES))]), ".png"
    elif chance < 0.12:
        suffix, made = BOMBS[generator.integers(len(BOMBS))]
        data = made(side)
    if generator.random() < 0.9 or chance >= 0.12:
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
    """Write a damaged copy of a file; every second one with a damage of its format, if that has some of its own."""
    data, own = source.read_bytes(), OF_FORMAT.get(source.suffix, ())
    if own and generator.random() < 0.5:
        data = own[generator.integers(len(own))](data, generator)
    else:
        data = damaged(data, generator)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return target
