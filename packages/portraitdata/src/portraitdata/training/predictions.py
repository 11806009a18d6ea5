"""Writing the images of the ``predict`` commands."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import Tensor

from faceops.images.files import Picture, save_picture


@runtime_checkable
class NamedBatch(Protocol):
    """A batch that knows the photographs it is from."""

    @property
    def names(self) -> Sequence[str]:
        """Path of each photograph in its index or folder."""


class PredictionFolder(BasePredictionWriter):
    """Writes every predicted image as a PNG file named after its photograph, in a folder for each data set.

    Of two photographs whose names differ in their suffix alone, the later keeps it: ``a.jpg`` gives ``a.png``, then
    ``a.webp`` ``a.webp.png``. Each process of several knows its own.

    Args:
        folder: Folder to write to; made if absent.
    """

    def __init__(self, folder: Path = Path("outputs/predictions")) -> None:
        super().__init__(write_interval="batch")
        self.folder = folder
        self.photographs: dict[Path, str] = {}

    def target(self, name: str, dataloader_idx: int) -> Path:
        """File for the prediction of a photograph; no other photograph of this process has it."""
        photograph = (self.folder / str(dataloader_idx) if dataloader_idx else self.folder) / name
        short = photograph.with_suffix(".png")
        own = self.photographs.setdefault(short, name) == name
        return short if own else photograph.with_name(f"{photograph.name}.png")

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: Tensor,
        batch_indices: Sequence[int] | None,
        batch: NamedBatch,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Write the images of a batch."""
        for name, image in zip(batch.names, prediction, strict=True):
            target = self.target(name, dataloader_idx)
            target.parent.mkdir(parents=True, exist_ok=True)
            save_picture(Picture(image.float().cpu()), target)
