"""Writing the images of ``hime predict``."""

from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import Tensor

from faceops.images import Picture, save_picture
from portraitdata.datamodule import ExemplarBatch


class PredictionFolder(BasePredictionWriter):
    """Writes every super-resolved image as a PNG file named after its photograph.

    Args:
        folder: Folder to write to; made if absent.
    """

    def __init__(self, folder: Path = Path("outputs/predictions")) -> None:
        super().__init__(write_interval="batch")
        self.folder = folder

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: Tensor,
        batch_indices: Sequence[int] | None,
        batch: ExemplarBatch,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Write the images of a batch."""
        for name, image in zip(batch.names, prediction, strict=True):
            target = self.folder / Path(name).with_suffix(".png")
            target.parent.mkdir(parents=True, exist_ok=True)
            picture = Picture(image.cpu(), alpha=None, bits=8, grey=False, icc_profile=None, exif=None)
            save_picture(picture, target)
