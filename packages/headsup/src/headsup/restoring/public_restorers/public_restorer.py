"""A restorer of others under the signature of HeadsUp's, so that the two can be blended."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from faceops.images.files import Picture, greyed
from faceops.images.finite_values import check_finite_values
from faceops.images.memory_budget import DECODING_BYTES, check_memory
from faceops.images.opacity import without_hidden_colours
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import Restored
from headsup.restoring.public_restorers.input_tiles import run_in_tiles
from headsup.restoring.stages import measured
from portraitdata.images.resampling import bicubic


@dataclass(frozen=True)
class Maker:
    """What is known of a public network beside its weights."""

    architecture: str
    """Its name, for reports and errors."""
    scale: int = 1
    """Sides of what it makes divided by those of what it is given."""
    face_side: int | None = None
    """Side in pixels of the aligned faces that it knows alone; None if it takes pictures of anything."""
    note: str | None = None
    """Sentence on its licence, where that forbids some uses."""


class PublicRestorer:
    """A public network on a device, ready for pictures of any size; it knows no references.

    It is used as its authors use it: the network enlarges the input by its own scale, and the result is brought to the
    wanted size, here by MATLAB's bicubic. Its colours are kept.

    Args:
        network: Maps RGB in [0, 1], (1, 3, h, w), to the same `maker.scale` times as large.
        maker: What is known of it.
        device: Where to compute, in float32.
    """

    def __init__(self, network: nn.Module, maker: Maker, device: torch.device) -> None:
        self.restorer = network.to(device).eval().requires_grad_(False)
        self.maker, self.device = maker, device

    @property
    def base(self) -> str:
        """Architecture, in the place where reports name the base model of other restorers."""
        return self.maker.architecture

    @torch.no_grad()
    def __call__(self, picture: Picture, options: RestoreOptions) -> Restored:
        """Restore a picture.

        Args:
            picture: Picture of any size; an aligned face where the network knows nothing else.
            options: Scale or size, and fidelity: the way from what the network makes to the enlarged input. The rest is
                of HeadsUp's restorers.

        Raises:
            ValueError: If the network's result would need too much memory, a face has another size than the network
                knows, or a value of the picture is not finite.
        """
        check_finite_values("The picture", picture.pixels, picture.alpha)
        picture = without_hidden_colours(picture)
        low = picture.pixels.unsqueeze(0).to(self.device)
        height, width = options.target(*low.shape[2:])
        enlarged = bicubic(low, height, width).clamp(0, 1).cpu()
        seconds: dict[str, float] = {}
        with measured(seconds, "restore"):
            pixels = self._run(low)
            if pixels.shape[2:] != (height, width):
                pixels = bicubic(pixels, height, width)
            pixels = pixels.clamp(0, 1).lerp(enlarged, options.fidelity)[0]
        if picture.grey:
            pixels = greyed(pixels)
        alpha = None if picture.alpha is None else bicubic(picture.alpha, height, width).clamp(0, 1)
        return Restored(replace(picture, pixels=pixels, alpha=alpha), enlarged[0], seconds)

    def _run(self, low: Tensor) -> Tensor:
        """What the network makes, at its own scale, on the CPU."""
        height, width = low.shape[2:]
        side, scale = self.maker.face_side, self.maker.scale
        if side is not None:
            if (height, width) != (side, side):
                raise ValueError(
                    f"{self.maker.architecture} restores aligned faces of {side} x {side} pixels, got "
                    f"{width} x {height}: set --face-size {side}."
                )
            return self.restorer(low).cpu()
        check_memory(
            f"What {self.maker.architecture} makes of the picture", (width * scale, height * scale), DECODING_BYTES
        )
        return run_in_tiles(self.restorer, low, scale)
