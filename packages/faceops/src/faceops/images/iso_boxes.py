"""Boxes of AVIF and HEIC files (ISO/IEC 14496-12 and 23008-12): what is said of the picture that is shown."""

import struct
from collections.abc import Iterator


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of the outermost boxes."""
    start = 0
    while start + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[start : start + 8])
        head = 8
        if size == 1 and start + 16 <= len(data):
            (size,), head = struct.unpack(">Q", data[start + 8 : start + 16]), 16
        end = len(data) if size == 0 else start + size
        if end < start + head:
            return
        yield kind, data[start + head : end]
        start = end


def primary_properties(data: bytes) -> list[tuple[bytes, bytes]]:
    """Kind and content of the properties of the primary picture, such as ``colr``; none if the file is damaged.

    Other pictures of the file, thumbnails and opacity, have properties of their own.
    """
    meta = dict(boxes(_content(data, b"meta")[4:]))
    shared = dict(boxes(meta.get(b"iprp", b"")))
    properties = list(boxes(shared.get(b"ipco", b"")))
    try:
        primary = _primary_item(meta[b"pitm"])
        return [properties[number - 1] for number in _associations(shared[b"ipma"])[primary] if number]
    except (KeyError, IndexError, struct.error):
        return []


def _content(data: bytes, wanted: bytes) -> bytes:
    return next((content for kind, content in boxes(data) if kind == wanted), b"")


def _primary_item(pitm: bytes) -> int:
    (item,) = struct.unpack_from(">H" if pitm[0] == 0 else ">I", pitm, 4)
    return int(item)


def _associations(ipma: bytes) -> dict[int, list[int]]:
    """Numbers of the properties of every item, from 1."""
    wide_items, wide_numbers = ipma[0] >= 1, ipma[3] & 1
    (count,) = struct.unpack_from(">I", ipma, 4)
    found, at = {}, 8
    for _ in range(count):
        (item,) = struct.unpack_from(">I" if wide_items else ">H", ipma, at)
        at += 4 if wide_items else 2
        step = 2 if wide_numbers else 1
        numbers = [ipma[at + 1 + step * i : at + 1 + step * (i + 1)] for i in range(ipma[at])]
        found[item] = [int.from_bytes(number, "big") & (0x7FFF if wide_numbers else 0x7F) for number in numbers]
        at += 1 + step * len(numbers)
    return found
