"""Image panels of a validation."""

from collections.abc import Mapping

import torch.nn.functional as F
from jaxtyping import Float
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import Tensor

from faceops.images.sheet import Panel, draw_sheet
from hime.heat_maps import heat_map, relative_similarity
from hime.network import SuperResolution
from portraitdata.exemplars.datamodule import ExemplarBatch
from portraitdata.training.logged_images import log_picture

NARROWEST, GAP = 96, 8
"""Width in pixels that a label has room in, and space between images."""


class ImagePanels(Callback):
    """Draws the first sets of every validation: input, output, truth, and each reference with its similarity map.

    Similarities are drawn as `relative_similarity`; without CoFA it is the weights that are drawn.

    Args:
        sets: Sets drawn, of the first batch.
    """

    def __init__(self, sets: int = 4) -> None:
        self.sets = sets

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: STEP_OUTPUT,
        batch: ExemplarBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Draw the panel of the first batch."""
        if batch_idx or dataloader_idx or not trainer.is_global_zero or trainer.sanity_checking:
            return
        if not isinstance(outputs, Mapping):
            return
        log_picture(trainer, "val/sets", panel(batch, outputs["result"], self.sets))


def panel(batch: ExemplarBatch, result: SuperResolution, sets: int) -> Float[Tensor, "3 height width"]:
    """Sheet with a labelled row for each set, of as many as there are up to `sets`; RGB in [0, 1]."""
    rows = [set_row(batch, result, index) for index in range(min(sets, batch.hr.shape[0]))]
    return draw_sheet(rows, narrowest=NARROWEST, gap=GAP)


def set_row(batch: ExemplarBatch, result: SuperResolution, index: int) -> list[Panel]:
    """Input, output, truth, then each exemplar and its similarity map."""
    size = batch.hr.shape[-1]
    row = [
        Panel(F.interpolate(batch.lr[index][None], size=size)[0], "input"),
        Panel(result.image[index].float(), "output"),
        Panel(batch.hr[index], "truth"),
    ]
    maps = None if result.weight is None else result.weight[index].float()
    if maps is None:
        return row
    if result.similarity is not None:
        maps = relative_similarity(maps)
    for number, (reference, values) in enumerate(zip(batch.references[index], maps, strict=True), 1):
        heat = F.interpolate(values[None, None], size=size)[0, 0]
        row += [Panel(reference, f"exemplar {number}"), Panel(heat_map(heat), f"similarity {number}")]
    return row
