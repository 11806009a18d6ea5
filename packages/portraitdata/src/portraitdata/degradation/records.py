"""Everything random about one degraded image, drawn beforehand: small, readable, and enough to do the same again."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from faceops.json_text import parse_json

KernelKind = Literal[
    "iso", "aniso", "generalised_iso", "generalised_aniso", "plateau_iso", "plateau_aniso", "sinc", "none"
]
ResizeMode = Literal["area", "bilinear", "bicubic"]
NoiseKind = Literal["gaussian", "poisson"]


@dataclass(frozen=True)
class KernelRecord:
    """A blur kernel; see `portraitdata.degradation.kernels.kernel_of`."""

    kind: KernelKind
    """Family; "none" leaves the image as it is."""
    size: int = 1
    """Side in pixels, odd."""
    sigma_x: float = 0.0
    """Standard deviation along the first axis, in pixels; of isotropic kernels along both."""
    sigma_y: float = 0.0
    """Standard deviation along the second axis, in pixels."""
    rotation: float = 0.0
    """Angle of the first axis in radians."""
    beta: float = 0.0
    """Exponent of generalised Gaussians and plateaus."""
    cutoff: float = 0.0
    """Angular frequency up to which a sinc kernel lets pass, in radians per pixel."""


@dataclass(frozen=True)
class ResizeRecord:
    """A size to go to, and how."""

    height: int
    width: int
    mode: ResizeMode


@dataclass(frozen=True)
class NoiseRecord:
    """Noise; its field follows from the seed."""

    kind: NoiseKind
    strength: float
    """Gaussian: standard deviation, of 255. Poisson: factor of the photon noise."""
    grey: bool
    """True if the three channels get the same noise."""
    seed: int
    """Seed of the field."""


@dataclass(frozen=True)
class OrderRecord:
    """One order of the two-order process."""

    blur: KernelRecord
    resize: ResizeRecord
    noise: NoiseRecord
    quality: int
    """Of JPEG."""


@dataclass(frozen=True)
class ImageRecord:
    """One image's way through any process."""

    preset: str
    """Name of the preset it was drawn from; what is done does not depend on it."""
    height: int
    """Of the image, in pixels."""
    width: int

    def to_json(self) -> str:
        """One line that `record_from_json` makes the same record of."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class ReducingRecord(ImageRecord):
    """One image's way to a smaller one."""

    scale: int
    """Sides of the image divided by sides of the LQ."""

    @property
    def output_size(self) -> tuple[int, int]:
        """Height and width of the LQ."""
        return self.height // self.scale, self.width // self.scale


@dataclass(frozen=True)
class TwoOrderRecord(ReducingRecord):
    """One image's way through the process of Real-ESRGAN."""

    sharpen: bool
    """True if the image is sharpened first."""
    untouched: bool
    """True if the image is only reduced by the mean of each block; the rest of the record then has no effect."""
    first: OrderRecord
    second: OrderRecord
    """Its JPEG comes before the final resize and sinc filter, or after them."""
    final_mode: ResizeMode
    """Interpolation that brings the image to the size of the LQ."""
    final_sinc: KernelRecord
    jpeg_last: bool
    """True if the second JPEG comes last."""
    process: Literal["two-order"] = "two-order"


@dataclass(frozen=True)
class ClassicalRecord(ImageRecord):
    """One image's way through the process of face restorers."""

    sharpen: bool
    """True if the image is sharpened first."""
    blur: KernelRecord
    reduced: ResizeRecord
    """Size at which the image is noisy and compressed."""
    noise: NoiseRecord
    quality: int
    """Of JPEG."""
    grey: bool
    """True if the LQ loses its colour."""
    process: Literal["classical"] = "classical"

    @property
    def output_size(self) -> tuple[int, int]:
        """Height and width of the LQ: those of the image."""
        return self.height, self.width


@dataclass(frozen=True)
class PlainRecord(ReducingRecord):
    """One image that is reduced and perhaps compressed."""

    sharpen: bool
    """True if the image is sharpened first."""
    quality: int
    """Of JPEG; 0 for no compression."""
    process: Literal["plain"] = "plain"


DegradationRecord = TwoOrderRecord | ClassicalRecord | PlainRecord

PARTS = {
    "first": OrderRecord,
    "second": OrderRecord,
    "blur": KernelRecord,
    "final_sinc": KernelRecord,
    "resize": ResizeRecord,
    "reduced": ResizeRecord,
    "noise": NoiseRecord,
}
"""Types of the fields that are records themselves."""


def record_from_json(text: str) -> DegradationRecord:
    """The record that `to_json` has written.

    Raises:
        ValueError: If the text is no such record.

    Example:
        >>> from portraitdata.degradation.drawing import draw_record
        >>> from portraitdata.degradation.presets import preset_of
        >>> record = draw_record(preset_of("mild"), 64, 64, 4, (0, 0, 7))
        >>> record_from_json(record.to_json()) == record
        True
    """
    try:
        content = parse_json(text)
    except ValueError as error:
        raise ValueError(f"A degradation record is a line of JSON, got {text[:60]!r}.") from error
    return record_from_dict(content)


def record_from_dict(content: object) -> DegradationRecord:
    """The record whose JSON was read as `content`; ValueError if it is no such record."""
    process = content.get("process") if isinstance(content, dict) else None
    if process == "two-order":
        return _read(TwoOrderRecord, content)
    if process == "classical":
        return _read(ClassicalRecord, content)
    if process == "plain":
        return _read(PlainRecord, content)
    raise ValueError(f"A degradation record has the process two-order, classical or plain, got {process!r}.")


def _read(kind: type, content: object) -> Any:  # noqa: ANN401 (an instance of `kind`)
    names = {field.name for field in fields(kind)}
    if not isinstance(content, dict) or set(content) != names:
        found = ", ".join(sorted(content)) if isinstance(content, dict) else repr(content)
        raise ValueError(f"A {kind.__name__} has the fields {', '.join(sorted(names))}, got {found}.")
    values = {name: _read(PARTS[name], part) if name in PARTS else part for name, part in content.items()}
    for field in fields(kind):
        if field.type in (int, float, bool, str) and type(values[field.name]) is not field.type:
            wanted = getattr(field.type, "__name__", field.type)
            raise ValueError(f"{field.name} of a {kind.__name__} is of type {wanted}, got {values[field.name]!r}.")
        choices = get_args(field.type)
        if choices and values[field.name] not in choices:
            known = ", ".join(choices)
            raise ValueError(f"{field.name} of a {kind.__name__} is one of {known}, got {values[field.name]!r}.")
    if values.get("scale", 1) < 1:
        raise ValueError(f"scale of a {kind.__name__} is 1 or more, got {values['scale']}.")
    return kind(**values)
