"""Recipe of the network for exact landmarks."""

from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from faceops.detection.exact_landmarks.landmark_network import SIDE, WINDOW, LandmarkNetwork, middles
from portraitdata.face_finding.close_up_faces import CloseUp
from portraitdata.face_finding.training.cosine import warm_cosine


class LandmarkFinder(LightningModule):
    """Trains a `LandmarkNetwork` on drawn close-ups.

    Args:
        fine: Channels, see `LandmarkNetwork`; the next likewise.
        optimizer: Makes the optimizer.
        warmup_steps: Steps over which the learning rate rises from zero; then it falls along a cosine.
        final_rate: Share of the learning rate that is left at the end.
    """

    def __init__(
        self,
        fine: int = 32,
        coarse: int = 64,
        optimizer: OptimizerCallable = lambda p: torch.optim.AdamW(p, lr=2e-3, weight_decay=1e-2),
        warmup_steps: int = 200,
        final_rate: float = 0.01,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["optimizer"])
        self.network = LandmarkNetwork(fine, coarse).to(memory_format=torch.channels_last)
        self.make_optimizer, self.warmup_steps, self.final_rate = optimizer, warmup_steps, final_rate

    def forward(self, batch: CloseUp) -> Tensor:
        """Landmarks in pixels of the close-ups."""
        images = batch.image.to(memory_format=torch.channels_last).float() / 127.5 - 1
        return middles(self.network(images))

    def off(self, batch: CloseUp) -> Tensor:
        """Distances of the landmarks from the labels along both axes, in usual distances of the eyes."""
        return (self(batch) - batch.landmarks).abs() / WINDOW.eye_distance()

    def training_step(self, batch: CloseUp, batch_idx: int) -> Tensor:
        """Mean distance; of a landmark beyond the close-up's edge nothing can be known."""
        seen = ((batch.landmarks >= 0) & (batch.landmarks <= SIDE - 1)).all(dim=2, keepdim=True)
        loss = (self.off(batch) * seen).sum() / seen.sum().clamp(min=1) / 2
        self.log("train/off", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: CloseUp, batch_idx: int) -> None:
        """Mean distances of eyes and mouths."""
        off = self.off(batch).mean(dim=(0, 2))
        parts = {"val/eyes_off": off[:2].mean(), "val/nose_off": off[2], "val/mouth_off": off[3:].mean()}
        self.log_dict(parts, prog_bar=True, batch_size=len(batch.image))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """One optimizer with a warm-up and a cosine."""
        steps = int(self.trainer.estimated_stepping_batches)
        return warm_cosine(self.make_optimizer(self.parameters()), self.warmup_steps, steps, self.final_rate)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave what is needed to rebuild the network without Lightning."""
        checkpoint["exact-landmarks"] = {
            "arguments": {"fine": self.network.fine, "coarse": self.network.coarse},
            "card": {"steps": int(checkpoint["global_step"])},
        }
