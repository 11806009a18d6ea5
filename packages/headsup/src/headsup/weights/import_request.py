"""``headsup import``: what is asked for; nothing here imports torch."""

from dataclasses import dataclass, field
from pathlib import Path

from faceops.weights.shipped import check_suffix
from headsup.weights.model_card import ModelCard


@dataclass(frozen=True)
class ImportRequest:
    """Convert a checkpoint of OSEDiff to a weights file.

    Args:
        checkpoint: A .pkl file as OSEDiff writes it, or osediff or osediff-face, which are fetched.
        output: Weights file (.safetensors) to write.
        base: Base model that users of the file need, in diffusers' layout; Stable Diffusion 2.1-base by default.
        card: Model card of the weights.
        half: Store float16, at half the size.
    """

    checkpoint: str
    output: Path = field(kw_only=True)
    base: str | None = field(default=None, kw_only=True)
    card: ModelCard = field(default=ModelCard(), kw_only=True)
    half: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        check_suffix(self.output)
