"""How a picture is restored."""

from dataclasses import dataclass

from headsup.colour import ColourMethod


@dataclass(frozen=True)
class RestoreOptions:
    """How a picture is restored.

    Args:
        scale: Sides of the result divided by those of the picture; not used if `size` is given.
        size: Width and height of the result in pixels.
        fidelity: Closeness to the input, from 0, all that the restorer adds, to 1, nothing of it: the picture lies
            so much of the way from the restored one to the enlarged input. Between the latents of the two there is no
            such way: the adapted encoder's latent is not what the decoder makes the input of.
        colour: How the colours of the input are kept.
        tile: Side of the tiles in which larger pictures are denoised, in pixels of the result.
        overlap: Pixels that neighbouring tiles share.
        memory: Gigabytes that the weights and everything else may take; None for as much as it takes.
    """

    scale: float = 4.0
    size: tuple[int, int] | None = None
    fidelity: float = 0.0
    colour: ColourMethod = "wavelet"
    tile: int = 1024
    overlap: int = 256
    memory: float | None = None

    def __post_init__(self) -> None:
        if self.scale <= 0 or not 0 <= self.fidelity <= 1 or (self.size is not None and min(self.size) < 1):
            raise ValueError(
                "The scale must be above 0, the fidelity from 0 to 1 and the size at least 1 x 1; got "
                f"{self.scale}, {self.fidelity} and {self.size}."
            )
        if not 0 <= self.overlap < self.tile:
            raise ValueError(f"Tiles must be larger than their overlap, got {self.tile} and {self.overlap} pixels.")

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the result for a picture of this size."""
        if self.size is not None:
            return self.size[1], self.size[0]
        return max(1, round(height * self.scale)), max(1, round(width * self.scale))


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
