"""Model cards: what a weights file says about itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ModelCard:
    """Where weights come from, how good they are and who may use them.

    Args:
        training_data: The photographs that they were trained on.
        licence: Licence of the weights.
        size: Side of the training images in pixels; None if it is not known.
        scale: Sides of the training images divided by those of their inputs; None if it is not known.
        steps: Optimizer steps; None if they were not counted.
        objective: The losses, in words.
        metrics: Measurements by name.
        notes: Anything else.
    """

    training_data: str = "not stated"
    licence: str = "not stated"
    size: int | None = None
    scale: int | None = None
    steps: int | None = None
    objective: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    notes: str = ""
