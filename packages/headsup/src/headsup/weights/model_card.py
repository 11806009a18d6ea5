"""Model cards: what a weights file says about itself."""

from dataclasses import dataclass

from faceops.weights.model_card import WeightsCard


@dataclass(frozen=True, kw_only=True)
class ModelCard(WeightsCard):
    """Model card with the sizes of the training images.

    Args:
        size: Side of the training images in pixels; None if it is not known.
        scale: Sides of the training images divided by those of their inputs; None if it is not known.
    """

    size: int | None = None
    scale: int | None = None
