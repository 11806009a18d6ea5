"""The one-step restorer on networks that its adapters are merged into, as `headsup merge` writes them."""

import copy

from diffusers import UNet2DConditionModel
from torch import nn

from headsup.model.backbone import Backbone
from headsup.model.conditioned_input import PreciseOutput
from headsup.model.one_step import OneStepRestorer


class MergedRestorer(OneStepRestorer):
    """Restorer without adapters: it restores, and cannot be trained.

    Args:
        merged: Autoencoder and schedule, and a denoiser of 2C + 1 channels. Their weights are shared, not changed.
        timestep: t of the single step.

    Raises:
        ValueError: If the denoiser takes another number of channels.
    """

    def __init__(self, merged: Backbone, timestep: int) -> None:
        nn.Module.__init__(self)  # that of a restorer adds what a merged one has no more
        wanted = 2 * merged.channels + 1
        found = merged.unet.config.in_channels
        if found != wanted:
            raise ValueError(
                f"The denoiser of {merged.source} takes {found} channels; wanted are {wanted}, "
                "input, reference and mask, as in a folder that `headsup merge` has written."
            )
        self.vae, self.schedule = merged.vae, merged.schedule
        self.unet = precise_at_the_end(merged.unet)
        self.factor, self.channels, self.source = merged.factor, merged.channels, merged.source
        self.timestep = timestep
        self.guidance = self.attention = self.prior = None


def precise_at_the_end(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """The denoiser with its last convolution in float32; the one given stays as it is and shares all other parts."""
    twin = copy.copy(unet)
    twin._modules = {**unet._modules, "conv_out": PreciseOutput(copy.deepcopy(unet.conv_out))}
    return twin
