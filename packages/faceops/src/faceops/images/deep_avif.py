"""AVIF of more than eight bits, which Pillow does not write: by imagecodecs, and its metadata by the boxes here.

The boxes are those of ISO/IEC 14496-12 (8.11) and 23008-12: a file is taken apart into items and their properties, and
put together with a profile for the primary item and with items for EXIF and XMP that describe it.
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceops.images.iso_boxes import boxes

BITS = 12
"""Bits of a sample: the most that AVIF has."""

SRGB_CODES, NO_CODES = (1, 13), (2, 2)
"""Primaries and transfer (ITU-T H.273) of sRGB, and where a profile says the colours."""

BT601_MATRIX, SPEED = 6, 6


@dataclass(frozen=True)
class Item:
    """What is stored beside the pictures and describes them."""

    kind: bytes
    """Four letters, and for XMP the media type behind the name."""
    content: bytes


def encode_deep_avif(
    samples: NDArray[np.uint16], quality: int, icc_profile: bytes | None, exif: bytes | None, xmp: bytes | None
) -> bytes:
    """Encode samples of 16 bits with `BITS` bits, colours not subsampled.

    Args:
        samples: (h, w, c) with c = 1 grey, 3 RGB, 4 RGBA.
        quality: 1 to 100.
        icc_profile: Colour profile, as is what follows None for none.
        exif: EXIF block.
        xmp: XMP packet.
    """
    import imagecodecs

    reduced = np.rint(samples * ((2**BITS - 1) / 65535)).astype(np.uint16)
    primaries, transfer = SRGB_CODES if icc_profile is None else NO_CODES
    data = bytes(
        imagecodecs.avif_encode(
            reduced[..., 0] if samples.shape[2] == 1 else np.ascontiguousarray(reduced),
            level=quality,
            speed=SPEED,
            bitspersample=BITS,
            pixelformat="yuv400" if samples.shape[2] == 1 else "yuv444",
            primaries=primaries,
            transfer=transfer,
            matrix=BT601_MATRIX,
        )
    )
    items = []
    if exif is not None:
        items.append(Item(b"Exif\0", bytes(4) + exif.removeprefix(b"Exif\0\0")))
    if xmp is not None:
        items.append(Item(b"mime\0application/rdf+xml\0", xmp))
    return with_metadata(data, icc_profile, items)


def with_metadata(data: bytes, icc_profile: bytes | None, items: list[Item]) -> bytes:
    """An AVIF file of libavif with a profile and further items.

    Args:
        data: The file, whose ``iloc`` and ``ipma`` are of version 0, as libavif writes them.
        icc_profile: Profile of the primary item; None for none.
        items: What describes that.
    """
    outer = dict(boxes(data))
    meta = dict(boxes(outer[b"meta"][4:]))
    (primary,) = struct.unpack_from(">H", meta[b"pitm"], 4)
    stored = _stored_items(meta[b"iloc"], data)
    first = max(stored) + 1
    described = dict(enumerate(items, first))
    meta[b"iinf"] = _item_information(meta[b"iinf"], described)
    if items:
        references = (_box(b"cdsc", struct.pack(">HHH", number, 1, primary)) for number in described)
        meta[b"iref"] = meta.get(b"iref", bytes(4)) + b"".join(references)
    if icc_profile is not None:
        meta[b"iprp"] = _with_profile(meta[b"iprp"], primary, icc_profile)
    contents = stored | {number: item.content for number, item in described.items()}
    start = _box(b"ftyp", outer[b"ftyp"])
    # where the contents begin depends on the length of the boxes before, which does not depend on the places in it
    length = len(start) + len(_meta(meta, contents, 0)) + 8
    return start + _meta(meta, contents, length) + _box(b"mdat", b"".join(contents.values()))


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def _stored_items(iloc: bytes, data: bytes) -> dict[int, bytes]:
    """Contents of the items of a file by their numbers."""
    (count,) = struct.unpack_from(">H", iloc, 6)
    found, at = {}, 8
    for _ in range(count):
        number, _, extents = struct.unpack_from(">HHH", iloc, at)
        pieces = [struct.unpack_from(">II", iloc, at + 6 + 8 * extent) for extent in range(extents)]
        found[number] = b"".join(data[start : start + size] for start, size in pieces)
        at += 6 + 8 * extents
    return found


def _item_information(iinf: bytes, described: dict[int, Item]) -> bytes:
    """The box of the items' kinds with further ones."""
    (count,) = struct.unpack_from(">H", iinf, 4)
    entries = (
        _box(b"infe", b"\2\0\0\0" + struct.pack(">HH", number, 0) + item.kind) for number, item in described.items()
    )
    return iinf[:4] + struct.pack(">H", count + len(described)) + iinf[6:] + b"".join(entries)


def _with_profile(iprp: bytes, primary: int, icc_profile: bytes) -> bytes:
    """The box of properties with a profile for the primary item, before what turns it, of which there is nothing."""
    shared = dict(boxes(iprp))
    properties = shared[b"ipco"] + _box(b"colr", b"prof" + icc_profile)
    number = sum(1 for _ in boxes(properties))
    return _box(b"ipco", properties) + _box(b"ipma", _associated(shared[b"ipma"], primary, number))


def _associated(ipma: bytes, primary: int, number: int) -> bytes:
    """The box that says which item has which properties, with one more for the primary item."""
    (count,) = struct.unpack_from(">I", ipma, 4)
    entries, at = b"", 8
    for _ in range(count):
        item, length = struct.unpack_from(">HB", ipma, at)
        numbers = ipma[at + 3 : at + 3 + length] + (bytes([number]) if item == primary else b"")
        entries += struct.pack(">HB", item, len(numbers)) + numbers
        at += 3 + length
    return ipma[:8] + entries


def _meta(meta: dict[bytes, bytes], contents: dict[int, bytes], start: int) -> bytes:
    """The box ``meta`` of items whose contents lie one behind the other from `start`."""
    places = b""
    for number, content in contents.items():
        places += struct.pack(">HHHII", number, 0, 1, start, len(content))
        start += len(content)
    iloc = b"\0\0\0\0\x44\0" + struct.pack(">H", len(contents)) + places
    return _box(b"meta", bytes(4) + b"".join(_box(kind, content) for kind, content in (meta | {b"iloc": iloc}).items()))
