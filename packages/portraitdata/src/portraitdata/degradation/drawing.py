"""Draws of a degradation: all of them at once, into a record, before any pixel is touched.

The draws depend on preset, size, scale and seed alone. Both executors do what the record says, so a batch on a GPU and
a worker process on the CPU see the same degradation, and a record in a file does it again.
"""

import math
from typing import TypeVar

import numpy as np

from portraitdata.degradation.presets import (
    BlurNumbers,
    ClassicalPreset,
    NoiseNumbers,
    OrderNumbers,
    PlainPreset,
    Preset,
    ResizeNumbers,
    Span,
    TwoOrderPreset,
)
from portraitdata.degradation.records import (
    ClassicalRecord,
    DegradationRecord,
    KernelKind,
    KernelRecord,
    NoiseRecord,
    OrderRecord,
    PlainRecord,
    ResizeMode,
    ResizeRecord,
    TwoOrderRecord,
)

Choice = TypeVar("Choice")

KERNEL_SIZES = (7, 9, 11, 13, 15, 17, 19, 21)
"""Sides of kernels in pixels, equally probable."""

KERNEL_KINDS: tuple[KernelKind, ...] = (
    "iso",
    "aniso",
    "generalised_iso",
    "generalised_aniso",
    "plateau_iso",
    "plateau_aniso",
)
KERNEL_PROBABILITIES = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)
RESIZE_MODES: tuple[ResizeMode, ...] = ("area", "bilinear", "bicubic")

WIDE_KERNEL = 13
"""Sinc kernels of the two orders may be blurrier from this side on."""


def draw_record(preset: Preset, height: int, width: int, scale: int, seed: tuple[int, ...]) -> DegradationRecord:
    """Draw everything random about one degraded image.

    Args:
        preset: Numbers to draw from.
        height: Of the image, in pixels.
        width: Of the image, in pixels.
        scale: Sides of the image divided by sides of the LQ. Classical presets give the size back: 1.
        seed: Numbers that the draws follow from, such as (seed, epoch, index); zero or more each.

    Raises:
        ValueError: If the sides are no multiples of the scale, a number is out of range, or the preset is classical
            and the scale not 1.

    Example:
        >>> from portraitdata.degradation.presets import preset_of
        >>> record = draw_record(preset_of("realesrgan"), 512, 384, 4, (0, 3, 17))
        >>> record.output_size, record.first.blur.kind, record.first.noise.kind
        ((128, 96), 'aniso', 'poisson')
    """
    if min(seed, default=-1) < 0:
        raise ValueError(f"A seed is one or more whole numbers from zero on, got {seed}.")
    if scale < 1 or height < scale or width < scale or height % scale or width % scale:
        raise ValueError(
            f"An image of {width} x {height} pixels cannot be reduced by {scale}: crop it to multiples of it first."
        )
    random = np.random.default_rng(seed)
    if isinstance(preset, TwoOrderPreset):
        return _draw_two_order(preset, height, width, scale, random)
    if isinstance(preset, PlainPreset):
        return _draw_plain(preset, height, width, scale, random)
    if scale != 1:
        raise ValueError(
            f"The preset {preset.name} gives back the size that the image had: its scale is 1, not {scale}."
        )
    return _draw_classical(preset, height, width, random)


