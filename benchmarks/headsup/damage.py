"""What is done to good photographs before restorers are judged on them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor, from_numpy

from benchmarks.headsup.samples import degraded
from portraitdata.degradation.jpeg import compressed
from portraitdata.degradation.presets import PresetName
from portraitdata.images.resampling import bicubic, to_8_bit


@dataclass(frozen=True)
class Damage:
    """One way: reduced by a bicubic and compressed, or degraded by a preset."""

    scale: int
    """Sides of the truth divided by those of the input."""
    preset: PresetName | None = None
    """Degradation; None for the bicubic."""
    quality: int | None = None
    """Of the JPEG after the bicubic; None for none."""

    @property
    def words(self) -> str:
        """Name of the row.

        Example:
            >>> Damage(4, quality=35).words, Damage(2, "mild").words, Damage(4).words
            ('JPEG 35 x4', 'mild x2', 'clean x4')
        """
        kind = self.preset or ("clean" if self.quality is None else f"JPEG {self.quality}")
        return f"{kind} x{self.scale}"

    def __call__(self, truth: Float[Tensor, "3 h w"], seed: int) -> Float[Tensor, "3 lh lw"]:
        """The input, in eight bits.

        Args:
            truth: RGB in [0, 1], in eight bits.
            seed: Of the preset's draws.
        """
        if self.preset is not None:
            return degraded(truth, self.preset, self.scale, seed)
        height, width = (side // self.scale for side in truth.shape[1:])
        low = to_8_bit(bicubic(truth, height, width))
        if self.quality is None:
            return low
        pixels = np.ascontiguousarray(low.permute(1, 2, 0).numpy())
        return to_8_bit(from_numpy(compressed(pixels, self.quality)).permute(2, 0, 1))
