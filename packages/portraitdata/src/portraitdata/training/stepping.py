"""One network's turn in a training with several optimizers."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler


def optimizers_of(module: LightningModule) -> list[LightningOptimizer]:
    """Optimizers in the order of `configure_optimizers`; Lightning gives no list if there is one alone."""
    found: Any = module.optimizers()
    return cast("list[LightningOptimizer]", found if isinstance(found, list) else [found])


def refuse_scaled_losses(module: LightningModule) -> None:
    """Refuse a precision that scales losses: of several networks only the first would be stepped as it should.

    Raises:
        ValueError: If the trainer's does.
    """
    if getattr(module.trainer.precision_plugin, "scaler", None) is not None:
        raise ValueError(
            f"{type(module).__name__} steps several networks by hand, and --trainer.precision 16-mixed scales their "
            "losses; take bf16-mixed, or 32-true where the device has no bfloat16."
        )


def check_stepping(accumulate: int, max_grad_norm: float) -> None:
    """Refuse what trains nothing.

    Raises:
        ValueError: If no batch makes a step, or every gradient is scaled to nothing.
    """
    if accumulate < 1:
        raise ValueError(f"accumulate is the number of batches per step, at least 1, got {accumulate}.")
    if not max_grad_norm > 0:
        raise ValueError(f"max_grad_norm must be above 0, got {max_grad_norm}; inf scales no gradient down.")


def planned_steps(module: LightningModule, accumulate: int) -> int:
    """Steps of a run that accumulates so many batches by hand, of which Lightning does not know.

    The last batch of an epoch always steps.
    """
    trainer = module.trainer
    steps = trainer.estimated_stepping_batches
    if trainer.max_steps != -1 or accumulate == 1 or not trainer.max_epochs or trainer.max_epochs < 0:
        return int(steps)
    return trainer.max_epochs * math.ceil(steps / trainer.max_epochs / accumulate)


@contextmanager
def stepping(
    module: LightningModule,
    optimizer: LightningOptimizer,
    accumulate: int,
    max_grad_norm: float,
    schedule: LRScheduler | None = None,
) -> Iterator[Callable[[Tensor], None]]:
    """Run a forward and backward that give gradient to one optimizer's parameters alone, then step it.

    On batches within an accumulation the gradients are neither synchronised nor applied. Yields the function that takes
    the loss.

    Args:
        module: Module in manual optimization.
        optimizer: Whose turn it is; the first one's steps are those that the trainer counts.
        accumulate: Batches per step.
        max_grad_norm: Gradient norm above which the gradient is scaled down.
    """
    applies = (module.trainer.fit_loop.batch_idx + 1) % accumulate == 0 or module.trainer.is_last_batch
    with optimizer.toggle_model(sync_grad=applies):
        yield lambda loss: module.manual_backward(loss / accumulate)
    if not applies:
        return
    raw = optimizer.optimizer
    # Lightning's own clipping refuses fused optimizers, which are five times as fast on CPUs
    torch.nn.utils.clip_grad_norm_([p for group in raw.param_groups for p in group["params"]], max_grad_norm)
    # A LightningOptimizer's step counts into trainer.global_step; the first one's alone may, or max_steps and the
    # logger's axis would be too fast. The raw step is right for every precision but fp16.
    (optimizer if optimizer is optimizers_of(module)[0] else raw).step()
    raw.zero_grad()
    if schedule is not None:
        schedule.step()
