"""The perception-oriented recipe, HIME_P (HIME, Section 5.1, Eq. 10)."""

from collections.abc import Iterable

import torch
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.utilities import rank_zero_info
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.optim import Adam

from hime.losses.adversarial import AdversarialForm, adversarial_discriminator_loss, adversarial_generator_loss
from hime.losses.charbonnier import charbonnier_loss
from hime.losses.correlation import check_window, correlation_loss
from hime.losses.discriminator import Discriminator
from hime.losses.perceptual import PerceptualLoss
from hime.network import HIME
from hime.training.super_resolver import DEFAULT_RATES, PartRates, SuperResolver
from portraitdata.exemplars.datamodule import ExemplarBatch
from portraitdata.training.stepping import check_stepping, optimizers_of, refuse_scaled_losses, stepping


def adversarial_adam(params: Iterable) -> Adam:
    """Adam at 2e-4 that forgets gradients sooner than usual, since the other network moves too.

    A function and not a lambda: a run's config is saved, and jsonargparse can write down no lambda with a tuple in it.
    """
    return Adam(params, lr=2e-4, betas=(0.9, 0.99))


class PerceptionSuperResolver(SuperResolver):
    """HIME_P: Charbonnier, correlation, adversarial and perceptual loss (Eq. 10), two networks stepped in turn.

    The paper publishes neither the lambdas nor the form of the adversarial loss, the discriminator, or the layers of
    the perceptual loss. The defaults are the balance of Real-ESRGAN, whose perceptual loss stands on VGG-19 too. The
    run is started from a trained HIME_rec.

    Args:
        network: The network to train.
        initial_weights: Name or path of weights to start from, as for ``hime upscale``; None starts at random.
        rec_weight: lambda_rec of the Charbonnier loss.
        cor_weight: lambda_cor of the correlation loss; 0 leaves it out (Table 6, "L_P w/o L_cor").
        adv_weight: lambda_adv of the adversarial loss.
        per_weight: lambda_per of the perceptual loss.
        backbone: ``vgg19`` or the path of a backbone of the perceptual loss; None turns the term off, and says so.
        adversarial_form: Relativistic average (each image against the other kind of its process's batch) or plain
            non-saturating loss.
        window: k of the correlation loss, odd.
        dilation: d of the correlation loss.
        discriminator_channels: Channels of the discriminator's first layer.
        optimizer: Makes the optimizer of the network.
        discriminator_optimizer: Makes the optimizer of the discriminator.
        warmup_steps: Steps over which the learning rates rise from zero.
        max_grad_norm: Gradient norm above which a network's gradient is scaled down. The Trainer's own flag is refused
            where two networks are stepped by hand.
        accumulate: Batches per step, likewise.
        part_rates: Learning rates of the parts that decide where the references are sampled.
        compiled: Let torch compile the network; the first step takes long.
    """

    def __init__(
        self,
        network: HIME,
        initial_weights: str | None = None,
        rec_weight: float = 1.0,
        cor_weight: float = 1.0,
        adv_weight: float = 0.1,
        per_weight: float = 1.0,
        backbone: str | None = "vgg19",
        adversarial_form: AdversarialForm = "relativistic",
        window: int = 5,
        dilation: int = 1,
        discriminator_channels: int = 32,
        optimizer: OptimizerCallable = adversarial_adam,
        discriminator_optimizer: OptimizerCallable = adversarial_adam,
        warmup_steps: int = 200,
        max_grad_norm: float = 1.0,
        accumulate: int = 1,
        part_rates: PartRates = DEFAULT_RATES,
        compiled: bool = False,
    ) -> None:
        super().__init__()
        check_stepping(accumulate, max_grad_norm)
        self.save_hyperparameters(ignore=["network", "optimizer", "discriminator_optimizer", "part_rates"])
        self.automatic_optimization = False
        self.prepare(network, initial_weights, warmup_steps, compiled=compiled)
        self.discriminator = Discriminator(discriminator_channels)
        self.perceptual = None if backbone is None else PerceptualLoss(backbone)
        self.rec_weight, self.cor_weight, self.adv_weight = rec_weight, cor_weight, adv_weight
        self.per_weight, self.adversarial_form = per_weight, adversarial_form
        check_window(window, dilation)
        self.window, self.dilation = window, dilation
        self.make_optimizers = optimizer, discriminator_optimizer
        self.max_grad_norm, self.accumulate, self.part_rates = max_grad_norm, accumulate, part_rates

    def on_fit_start(self) -> None:
        """Say once which terms are off.

        Raises:
            ValueError: If the losses are scaled, see `refuse_scaled_losses`.
        """
        super().on_fit_start()
        refuse_scaled_losses(self)
        if self.perceptual is None:
            rank_zero_info("The perceptual loss is off: no backbone was named (model.init_args.backbone).")

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """One optimizer and one schedule for each of the two networks."""
        make_generator, make_discriminator = self.make_optimizers
        optimizers = [
            make_generator(self.parameter_groups(self.part_rates)),
            make_discriminator(self.discriminator.parameters()),
        ]
        self.schedules = [self.schedule(optimizer, self.accumulate) for optimizer in optimizers]
        return optimizers, list(self.schedules)

    def training_step(self, batch: ExemplarBatch, batch_idx: int) -> None:
        """Step the network by Eq. 10, then the discriminator."""
        generator, discriminator = optimizers_of(self)
        generator_schedule, discriminator_schedule = self.schedules
        limits = self.accumulate, self.max_grad_norm
        with stepping(self, generator, *limits, generator_schedule) as backward:
            image = self(batch).image.float()
            terms = self.generator_terms(image, batch.hr)
            backward(torch.stack(list(terms.values())).sum())
        self.log_dict({f"train/{name}": value.detach() for name, value in terms.items()})
        if self.adv_weight == 0:
            return
        image = image.detach()
        with stepping(self, discriminator, *limits, discriminator_schedule) as backward:
            real, fake = self.discriminator(batch.hr), self.discriminator(image)
            adversary = adversarial_discriminator_loss(real, fake, self.adversarial_form)
            backward(adversary)
        self.log("train/discriminator", adversary.detach(), prog_bar=True)

    def generator_terms(self, image: Tensor, hr: Tensor) -> dict[str, Tensor]:
        """The weighted terms of Eq. 10 that are on."""
        terms = {"rec": self.rec_weight * charbonnier_loss(image, hr)}
        if self.cor_weight > 0:
            terms["cor"] = self.cor_weight * correlation_loss(image, hr, self.window, self.dilation)
        if self.adv_weight > 0:
            with torch.no_grad():
                real = self.discriminator(hr)
            terms["adv"] = self.adv_weight * adversarial_generator_loss(
                self.discriminator(image), real, self.adversarial_form
            )
        if self.per_weight > 0 and self.perceptual is not None:
            terms["per"] = self.per_weight * self.perceptual(image, hr)
        return terms
