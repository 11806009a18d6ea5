"""The restorer as OSEDiff builds it, with a denoiser for each role; what the shared one is measured against."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from headsup.model.adapters import (
    GENERATOR,
    REGULARIZER,
    Adapter,
    AdapterSwitch,
    adapter_parameters,
    add_adapter,
    denoiser_targets,
)
from headsup.model.backbone import Backbone
from headsup.model.conditioned_input import PreciseOutput
from headsup.model.one_step import OneStepRestorer, predicted


class Roles(AdapterSwitch):
    """Which denoiser is asked: none of them has a second adapter to switch to."""

    def __init__(self) -> None:
        self.active: Adapter | None = GENERATOR

    def activate(self, name: Adapter | None) -> None:
        """Ask another denoiser from now on."""
        self.active = name

    @contextmanager
    def using(self, name: Adapter | None) -> Iterator[None]:
        """Ask one denoiser, and then the former one again."""
        before, self.active = self.active, name
        try:
            yield
        finally:
            self.active = before


class ThreeCopies(OneStepRestorer):
    """Restorer with three denoisers: generator, regularizer and teacher share no weights.

    Args:
        backbone: Diffusion model; its denoiser is copied twice.
        rank: Rank of the adapters.
        alpha: What an adapter adds is multiplied by alpha / rank.
        timestep: t of the single step.
        seed: Seed of the adapters.
    """

    regularizer: UNet2DConditionModel
    teacher: UNet2DConditionModel

    def __init__(self, backbone: Backbone, rank: int = 4, alpha: int = 8, timestep: int = 999, seed: int = 0) -> None:
        regularizer, teacher = copy.deepcopy(backbone.unet), copy.deepcopy(backbone.unet)
        super().__init__(backbone, rank, alpha, timestep, seed)
        self.unet.delete_adapters(REGULARIZER)
        AdapterSwitch(self.unet).activate(GENERATOR)
        for copied in (regularizer, teacher):
            copied.conv_out = PreciseOutput(copied.conv_out)
        add_adapter(regularizer, REGULARIZER, denoiser_targets(regularizer), rank, alpha, seed)
        self.regularizer, self.teacher = regularizer, teacher
        self.switch = self.roles = Roles()
        super()._train_only_what_is_trained()

    def _train_only_what_is_trained(self) -> None:
        """Wait until there is a regularizer."""

    def regularizer_parameters(self) -> dict[str, nn.Parameter]:
        """Adapter of the regularizer, by the names it has in the shared denoiser."""
        found = adapter_parameters(self.regularizer, REGULARIZER)
        return {f"unet.{name.replace('conv_in.', 'conv_in.base.')}": value for name, value in found.items()}

    def checkpoint_activations(self) -> None:
        """Keep no activations of any network."""
        super().checkpoint_activations()
        self.regularizer.enable_gradient_checkpointing()

    def predict(self, x: Tensor, t: Tensor, prompt: Tensor) -> Tensor:
        """What the denoiser predicts whose turn it is."""
        networks = {GENERATOR: self.unet, REGULARIZER: self.regularizer, None: self.teacher}
        return predicted(networks[self.roles.active], x, t, prompt)
