"""The optimizer of the runs from scratch."""

from collections.abc import Iterable

from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch.nn import Parameter
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR


def one_cycle(
    module: LightningModule, parameters: Iterable[Parameter], rate: float, warmup: float
) -> OptimizerLRScheduler:
    """AdamW whose learning rate rises to `rate` over the share `warmup` of the run and falls to nothing by its end."""
    optimizer = AdamW(parameters, lr=rate, betas=(0.9, 0.99), weight_decay=1e-4)
    steps = int(module.trainer.estimated_stepping_batches)
    schedule = OneCycleLR(optimizer, rate, steps, pct_start=warmup, cycle_momentum=False)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
