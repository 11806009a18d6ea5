"""How a training is spread over devices: each has whole networks."""

from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy

SHARDING = DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy
"""Strategies that give each device a part of the weights."""


def refuse_sharding(trainer: Trainer) -> None:
    """Refuse a strategy that cuts the weights into parts.

    The networks are stepped in turn by hand: what is toggled, averaged, exported and kept in checkpoints are named
    parameters of a module that is whole on every device.

    Raises:
        ValueError: If the strategy is one.
    """
    if isinstance(trainer.strategy, SHARDING):
        raise ValueError(
            f"{type(trainer.strategy).__name__} gives each device a part of the weights, and these trainings need "
            "whole networks on each; use --trainer.strategy ddp_find_unused_parameters_true, for one network ddp."
        )
