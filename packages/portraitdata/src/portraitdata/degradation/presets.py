"""The numbers of degradations: Real-ESRGAN's two orders, the classical process of face restorers, plain reductions.

A preset is nothing but numbers. What is drawn from them is in `portraitdata.degradation.drawing`, what becomes of the
draws in `portraitdata.degradation.cpu_executor` and `portraitdata.degradation.batched.executor`.
"""

from dataclasses import dataclass, replace
from typing import Literal

Span = tuple[float, float]
"""Bounds of a uniform draw."""

PresetName = Literal[
    "realesrgan",
    "mild",
    "stablesr",
    "osediff-face",
    "codeformer-2",
    "codeformer-3",
    "stablesr-face",
    "daefr",
    "clean",
    "jpeg",
]
"""Presets that have a name."""


@dataclass(frozen=True)
class BlurNumbers:
    """Distribution of kernels (Real-ESRGAN, Section 3.1 and 3.3, and its configuration files)."""

    probability: float
    """That the image is blurred at all."""
    sigma: Span
    """Standard deviation along each axis, in pixels."""
    generalised_beta: Span = (0.5, 4.0)
    """Exponent of generalised Gaussians: drawn below or above 1, each with probability 1/2."""
    plateau_beta: Span = (1.0, 2.0)
    """Exponent of plateau kernels, drawn likewise: if the span begins at 1, half of them have exactly 1."""
    sinc_probability: float = 0.1
    """That the kernel is an ideal low-pass with ringing instead of one of the Gaussian family."""


@dataclass(frozen=True)
class ResizeNumbers:
    """Distribution of sizes."""

    up: float
    """Probability of enlarging."""
    down: float
    """Probability of reducing; what is left of 1 keeps the size."""
    factor: Span
    """Smallest and largest factor: enlarging draws from [1, largest], reducing from [smallest, 1]."""


@dataclass(frozen=True)
class NoiseNumbers:
    """Distribution of noise."""

    gaussian: Span
    """Standard deviation of Gaussian noise, of 255."""
    poisson: Span
    """Factor of Poisson noise; 1 is the photon noise of as many photons as the image has levels."""
    gaussian_probability: float = 0.5
    """Of Gaussian instead of Poisson noise."""
    grey_probability: float = 0.4
    """That the three channels get the same noise."""


@dataclass(frozen=True)
class OrderNumbers:
    """One order: blur, resize, noise, JPEG."""

    blur: BlurNumbers
    resize: ResizeNumbers
    noise: NoiseNumbers
    jpeg: Span
    """Quality, 1 to 100; what is drawn is rounded to a whole number, as libjpeg wants it."""


@dataclass(frozen=True)
class TwoOrderPreset:
    """The process of Real-ESRGAN (Wang et al., 2021): two orders, of which the second ends at the size of the LQ."""

    name: str
    """Name in records and documents."""
    first: OrderNumbers
    second: OrderNumbers
    """Its sizes are relative to those of the LQ."""
    final_sinc_probability: float = 0.8
    """That the last resize is followed by a sinc filter."""
    jpeg_last_probability: float = 0.5
    """That the second JPEG comes after the last resize and sinc filter instead of before."""
    sharpen_probability: float = 0.0
    """That the image is sharpened (unsharp mask) before anything else."""
    untouched_probability: float = 0.0
    """That nothing is done but reducing the image by the mean over each block of scale x scale pixels."""


@dataclass(frozen=True)
class ClassicalPreset:
    """The process of face restorers since GFPGAN: blur, reduce, noise, JPEG, and back to the size it had."""

    name: str
    """Name in records and documents."""
    sigma: Span
    """Standard deviation of the Gaussian blur along each axis, in pixels."""
    reduction: Span
    """Factor that the sides are divided by before noise and JPEG; below 1 they are enlarged."""
    noise: Span
    """Standard deviation of Gaussian noise, of 255, independent in each channel."""
    jpeg: Span
    """Quality, 1 to 100; what is drawn is rounded to a whole number."""
    kernel_size: int = 41
    """Side of the kernel in pixels, odd."""
    anisotropic_probability: float = 0.5
    """That the two axes of the blur differ."""
    grey_probability: float = 0.0
    """That the LQ loses its colour."""
    sharpen_probability: float = 0.0
    """That the image is sharpened (unsharp mask) before anything else."""


@dataclass(frozen=True)
class PlainPreset:
    """Good photographs that are only too small: reduced by an antialiased bicubic, perhaps compressed."""

    name: str
    """Name in records and documents."""
    jpeg: Span | None = None
    """Quality, 1 to 100, rounded to a whole number; None for no compression."""
    sharpen_probability: float = 0.0
    """That the image is sharpened (unsharp mask) before anything else."""


