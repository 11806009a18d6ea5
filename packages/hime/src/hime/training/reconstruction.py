"""The reconstruction-oriented recipe, HIME_rec (HIME, Section 5.1)."""

import torch
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from hime.losses.charbonnier import charbonnier_loss
from hime.losses.correlation import check_window, correlation_loss
from hime.network import HIME
from hime.training.super_resolver import DEFAULT_RATES, PartRates, SuperResolver
from portraitdata.exemplars.datamodule import ExemplarBatch


class ReconstructionSuperResolver(SuperResolver):
    """HIME_rec: Charbonnier loss and correlation loss.

    The paper publishes neither the weights of the losses, nor the window k of the trained models, nor the optimizer.
    At weight 1 both losses have gradients of about the same norm.

    Args:
        network: The network to train.
        initial_weights: Name or path of weights to start from, as for ``hime upscale``; None starts at random.
        rec_weight: lambda_rec of the Charbonnier loss.
        cor_weight: lambda_cor of the correlation loss; 0 leaves it out.
        window: k of the correlation loss, odd.
        dilation: d of the correlation loss.
        optimizer: Makes the optimizer.
        warmup_steps: Steps over which the learning rate rises from zero.
        part_rates: Learning rates of the parts that decide where the references are sampled.
        flow_weights: File with published weights of SPyNet for the optical flow of HIME (large); null for none.
    """

    def __init__(
        self,
        network: HIME,
        initial_weights: str | None = None,
        rec_weight: float = 1.0,
        cor_weight: float = 1.0,
        window: int = 5,
        dilation: int = 1,
        optimizer: OptimizerCallable = lambda p: torch.optim.Adam(p, lr=1e-3),
        warmup_steps: int = 500,
        part_rates: PartRates = DEFAULT_RATES,
        flow_weights: str | None = None,
        compiled: bool = False,
    ) -> None:
        super().__init__()
        # The numbers go to the logger and the checkpoint; what is no number is rebuilt from the config, so that a
        # checkpoint holds nothing that needs unpickling.
        self.save_hyperparameters(ignore=["network", "optimizer", "part_rates"])
        self.prepare(network, initial_weights, warmup_steps, flow_weights, compiled)
        self.rec_weight, self.cor_weight = rec_weight, cor_weight
        check_window(window, dilation)
        self.window, self.dilation = window, dilation
        self.make_optimizer = optimizer
        self.part_rates = part_rates

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """One optimizer, its learning rate scheduled by the step."""
        optimizer = self.make_optimizer(self.parameter_groups(self.part_rates))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": self.schedule(optimizer), "interval": "step"}}

    def training_step(self, batch: ExemplarBatch, batch_idx: int) -> Tensor:
        """L_rec + L_cor."""
        result = self(batch)
        image = result.image.float()
        reconstruction = charbonnier_loss(image, batch.hr)
        loss = self.rec_weight * reconstruction
        scores = {"train/rec": reconstruction}
        if self.cor_weight > 0:
            correlation = correlation_loss(image, batch.hr, self.window, self.dilation)
            loss = loss + self.cor_weight * correlation
            scores["train/cor"] = correlation
        if result.offset is not None:
            scores["train/offset"] = result.offset.detach().abs().mean()
        self.log_dict(scores)
        self.log("train/loss", loss, prog_bar=True)
        return loss
