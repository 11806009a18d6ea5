"""Model cards: what a weights file says about itself."""

from dataclasses import dataclass

from faceops.weights.model_card import WeightsCard


@dataclass(frozen=True, kw_only=True)
class ModelCard(WeightsCard):
    """What every card says, and the training's own sizes.

    Args:
        size: Side of the training images in pixels; None if it is not known.
        scale: Sides of the training images divided by those of their inputs; None if it is not known.
    """

    size: int | None = None
    scale: int | None = None
