"""Colours that a file says without an ICC profile: by codes (ITU-T H.273: AVIF, HEIC, PNG cICP) or by PNG's gAMA, cHRM.

They become a profile, so that everything else is as with an embedded one, and results are marked with it.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from faceops.images.errors import UnsupportedImageError
from faceops.images.iso_boxes import primary_properties
from faceops.images.sample_layout import png_chunks

Chromaticities = tuple[tuple[float, float], ...]
"""x, y of white, red, green and blue."""

D65, C, DCI, D50 = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351), (0.3457, 0.3585)
CONNECTION_WHITE = (0.9642, 1.0, 0.8249)
"""XYZ of D50 as the header of a profile has to say it, for libpng to the last digit."""

BT709 = (D65, (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
PRIMARIES: dict[int, Chromaticities] = {
    1: BT709,
    4: (C, (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
    5: (D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: (D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: (D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    9: (D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: (DCI, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: (D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    22: (D65, (0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}
"""Chromaticities of the codes of H.273, table 2."""

SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
"""Parameters of an ICC curve of the type 3: exponent, and a to d."""

CURVES: dict[int, tuple[float, ...]] = {
    # browsers show the curves of video cameras (1, 6, 14, 15) as sRGB
    **dict.fromkeys((1, 6, 13, 14, 15), SRGB_CURVE),
    **{4: (2.2,), 5: (2.8,), 8: (1.0,)},
}
"""Curves of the codes of H.273, table 3."""

HIGH_DYNAMIC_RANGE = {16: "PQ", 18: "HLG"}
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

SAME_PRIMARIES = 0.002
"""Chromaticities this close to those of sRGB are its own, rounded."""

SAME_EXPONENT = 0.05
"""Likewise of an exponent, as a share: 1 / 0.45455 stands for sRGB."""


def coded_profile(data: bytes, file_format: str, grey: bool, name: str) -> bytes | None:
    """ICC profile that says what the codes of a file say; None for sRGB, and where nothing is said.

    Args:
        data: The whole file.
        file_format: As Pillow calls it.
        grey: Whether the profile is of one channel.
        name: What to call the file.

    Raises:
        UnsupportedImageError: If the colours are of a high dynamic range.
    """
    if file_format == "PNG":
        chunks = dict(png_chunks(data))
        if len(chunks.get(b"cICP", b"")) == 4:
            return profile_of_codes(chunks[b"cICP"][0], chunks[b"cICP"][1], grey, name)
        return None if b"sRGB" in chunks else _png_gamma(chunks, grey)
    if file_format in ("AVIF", "HEIF"):
        said = (content for kind, content in primary_properties(data) if kind == b"colr" and content[:4] == b"nclx")
        codes = next(said, b"")
        if len(codes) >= 8:
            primaries, transfer = struct.unpack_from(">HH", codes, 4)
            return profile_of_codes(primaries, transfer, grey, name)
    return None


def outranks_profile(data: bytes, file_format: str) -> bool:
    """Tell whether codes count more than an embedded profile, as cICP of PNG does."""
    return file_format == "PNG" and any(kind == b"cICP" and len(content) == 4 for kind, content in png_chunks(data))


def profile_of_codes(primaries: int, transfer: int, grey: bool, name: str) -> bytes | None:
    """ICC profile of codes of H.273; None for sRGB and for what is not specified.

    Raises:
        UnsupportedImageError: If the colours are of a high dynamic range.

    Example:
        >>> profile_of_codes(1, 13, False, "a"), len(profile_of_codes(12, 13, False, "a")) > 128
        (None, True)
    """
    if transfer in HIGH_DYNAMIC_RANGE:
        raise UnsupportedImageError(
            f"{name} holds colours of a high dynamic range ({HIGH_DYNAMIC_RANGE[transfer]}), which are not read; "
            "export it for ordinary screens."
        )
    curve = CURVES.get(transfer, SRGB_CURVE)
    chromaticities = PRIMARIES.get(primaries, BT709)
    if curve == SRGB_CURVE and (grey or chromaticities == BT709):
        return None
    return icc_profile(chromaticities, curve, grey)


def _png_gamma(chunks: dict[bytes, bytes], grey: bool) -> bytes | None:
    if len(chunks.get(b"gAMA", b"")) != 4:
        return None
    (stored,) = struct.unpack(">I", chunks[b"gAMA"])
    chromaticities: Chromaticities = BT709
    if len(chunks.get(b"cHRM", b"")) == 32:
        numbers = [value / 100_000 for value in struct.unpack(">8I", chunks[b"cHRM"])]
        chromaticities = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    if not 10_000 <= stored <= 1_000_000 or any(y <= 0 for _, y in chromaticities):  # nonsense
        return None
    exponent = 100_000 / stored
    usual = abs(exponent / 2.2 - 1) <= SAME_EXPONENT
    near = np.abs(np.array(chromaticities) - np.array(BT709)).max() <= SAME_PRIMARIES
    if usual and (grey or near):
        return None
    return icc_profile(BT709 if near else chromaticities, (exponent,), grey)


@lru_cache(maxsize=32)
def icc_profile(chromaticities: Chromaticities, curve: Sequence[float], grey: bool) -> bytes | None:
    """Build a display profile (ICC.1:2022, version 4).

    Args:
        chromaticities: Of white, red, green and blue.
        curve: Exponent alone, or the five parameters of an sRGB-like curve.
        grey: Whether it is of one channel; the chromaticities then do not count.

    Returns:
        The profile; None if the primaries lie on a line.
    """
    tone = b"para\0\0\0\0" + struct.pack(">HH", 0 if len(curve) == 1 else 3, 0) + _fixed(*curve)
    white = b"XYZ \0\0\0\0" + _fixed(*_xyz(D50))
    tags = {b"desc": _text("coded colours"), b"cprt": _text("no copyright"), b"wtpt": white}
    if grey:
        return _assembled(tags | {b"kTRC": tone}, b"GRAY")
    adaptation = _adaptation(chromaticities[0])
    points = np.stack([_xyz(point) for point in chromaticities[1:]], axis=1)
    if abs(np.linalg.det(points)) < 1e-4:
        return None
    to_d50 = adaptation @ points * np.linalg.solve(points, _xyz(chromaticities[0]))
    tags[b"chad"] = b"sf32\0\0\0\0" + _fixed(*adaptation.ravel())
    for column, letter in enumerate((b"r", b"g", b"b")):
        tags[letter + b"XYZ"] = b"XYZ \0\0\0\0" + _fixed(*to_d50[:, column])
        tags[letter + b"TRC"] = tone
    return _assembled(tags, b"RGB ")


def _xyz(point: tuple[float, float]) -> NDArray[np.float64]:
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _adaptation(white: tuple[float, float]) -> NDArray[np.float64]:
    """From a white to that of profiles, by the cone responses of Bradford."""
    ratio = (BRADFORD @ _xyz(D50)) / (BRADFORD @ _xyz(white))
    return np.linalg.inv(BRADFORD) @ (ratio[:, None] * BRADFORD)


def _fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(float(value) * 65536) for value in values))


def _text(words: str) -> bytes:
    encoded = words.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(encoded), 28) + encoded


def _assembled(tags: dict[bytes, bytes], space: bytes) -> bytes:
    body, table, start = b"", b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(content))
        body += content + b"\0" * (-len(content) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"\0" * 4, 0x04400000, b"mntr", space, b"XYZ ")
    head = head + bytes(12) + b"acsp" + bytes(28) + _fixed(*CONNECTION_WHITE)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
