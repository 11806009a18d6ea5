"""Image panels of a validation in TensorBoard."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import Tensor

from hime.heat_maps import heat_map, relative_similarity
from hime.network import SuperResolution
from portraitdata.exemplars.datamodule import ExemplarBatch


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
        image = panel(batch, outputs["result"], self.sets)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("val/sets", image, trainer.global_step)


def panel(batch: ExemplarBatch, result: SuperResolution, sets: int) -> Float[Tensor, "3 height width"]:
    """One row a set: LR, SR, HR, then each reference and its similarity map; RGB in [0, 1]."""
    size = batch.hr.shape[-1]
    rows = []
    for index in range(min(sets, batch.hr.shape[0])):
        tiles = [F.interpolate(batch.lr[index][None], size=size)[0], result.image[index].float(), batch.hr[index]]
        maps = None if result.weight is None else result.weight[index].float()
        if maps is not None and result.similarity is not None:
            maps = relative_similarity(maps)
        if maps is not None:
            for reference, values in zip(batch.references[index], maps, strict=True):
                heat = F.interpolate(values[None, None], size=size)[0, 0]
                tiles += [reference, heat_map(heat)]
        rows.append(torch.cat(tiles, dim=2))
    return torch.cat(rows, dim=1).clamp(0, 1).cpu()
