"""Settings of a restorer: all of it but its weights."""

from dataclasses import dataclass

from headsup.model.backbone import MIRROR, Backbone, load_backbone
from headsup.model.guidance import Output
from headsup.model.one_step import OneStepRestorer, ReferenceForm, Trained
from headsup.model.reference_layout import ReferenceLayout

BOUNDS = {
    "rank": (1, 1024),
    "alpha": (1, 1024),
    "timestep": (0, 999),
    "guidance": (0, 1024),
    "guidance_blocks": (1, 1024),
    "reference_size": (8, 4096),
}
"""Least and largest of the numbers, far beyond those of any restorer that is known."""


@dataclass(frozen=True)
class RestorerSettings:
    """Base model and shape of a restorer; what its weights fit to.

    Args:
        base: Diffusion model that it is built on, see `headsup.model.backbone.load_backbone`.
        rank: Rank of the adapters; 4 in the paper.
        alpha: What an adapter adds is multiplied by alpha / rank; 8 in OSEDiff.
        timestep: t of the single step; 999 in OSEDiff. The paper does not say.
        layout: Where a reference face lies on the picture that is encoded, see `headsup.model.reference_layout`.
        trained: Adapters, as in the paper, or all weights of the base. This and what follows is beyond the paper, see
            `headsup.model.one_step.OneStepRestorer`.
        guidance: Channels of the guiding branch; 0 for none.
        output: What a guided decoder gives.
        guidance_blocks: Residual blocks of the branch at an eighth of the resolution, and at a quarter each way.
        references: Whether references are joined to the input, as in the paper, or looked at.
        reference_size: Side in pixels to which larger reference faces are reduced before they are looked at.
        reference_details: Whether the guiding branch sees them too, placed on the picture.

    Raises:
        ValueError: If a number is out of its bounds.
    """

    base: str = MIRROR
    rank: int = 4
    alpha: int = 8
    timestep: int = 999
    layout: ReferenceLayout = "whole"
    trained: Trained = "adapters"
    guidance: int = 0
    output: Output = "decoded"
    guidance_blocks: int = 2
    references: ReferenceForm = "concat"
    reference_size: int = 512
    reference_details: bool = False

    def __post_init__(self) -> None:
        for name, (least, largest) in BOUNDS.items():
            if not least <= getattr(self, name) <= largest:
                raise ValueError(f"{name} must be from {least} to {largest}, got {getattr(self, name)}.")

    def build(self, bfloat16: bool = False, fetch: bool = True) -> OneStepRestorer:
        """Restorer with untrained adapters: it gives what the base model makes of the input.

        Args:
            bfloat16: Keep the frozen weights in bfloat16; those that are trained are float32 always.
            fetch: Fetch the base model if it is not on this machine.

        Raises:
            MissingBackboneError: If the base model is not there.
            ValueError: If it cannot be used.
        """
        import torch

        return self.on(load_backbone(self.base, torch.bfloat16 if bfloat16 else torch.float32, fetch))

    def on(self, backbone: Backbone) -> OneStepRestorer:
        """Restorer of this shape on a diffusion model, which belongs to it from now on."""
        return OneStepRestorer(
            backbone,
            self.rank,
            self.alpha,
            self.timestep,
            trained=self.trained,
            guidance=self.guidance,
            output=self.output,
            guidance_blocks=self.guidance_blocks,
            references=self.references,
            reference_size=self.reference_size,
            reference_details=self.reference_details,
        )
