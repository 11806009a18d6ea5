"""An image of a validation, in whatever logger shows images."""

from functools import cache
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor


@runtime_checkable
class ImageLogger(Protocol):
    """Logger with Lightning's method for images, as that of Weights & Biases."""

    def log_image(self, key: str, images: list[Any], step: int | None = None) -> None:
        """Show images under a name."""


def log_picture(trainer: Trainer, key: str, picture: Float[Tensor, "3 h w"]) -> None:
    """Show an image in every logger of a trainer; one that shows none is named once.

    Args:
        trainer: Has the loggers and the step.
        key: Name of the image.
        picture: RGB in [0, 1].
    """
    for logger in trainer.loggers:
        show(logger, key, picture, trainer.global_step)


def show(logger: Logger, key: str, picture: Float[Tensor, "3 h w"], step: int) -> None:
    """Show an image in a logger, or say that it shows none."""
    if isinstance(logger, TensorBoardLogger):
        logger.experiment.add_image(key, picture, step)
    elif isinstance(logger, ImageLogger):
        logger.log_image(key, [pixels(picture)], step)
    elif isinstance(logger, MLFlowLogger):
        logger.experiment.log_image(logger.run_id, pixels(picture), key=key, step=step)
    else:
        say_once(type(logger).__name__, key)


@cache
def say_once(logger: str, key: str) -> None:
    """Tell that a kind of logger shows no images."""
    rank_zero_info(
        f"{logger} cannot show the images of {key}; TensorBoardLogger, WandbLogger and MLFlowLogger can "
        "(trainer.logger)."
    )


def pixels(picture: Float[Tensor, "3 h w"]) -> np.ndarray:
    """Bytes of an image, height, width and RGB."""
    return picture.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).contiguous().numpy(force=True)
