"""Options of a restoration."""

import math
from dataclasses import dataclass, fields

from headsup.command_options import BlendFilesOptions, RestoreFilesOptions
from headsup.restoring.colour_method import ColourMethod

DEFAULT_SCALE = 4.0
"""Sides of the result divided by those of the picture, where nothing is said and the picture is small enough."""

DEFAULT_PIXELS = 16_000_000
"""Pixels of the largest result that nobody has asked for: four times the sides of a telephone's photograph would be
two hundred megapixels, which take a quarter of an hour on a CPU and that nobody can look at."""

GRID = 1024
"""Side of the tiles in which larger pictures are denoised, in pixels of the result.

A denoiser's attention and group norms see all of a tile, so that other tiles give another result. So this is no option;
the options decide only how many of these tiles are computed together.
"""

REFERENCES_IGNORED = "The strength of the references is 0, so they are not used."
"""What is said where there are references that do not count."""

LARGEST_SCALE = 10_000.0
"""Bound of what can be asked for; whatever the picture, hardly any result so large could be read again."""


@dataclass(frozen=True)
class RestoreOptions:
    """Options of a restoration.

    Args:
        scale: Sides of the result divided by those of the picture; not used if `size` is given. None is 4, or less
            where the result would have more than `DEFAULT_PIXELS`, but at least 1: a large photograph keeps its size.
        size: Width and height of the result in pixels.
        fidelity: Closeness to the input, from 0, all that the restorer adds, to 1: the picture lies so much of the way
            from the restored one to the faithful one (see `headsup.model.guidance`), or to the enlarged input where a
            restorer has none. Between the latents of the two there is no such way: the adapted encoder's latent is not
            what the decoder makes the input of.
        colour: How the colours of the input are kept.
        tile: Side of what is denoised at a time, in pixels of the result: as many tiles of the side `GRID` as are in
            it, at least one. It does not change the result. Where the memory is given, that decides.
        overlap: Pixels that neighbouring tiles share.
        memory: Gigabytes that the weights and everything else may take. Tiles are smaller than `GRID`, and the result
            differs, only where not even one fits. None for tiles as they are usual, and on the CPU half of what the
            machine has beside the weights for encoder and decoder, whose pieces change nothing.
        confine_references: Keep what a reference brings to its face, see
            `headsup.restoring.references.reference_reach`; else it may change the whole picture, in the one pass that
            the paper has.
        reference_strength: How much references count, from 0, not at all, to 1: so much of the way from the latent
            without them to the one with them.
        strip_metadata: Leave out EXIF, XMP and IPTC of the input, see `faceops.images.files.Picture.without_metadata`.
        give_back: How much of what the input shows beyond noise, and the restored picture does not, is given back to
            it, from 0 to 1, see `headsup.restoring.back_projection`. None is `USUAL_SHARE` for restorers with a guiding
            branch; others are as in the paper, which has nothing of the kind.
    """

    scale: float | None = None
    size: tuple[int, int] | None = None
    fidelity: float = 0.0
    colour: ColourMethod = "wavelet"
    tile: int = 1024
    overlap: int = 256
    memory: float | None = None
    confine_references: bool = True
    reference_strength: float = 1.0
    strip_metadata: bool = False
    give_back: float | None = None

    def __post_init__(self) -> None:
        if self.scale is not None and not 0 < self.scale <= LARGEST_SCALE:
            raise ValueError(f"The scale must be above 0 and at most {LARGEST_SCALE:g}, got {self.scale:g}.")
        if not 0 <= self.fidelity <= 1:
            raise ValueError(f"The fidelity is from 0 to 1, got {self.fidelity:g}.")
        if self.give_back is not None and not 0 <= self.give_back <= 1:
            raise ValueError(f"The share of the input to be given back is from 0 to 1, got {self.give_back:g}.")
        if not 0 <= self.reference_strength <= 1:
            raise ValueError(f"The strength of references is from 0 to 1, got {self.reference_strength:g}.")
        if self.size is not None and min(self.size) < 1:
            raise ValueError(f"The size must be at least 1 x 1, got {self.size[0]} x {self.size[1]}.")
        if self.tile < 1:
            raise ValueError(f"The side of what is denoised at a time must be at least 1 pixel, got {self.tile}.")
        if not 0 <= self.overlap < GRID:
            raise ValueError(f"The overlap of tiles is from 0 to {GRID - 1} pixels, got {self.overlap}.")

    @property
    def ignores_references(self) -> bool:
        """Whether references count for nothing, so that nobody need be recognised."""
        return self.reference_strength == 0

    @property
    def tiles_together(self) -> int:
        """Tiles that are denoised at a time where the memory is not limited.

        Example:
            >>> [RestoreOptions(tile=tile).tiles_together for tile in (512, 1024, 2047, 2048, 3072)]
            [1, 1, 1, 4, 9]
        """
        return max(1, self.tile // GRID) ** 2

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the result for a picture of this size."""
        if self.size is not None:
            return self.size[1], self.size[0]
        scale = self.scale or default_scale(height, width)
        return max(1, round(height * scale)), max(1, round(width * scale))

    def remark(self, height: int, width: int) -> str | None:
        """Sentence on a size that nobody has chosen and that is not the usual one; None if there is none to say."""
        if self.size is not None or self.scale is not None or default_scale(height, width) == DEFAULT_SCALE:
            return None
        target = self.target(height, width)
        return (
            f"The picture is large, so the result has {target[1]} x {target[0]} pixels and not "
            f"{DEFAULT_SCALE:.0f} times its sides; --scale or --size give another size."
        )


DEFAULT_OPTIONS = RestoreOptions()
"""Options where nothing else is wanted."""


def default_scale(height: int, width: int) -> float:
    """Magnification of a picture where nobody has chosen one, see `RestoreOptions`.

    Example:
        >>> default_scale(300, 400), default_scale(2000, 2000), default_scale(3000, 4000), default_scale(6000, 4000)
        (4.0, 2.0, 1.1547005383792515, 1.0)
    """
    return min(DEFAULT_SCALE, max(1.0, math.sqrt(DEFAULT_PIXELS / (height * width))))


def stated_options(command: RestoreFilesOptions | BlendFilesOptions) -> RestoreOptions:
    """Options of a restoration, as a command line states them; blending has none about references.

    Raises:
        ValueError: If one is out of range, or the size of the result is stated twice.
    """
    if command.scale is not None and command.size is not None:
        raise ValueError("Choose the size of the result by --scale or by --size, but not both.")
    shared = {field.name for field in fields(RestoreOptions)} & {field.name for field in fields(command)} - {"size"}
    size = None if command.size is None else parse_size(command.size)
    return RestoreOptions(size=size, **{name: getattr(command, name) for name in shared})


def parse_size(text: str) -> tuple[int, int]:
    """Width and height from a text such as 1600x1200.

    Raises:
        ValueError: If it is another text.

    Example:
        >>> parse_size("1600x1200")
        (1600, 1200)
    """
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ValueError(f"--size is WIDTHxHEIGHT in pixels, such as 1600x1200; got {text!r}.")
    return int(width), int(height)
