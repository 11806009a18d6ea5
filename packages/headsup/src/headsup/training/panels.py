"""Image panels of a validation."""

from collections.abc import Mapping

import torch.nn.functional as F
from jaxtyping import Float
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import Tensor

from faceops.images.sheet import Panel, draw_sheet
from headsup.losses.faces import face_pairs
from portraitdata.restoration.batches import RestorationBatch
from portraitdata.training.logged_images import log_picture

LABELS = "input", "reference", "output", "truth", "face of the output", "face of the truth"
NARROWEST, GAP = 96, 8
"""Width in pixels that a label has room in, and space between images."""


class RestorationPanels(Callback):
    """Draws the first images of every validation: input, reference, output, truth; then the face of the two latter.

    Args:
        images: Images drawn.
    """

    def __init__(self, images: int = 4) -> None:
        self.images = images
        self.rows: list[list[Panel]] = []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: STEP_OUTPUT,
        batch: RestorationBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the rows of the first images."""
        if dataloader_idx == 0 and trainer.is_global_zero and isinstance(outputs, Mapping):
            missing = max(self.images - len(self.rows), 0)
            self.rows += panel_rows(batch, outputs["restored"].float())[:missing]

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw them."""
        rows, self.rows = self.rows, []
        if rows and not trainer.sanity_checking:
            log_picture(trainer, "val/images", draw_sheet(rows, narrowest=NARROWEST, gap=GAP))


def panel_rows(batch: RestorationBatch, restored: Float[Tensor, "b 3 h w"]) -> list[list[Panel]]:
    """One row an image: input, reference, output, truth, and its first face restored and true; black where absent."""
    height, width = batch.hq.shape[2:]
    matrix = batch.aligning(height)
    pairs = face_pairs(restored, batch.hq, batch.faces, matrix, batch.reference, batch.referenced, height)
    rows = []
    for index in range(len(restored)):
        faces = (batch.faces.image_index == index).nonzero().flatten()[:1]
        black = restored.new_zeros(1, 3, height, height)
        crops = [pairs.restored[faces], pairs.truth[faces]] if len(faces) else [black, black]
        pictures = [
            F.interpolate(batch.lq[index : index + 1], (height, width)),
            F.interpolate(batch.reference[index : index + 1], (height, height), mode="bilinear", antialias=True),
            restored[index : index + 1],
            batch.hq[index : index + 1],
            *crops,
        ]
        rows.append([Panel(picture[0], label) for picture, label in zip(pictures, LABELS, strict=True)])
    return rows