Preset = TwoOrderPreset | ClassicalPreset | PlainPreset

REALESRGAN = TwoOrderPreset(
    name="realesrgan",
    first=OrderNumbers(
        BlurNumbers(probability=1.0, sigma=(0.2, 3.0)),
        ResizeNumbers(up=0.2, down=0.7, factor=(0.15, 1.5)),
        NoiseNumbers(gaussian=(1.0, 30.0), poisson=(0.05, 3.0)),
        jpeg=(30.0, 95.0),
    ),
    second=OrderNumbers(
        BlurNumbers(probability=0.8, sigma=(0.2, 1.5)),
        ResizeNumbers(up=0.3, down=0.4, factor=(0.3, 1.2)),
        NoiseNumbers(gaussian=(1.0, 25.0), poisson=(0.05, 2.5)),
        jpeg=(30.0, 95.0),
    ),
)
"""Real-ESRGAN without sharpening, as OSEDiff and with it HeadsUp have it: everything drawn for each image."""

MILD = TwoOrderPreset(
    name="mild",
    first=OrderNumbers(
        BlurNumbers(probability=1.0, sigma=(0.2, 3.0)),
        ResizeNumbers(up=0.2, down=0.7, factor=(0.3, 1.5)),
        NoiseNumbers(gaussian=(1.0, 15.0), poisson=(0.05, 2.0)),
        jpeg=(60.0, 95.0),
    ),
    second=OrderNumbers(
        BlurNumbers(probability=0.5, sigma=(0.2, 1.5)),
        ResizeNumbers(up=0.3, down=0.4, factor=(0.6, 1.2)),
        NoiseNumbers(gaussian=(1.0, 12.0), poisson=(0.05, 1.0)),
        jpeg=(60.0, 100.0),
    ),
)
"""Preset of PiSA-SR and, where it degrades while training, SeeSR."""

STABLESR = TwoOrderPreset(
    name="stablesr",
    first=replace(
        MILD.first,
        blur=BlurNumbers(probability=1.0, sigma=(0.2, 1.5), generalised_beta=(0.5, 2.0), plateau_beta=(1.0, 1.5)),
    ),
    second=replace(
        MILD.second,
        blur=BlurNumbers(probability=0.5, sigma=(0.2, 1.0), generalised_beta=(0.5, 2.0), plateau_beta=(1.0, 1.5)),
    ),
    sharpen_probability=1.0,
    untouched_probability=0.01,
)
"""StableSR: `mild` with narrower blur, of sharpened photographs, and one in a hundred left as it is."""

OSEDIFF_FACE = ClassicalPreset(
    "osediff-face", sigma=(1.0, 15.0), reduction=(1.0, 30.0), noise=(0.0, 20.0), jpeg=(30.0, 100.0)
)
CODEFORMER_2 = ClassicalPreset(
    "codeformer-2", sigma=(1.0, 15.0), reduction=(4.0, 30.0), noise=(0.0, 20.0), jpeg=(30.0, 80.0)
)
CODEFORMER_3 = ClassicalPreset(
    "codeformer-3", sigma=(0.1, 10.0), reduction=(1.0, 12.0), noise=(0.0, 15.0), jpeg=(60.0, 100.0)
)
STABLESR_FACE = ClassicalPreset(
    "stablesr-face",
    sigma=(0.1, 15.0),
    reduction=(0.8, 32.0),
    noise=(0.0, 20.0),
    jpeg=(30.0, 100.0),
    grey_probability=0.01,
    sharpen_probability=0.1,
)
# DAEFR draws 19 or 20; a kernel of 20 has no centre and would move the picture by half a pixel.
DAEFR = ClassicalPreset(
    "daefr", sigma=(0.1, 15.0), reduction=(0.8, 30.0), noise=(0.0, 20.0), jpeg=(30.0, 100.0), kernel_size=19
)

CLEAN = PlainPreset("clean")
"""The "bicubic downsampling" of the super-resolution literature, MATLAB's."""
JPEG = PlainPreset("jpeg", jpeg=(30.0, 95.0))
"""Pictures reduced for a page or a message and saved once."""


PRESETS = {
    preset.name: preset
    for preset in (
        *(REALESRGAN, MILD, STABLESR),
        *(OSEDIFF_FACE, CODEFORMER_2, CODEFORMER_3, STABLESR_FACE, DAEFR),
        *(CLEAN, JPEG),
    )
}


def preset_of(name: PresetName) -> Preset:
    """Preset of a name.

    Example:
        >>> preset_of("realesrgan").second.jpeg, preset_of("codeformer-2").reduction
        ((30.0, 95.0), (4.0, 30.0))
    """
    return PRESETS[name]
