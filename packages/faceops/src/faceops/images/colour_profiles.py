"""ICC colour profiles: from an image's own colours to sRGB and back.

Profiles made of a matrix and curves (Adobe RGB, Display P3, ProPhoto, grey) are applied in float, so 16-bit photographs
keep their precision and unchanged pixels come back as they were. One of grey made of a table becomes such a curve, as
LittleCMS reads it in 16 bits; those of colours made of tables go through LittleCMS in eight bits. A broken profile, or
one that does not belong to the image's channels, is no profile. One whose way back is missing or no inverse (of cameras
and scanners, of XYB JPEGs) is left for good.
"""

import io
import struct
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from faceops.images.coded_colours import BT709, SRGB_CURVE, icc_profile

SRGB_TO_XYZ = np.array(
    [
        [0.4360413, 0.3851129, 0.1430458],
        [0.2224845, 0.7169051, 0.0606104],
        [0.0139202, 0.0970672, 0.7139126],
    ]
)
"""Linear sRGB to the profile connection space: CIE XYZ under D50 (Bradford adaptation)."""

TABLES = {b"A2B0", b"A2B1", b"A2B2"}
"""Tags of look-up tables to the connection space."""

CURVE_POINTS = 65536
"""A tone curve is tabulated at every value that a 16-bit sample can have."""

INDISTINGUISHABLE = 1 / 255
"""A profile that moves no colour by more than this is sRGB, rounded as profiles are, and pixels are left alone."""

LOST = 4 / 255
"""A way there and back that moves colours by more than this, as seen in sRGB, is no way back: the mean over a profile's
whole range of each colour's most moved channel. Coarse tables move some dark colours far more."""