def _draw_two_order(
    preset: TwoOrderPreset, height: int, width: int, scale: int, random: np.random.Generator
) -> TwoOrderRecord:
    return TwoOrderRecord(
        preset=preset.name,
        height=height,
        width=width,
        scale=scale,
        sharpen=_chance(preset.sharpen_probability, random),
        untouched=_chance(preset.untouched_probability, random),
        first=_draw_order(preset.first, height, width, random),
        second=_draw_order(preset.second, height // scale, width // scale, random),
        final_mode=_one_of(RESIZE_MODES, random),
        final_sinc=_draw_final_sinc(preset.final_sinc_probability, random),
        jpeg_last=_chance(preset.jpeg_last_probability, random),
    )


def _draw_order(numbers: OrderNumbers, height: int, width: int, random: np.random.Generator) -> OrderRecord:
    """Draw one order; its resize is relative to `height` and `width`."""
    return OrderRecord(
        blur=_draw_kernel(numbers.blur, random),
        resize=_draw_resize(numbers.resize, height, width, random),
        noise=_draw_noise(numbers.noise, random),
        quality=_draw_quality(numbers.jpeg, random),
    )


def _draw_kernel(numbers: BlurNumbers, random: np.random.Generator) -> KernelRecord:
    blurred = _chance(numbers.probability, random)
    size = _one_of(KERNEL_SIZES, random)
    if _chance(numbers.sinc_probability, random):
        cutoff = _uniform((math.pi / 3 if size < WIDE_KERNEL else math.pi / 5, math.pi), random)
        kernel = KernelRecord("sinc", size, cutoff=cutoff)
    else:
        kernel = _draw_gaussian_family(numbers, size, random)
    return kernel if blurred else KernelRecord("none")


def _draw_gaussian_family(numbers: BlurNumbers, size: int, random: np.random.Generator) -> KernelRecord:
    kind = KERNEL_KINDS[int(random.choice(len(KERNEL_KINDS), p=KERNEL_PROBABILITIES))]
    sigma_x = sigma_y = _uniform(numbers.sigma, random)
    rotation = 0.0
    if kind.endswith("aniso"):
        sigma_y = _uniform(numbers.sigma, random)
        rotation = _uniform((-math.pi, math.pi), random)
    beta = 0.0
    if kind.startswith("generalised"):
        beta = _draw_beta(numbers.generalised_beta, random)
    elif kind.startswith("plateau"):
        beta = _draw_beta(numbers.plateau_beta, random)
    return KernelRecord(kind, size, sigma_x, sigma_y, rotation, beta)


def _draw_beta(span: Span, random: np.random.Generator) -> float:
    below = _chance(0.5, random)
    return _uniform((span[0], 1.0) if below else (1.0, span[1]), random)


def _draw_final_sinc(probability: float, random: np.random.Generator) -> KernelRecord:
    filtered = _chance(probability, random)
    kernel = KernelRecord("sinc", _one_of(KERNEL_SIZES, random), cutoff=_uniform((math.pi / 3, math.pi), random))
    return kernel if filtered else KernelRecord("none")


def _draw_resize(numbers: ResizeNumbers, height: int, width: int, random: np.random.Generator) -> ResizeRecord:
    """Draw a size; what is left of the factor is gone.

    Real-ESRGAN samples by the factor, which leaves out up to one new pixel at the right and at the bottom that the last
    resize then stretches away: the LQ is displaced against the image. By sizes it stays in place.
    """
    way = random.random()
    if way < numbers.up:
        factor = _uniform((1.0, numbers.factor[1]), random)
    elif way < numbers.up + numbers.down:
        factor = _uniform((numbers.factor[0], 1.0), random)
    else:
        factor = 1.0
    mode = _one_of(RESIZE_MODES, random)
    return ResizeRecord(max(1, int(height * factor)), max(1, int(width * factor)), mode)


def _draw_noise(numbers: NoiseNumbers, random: np.random.Generator) -> NoiseRecord:
    gaussian = _chance(numbers.gaussian_probability, random)
    return NoiseRecord(
        kind="gaussian" if gaussian else "poisson",
        strength=_uniform(numbers.gaussian if gaussian else numbers.poisson, random),
        grey=_chance(numbers.grey_probability, random),
        seed=_draw_seed(random),
    )


def _draw_classical(preset: ClassicalPreset, height: int, width: int, random: np.random.Generator) -> ClassicalRecord:
    sharpen = _chance(preset.sharpen_probability, random)
    sigma_x = sigma_y = _uniform(preset.sigma, random)
    if _chance(preset.anisotropic_probability, random):
        sigma_y, rotation = _uniform(preset.sigma, random), _uniform((-math.pi, math.pi), random)
        blur = KernelRecord("aniso", preset.kernel_size, sigma_x, sigma_y, rotation)
    else:
        blur = KernelRecord("iso", preset.kernel_size, sigma_x, sigma_y)
    reduction = _uniform(preset.reduction, random)
    return ClassicalRecord(
        preset=preset.name,
        height=height,
        width=width,
        sharpen=sharpen,
        blur=blur,
        reduced=ResizeRecord(max(1, int(height / reduction)), max(1, int(width / reduction)), "bilinear"),
        noise=NoiseRecord("gaussian", _uniform(preset.noise, random), grey=False, seed=_draw_seed(random)),
        quality=_draw_quality(preset.jpeg, random),
        grey=_chance(preset.grey_probability, random),
    )


def _draw_plain(preset: PlainPreset, height: int, width: int, scale: int, random: np.random.Generator) -> PlainRecord:
    sharpen = _chance(preset.sharpen_probability, random)
    quality = 0 if preset.jpeg is None else _draw_quality(preset.jpeg, random)
    return PlainRecord(preset.name, height, width, scale, sharpen, quality)


def _draw_quality(span: Span, random: np.random.Generator) -> int:
    return round(_uniform(span, random))


def _draw_seed(random: np.random.Generator) -> int:
    # 53 bits survive every reader of JSON, also those that know floats only.
    return int(random.integers(2**53))


def _chance(probability: float, random: np.random.Generator) -> bool:
    return bool(random.random() < probability)


def _uniform(span: Span, random: np.random.Generator) -> float:
    return float(random.uniform(*span))


def _one_of(choices: tuple[Choice, ...], random: np.random.Generator) -> Choice:
    return choices[int(random.integers(len(choices)))]
