"""Damage of the bytes of a file, drawn at random: flips, cuts, repetitions, false lengths, altered headers."""

import json
import struct
from collections.abc import Callable

from numpy.random import Generator

LAUGHS = b"a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + b"".join(
    b"%c: &%c [%s]\n" % (name, name, b", ".join([b"*%c" % (name - 1)] * 9)) for name in range(ord("b"), ord("i"))
)
"""YAML of which the last list is 43 million numbers if each list is copied where it is named."""

CIRCLE = b"a: &a [*a]\n"
"""YAML of a list that holds itself."""

VALUES = (
    b"",
    b"-1",
    b"0",
    b"1e999",
    b".nan",
    b"[]",
    b"{a: 1}",
    b"!!python/object/apply:os.getcwd []",
    b"*a",
    b"a" * 99_999,
)
"""Values in place of those of a setting."""

Damage = Callable[[bytes, Generator], bytes]

HEADER = 64
"""Bytes at the beginning in which most formats announce sizes and lengths."""

EXTREMES = 0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF
"""Numbers that programs get wrong when a header announces them."""


def flipped(data: bytes, generator: Generator) -> bytes:
    """Change one to sixteen bytes anywhere."""
    changed = bytearray(data)
    for place in generator.integers(0, max(len(data), 1), generator.integers(1, 17)):
        if changed:
            changed[place] ^= int(generator.integers(1, 256))
    return bytes(changed)


def truncated(data: bytes, generator: Generator) -> bytes:
    """Leave the end out."""
    return data[: generator.integers(0, max(len(data), 1))]


def repeated(data: bytes, generator: Generator) -> bytes:
    """Insert a part a second time, or up to a thousand times if it is short."""
    start, end = sorted(generator.integers(0, len(data) + 1, 2).tolist())
    times = int(generator.integers(1, 1000)) if end - start < 64 else 1
    return data[:end] + data[start:end] * times + data[end:]


def left_out(data: bytes, generator: Generator) -> bytes:
    """Leave a part in the middle out."""
    start, end = sorted(generator.integers(0, len(data) + 1, 2).tolist())
    return data[:start] + data[end:]


def zeroed(data: bytes, generator: Generator) -> bytes:
    """Set a part to zero."""
    start, end = sorted(generator.integers(0, len(data) + 1, 2).tolist())
    return data[:start] + bytes(end - start) + data[end:]


def false_number(data: bytes, generator: Generator) -> bytes:
    """Write an extreme number of two or four bytes, of either order, over a part of the header."""
    order, kind = generator.choice(["<", ">"]), generator.choice(["H", "I"])
    size = struct.calcsize(kind)
    number = int(generator.choice(EXTREMES)) % 256**size
    place = int(generator.integers(0, min(HEADER, len(data)) + 1))
    return data[:place] + struct.pack(order + kind, number) + data[place + size :]


def nested(data: bytes, generator: Generator) -> bytes:
    """Insert a hundred thousand brackets, deeper than recursive parsers can follow."""
    place = int(generator.integers(0, len(data) + 1))
    return data[:place] + b"[" * 100_000 + data[place:]


def emptied(_data: bytes, _generator: Generator) -> bytes:
    """Leave nothing."""
    return b""


def as_text(_data: bytes, _generator: Generator) -> bytes:
    """Put a text in its place."""
    return b"This is no picture, no table and no network.\n" * 3


def whole(data: bytes, _generator: Generator) -> bytes:
    """Change nothing: what is right must come out right."""
    return data


DAMAGES: tuple[Damage, ...] = (
    flipped,
    truncated,
    repeated,
    left_out,
    zeroed,
    false_number,
    nested,
    emptied,
    as_text,
    whole,
)


FALSE_FIELDS = "", "[]", "{}", "null", "1e999", "nan", "[" * 100_000
"""Texts in place of the JSON of a field of a header."""


def altered_tensors(data: bytes, generator: Generator) -> bytes:
    """Alter one entry of the header of a .safetensors file: its type, shape, place or name; or the length before it."""
    (length,) = struct.unpack("<Q", data[:8])
    if generator.random() < 0.2:
        return struct.pack("<Q", int(generator.choice((0, 1, length - 1, length + 1, 2**31, 2**63)))) + data[8:]
    header = json.loads(data[8 : 8 + length])
    name = str(generator.choice(sorted(set(header) - {"__metadata__"})))
    entry = header[name]
    kind = generator.integers(7)
    if kind == 0:
        entry["dtype"] = str(generator.choice(["F64", "F16", "I64", "BOOL", "U8", "none"]))
    elif kind == 1:
        entry["shape"] = [*entry["shape"], int(generator.choice((0, 1, 2, -1, 2**40)))]
    elif kind == 2:
        entry["shape"] = entry["shape"][::-1]
    elif kind == 3:
        entry["data_offsets"] = [int(number) for number in generator.integers(-9, len(data) * 2, 2)]
    elif kind == 4:
        header[f"{name}.more"] = header.pop(name)
    elif kind == 5:
        del header["__metadata__"]
    else:
        known = header["__metadata__"]
        known[str(generator.choice(sorted(known)))] = str(
            generator.choice(["", "[]", "{}", "null", "1e999", "nan", "[" * 100_000])
        )
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def not_finite(data: bytes, generator: Generator) -> bytes:
    """Set sixteen bytes of the tensors of a .safetensors file to ones, which as float32 and float16 are no number."""
    (length,) = struct.unpack("<Q", data[:8])
    place = 8 + length + int(generator.integers(0, len(data) - 24 - length)) // 8 * 8
    return data[:place] + b"\xff" * 16 + data[place + 16 :]


def laughing(data: bytes, _generator: Generator) -> bytes:
    """Add lists of lists that grow where names are copied."""
    return data + LAUGHS


def circling(data: bytes, _generator: Generator) -> bytes:
    """Add a list that holds itself."""
    return data + CIRCLE


def other_value(data: bytes, generator: Generator) -> bytes:
    """Give one setting another value."""
    lines = data.splitlines()
    name, _, _ = lines[generator.integers(len(lines))].partition(b":")
    return data + name + b": " + VALUES[generator.integers(len(VALUES))] + b"\n"


OF_FORMAT: dict[str, tuple[Damage, ...]] = {
    ".safetensors": (altered_tensors, altered_tensors, altered_tensors, not_finite),
    ".yaml": (laughing, circling, other_value, other_value, other_value),
}
"""Damages of files of a format, drawn as often as all of `DAMAGES`."""