def srgb_decoded(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear light of sRGB values in [0, 1] (IEC 61966-2-1)."""
    return np.where(value <= 0.04045, value / 12.92, ((np.maximum(value, 0) + 0.055) / 1.055) ** 2.4)


def srgb_encoded(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of `srgb_decoded`, clipped to [0, 1]."""
    light = light.clip(0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def lightness_decoded(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear light of L* / 100 (CIE 15).

    Example:
        >>> lightness_decoded(np.array([0.0, 0.5, 1.0])).round(4).tolist()
        [0.0, 0.1842, 1.0]
    """
    return np.where(value > 0.08, ((value + 0.16) / 1.16) ** 3, value * (2.7 / 24.389))


@dataclass(frozen=True, eq=False)
class MatrixProfile:
    """Profile of tone curves and, for colour, a matrix."""

    curves: tuple[NDArray[np.float64], ...]
    """Linear light at `CURVE_POINTS` even steps of the channel: three of them, or one for grey."""
    matrix: NDArray[np.float64]
    """Linear light of the channels to linear sRGB; the identity for grey."""

    def to_srgb(self, values: NDArray) -> NDArray[np.float32]:
        """Values (..., 3) in [0, 1] of this profile as sRGB; colours outside sRGB are clipped."""
        index = np.rint(values * (CURVE_POINTS - 1)).astype(np.int64)
        light = np.stack([curve[index[..., i]] for i, curve in enumerate(self._three())], axis=-1)
        return srgb_encoded(light @ self.matrix.T).astype(np.float32)

    def from_srgb(self, values: NDArray) -> NDArray[np.float32]:
        """Convert sRGB values (..., 3) in [0, 1] to values of this profile."""
        light = srgb_decoded(values.astype(np.float64)) @ np.linalg.inv(self.matrix).T
        grid = np.linspace(0, 1, CURVE_POINTS)
        channels = [np.interp(light[..., i], curve, grid) for i, curve in enumerate(self._three())]
        return np.stack(channels, axis=-1).astype(np.float32)

    def _three(self) -> tuple[NDArray[np.float64], ...]:
        return self.curves if len(self.curves) == 3 else self.curves * 3


@dataclass(frozen=True, eq=False)
class TableProfile:
    """Profile of look-up tables, applied by LittleCMS in eight bits, relative colorimetric."""

    profile: bytes

    def to_srgb(self, values: NDArray) -> NDArray[np.float32]:
        """Values (h, w, 3) in [0, 1] of this profile as sRGB."""
        return _little_cms(values, _open(self.profile), ImageCms.createProfile("sRGB"))

    def from_srgb(self, values: NDArray) -> NDArray[np.float32]:
        """Convert sRGB values (h, w, 3) in [0, 1] to values of this profile."""
        return _little_cms(values, ImageCms.createProfile("sRGB"), _open(self.profile))


@lru_cache(maxsize=32)
def usable_profile(profile: bytes, grey: bool) -> "MatrixProfile | TableProfile | None":
    """Read a profile that can be converted from; None where it is broken or of another kind of image."""
    wanted = b"GRAY" if grey else b"RGB "
    if profile[16:20] != wanted:
        return None
    try:
        tags = _tags(profile)
        if grey:
            light = _grey_table(profile) if TABLES & tags.keys() else _grey_curve(tags, profile[20:24])
            return MatrixProfile((light,), np.eye(3))
        if b"A2B0" not in tags:
            return _matrix_profile(tags)
        table = TableProfile(profile)
        table.to_srgb(np.zeros((1, 1, 3), np.float32))
        return table
    except (struct.error, IndexError, KeyError, ValueError, OSError, ImageCms.PyCMSError, np.linalg.LinAlgError):
        return None


@lru_cache(maxsize=32)
def is_srgb(profile: bytes, grey: bool) -> bool:
    """Tell whether a profile leaves colours as they are, as seen in eight bits; also true of an unusable one."""
    usable = usable_profile(profile, grey)
    if usable is None:
        return True
    colours = _samples_of_all(grey)
    return float(np.abs(usable.to_srgb(colours) - colours).max()) <= INDISTINGUISHABLE


@lru_cache(maxsize=32)
def has_way_back(profile: bytes, grey: bool) -> bool:
    """Tell whether sRGB goes back into a profile: its own colours must look the same after the way there and back."""
    usable = usable_profile(profile, grey)
    if usable is None:
        return False
    seen = usable.to_srgb(_samples_of_all(grey))
    try:
        again = usable.to_srgb(usable.from_srgb(seen))
    except (OSError, ValueError, ImageCms.PyCMSError):
        return False
    return float(np.abs(again - seen).max(axis=-1).mean()) <= LOST


def _samples_of_all(grey: bool) -> NDArray[np.float64]:
    """Values (h, w, 3) from all of a profile's range."""
    if grey:
        return np.repeat(np.linspace(0, 1, 256)[None, :, None], 3, axis=2)
    steps = np.linspace(0, 1, 9)
    return np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)


def cmyk_to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """CMYK to sRGB by the image's own profile; by Pillow's plain formula where the profile is broken."""
    try:
        converted = ImageCms.profileToProfile(image, _open(profile), ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (OSError, ImageCms.PyCMSError):
        return image.convert("RGB")
    return image.convert("RGB") if converted is None else converted


def _open(profile: bytes) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(io.BytesIO(profile))


def _little_cms(
    values: NDArray, source: "ImageCms.ImageCmsProfile | ImageCms.core.CmsProfile", target: object
) -> NDArray[np.float32]:
    image = Image.fromarray(np.rint(values * 255).astype(np.uint8))
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    converted = ImageCms.profileToProfile(image, source, target, intent, outputMode="RGB")  # type: ignore[arg-type]
    return (np.asarray(converted) / 255).astype(np.float32)


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = [struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(min(count, 100))]
    return {name: profile[start : start + size] for name, start, size in entries}


def _grey_curve(tags: dict[bytes, bytes], connection: bytes) -> NDArray[np.float64]:
    """Linear light of a grey profile of a tone curve, which says L* where colours are connected by Lab."""
    curve = _curve(tags[b"kTRC"])
    return lightness_decoded(curve) if connection == b"Lab " else curve


def _grey_table(profile: bytes) -> NDArray[np.float64]:
    """Linear light of a grey profile of a table, whatever tint the table gives to the greys."""
    steps = Image.fromarray(np.arange(CURVE_POINTS, dtype=np.uint16).reshape(256, -1))
    target = icc_profile(BT709, SRGB_CURVE, grey=True)
    assert target is not None
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    transform = ImageCms.buildTransform(_open(profile), _open(target), "I;16", "I;16", intent)
    converted = transform.apply(steps)
    return srgb_decoded(np.asarray(converted).ravel() / 65535)


def _matrix_profile(tags: dict[bytes, bytes]) -> MatrixProfile:
    to_xyz = np.stack([_fixed(tags[name], 8, 3) for name in (b"rXYZ", b"gXYZ", b"bXYZ")], axis=1)
    if abs(np.linalg.det(to_xyz)) < 1e-4:
        raise ValueError("The primaries of the profile lie on a line.")
    curves = tuple(_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC"))
    return MatrixProfile(curves, np.linalg.inv(SRGB_TO_XYZ) @ to_xyz)


def _fixed(tag: bytes, start: int, count: int) -> NDArray[np.float64]:
    """Numbers of the type s15Fixed16."""
    return np.array(struct.unpack_from(f">{count}i", tag, start)) / 65536


def _curve(tag: bytes) -> NDArray[np.float64]:
    """Tone curve at `CURVE_POINTS` even steps (ICC.1:2022, 10.6 and 10.18), never falling."""
    x = np.linspace(0, 1, CURVE_POINTS)
    if tag[:4] == b"para":
        y = _parametric(x, tag)
    else:
        (count,) = struct.unpack_from(">I", tag, 8)
        points = np.array(struct.unpack_from(f">{count}H", tag, 12), dtype=np.float64)
        if count == 0:
            y = x
        elif count == 1:
            y = x ** (points[0] / 256)
        else:
            y = np.interp(x, np.linspace(0, 1, count), points / 65535)
    return np.maximum.accumulate(y.clip(0, 1))


def _parametric(x: NDArray[np.float64], tag: bytes) -> NDArray[np.float64]:
    (kind,) = struct.unpack_from(">H", tag, 8)
    g, a, b, c, d, e, f = np.pad(_fixed(tag, 12, (1, 3, 4, 5, 7)[kind]), (0, 7))[:7]
    if kind == 0:
        return x**g
    power = np.maximum(a * x + b, 0) ** g
    if kind == 1:
        return np.where(x >= -b / a, power, 0)
    if kind == 2:
        return np.where(x >= -b / a, power + c, c)
    if kind == 3:
        return np.where(x >= d, power, c * x)
    return np.where(x >= d, power + e, c * x + f)
