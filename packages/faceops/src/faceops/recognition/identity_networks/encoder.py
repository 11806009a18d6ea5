"""Conversion between this package's images and the input of recognition networks."""

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from faceops.geometry.landmarks import ARCFACE_112, Template

LUMA = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue in grey, as in MATLAB's rgb2gray."""


@dataclass(frozen=True)
class InputConvention:
    """Input of a recognition network: window of the face, order of the channels, range."""

    template: Template = ARCFACE_112
    """Window and size of the aligned face."""
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    """Of red, green and blue in [0, 1]; subtracted."""
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    """Of red, green and blue in [0, 1]; divided by."""
    channels: Literal["rgb", "bgr", "grey"] = "rgb"
    """Order in which the network takes the channels; grey is one, of `LUMA`."""

    def prepare(self, aligned: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n c s s"]:
        """Faces in [0, 1] as the network wants them.

        Raises:
            ValueError: If they have another size.

        Example:
            >>> import torch
            >>> red = torch.zeros(1, 3, 112, 112)
            >>> red[:, 0] = 1
            >>> InputConvention(channels="bgr").prepare(red)[0, :, 0, 0].tolist()
            [-1.0, -1.0, 1.0]
        """
        side = self.template.size
        if aligned.shape[1:] != (3, side, side):
            raise ValueError(
                f"Faces must be aligned to {self.template.name} in RGB at {side} x {side} pixels, "
                f"got {tuple(aligned.shape)}."
            )
        mean, std = (aligned.new_tensor(values).reshape(3, 1, 1) for values in (self.mean, self.std))
        normal = (aligned - mean) / std
        if self.channels == "grey":
            return (normal * aligned.new_tensor(LUMA).reshape(3, 1, 1)).sum(dim=1, keepdim=True)
        return normal.flip(1) if self.channels == "bgr" else normal


class FaceEncoder(nn.Module):
    """A recognition network behind the house's conventions: aligned face in [0, 1] to unit vector, differentiable.

    It stays in evaluation mode whatever `train` says: its batch statistics are part of what it knows.

    Args:
        network: Makes features (n, d) of prepared faces.
        convention: How it wants them.
        threshold: Cosine similarity from which two faces are taken for one person; None if nobody has measured it.
    """

    def __init__(
        self, network: nn.Module, convention: InputConvention, name: str, threshold: float | None = None
    ) -> None:
        super().__init__()
        self.network, self.convention, self.name, self.threshold = network, convention, name, threshold
        self.eval()

    @property
    def input_template(self) -> Template:
        """Landmarks of the faces it takes."""
        return self.convention.template

    @property
    def input_size(self) -> int:
        """Side of the faces it takes, in pixels."""
        return self.convention.template.size

    def train(self, mode: bool = True) -> "FaceEncoder":
        """Stay in evaluation mode."""
        del mode
        return super().train(False)

    def forward(self, aligned: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n d"]:
        """Embeddings of length one.

        Args:
            aligned: RGB in [0, 1], aligned to `input_template` at `input_size`.

        Raises:
            ValueError: If they have another size.
        """
        return F.normalize(self.network(self.convention.prepare(aligned)), dim=1)
