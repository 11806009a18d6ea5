"""Recipe of the face detector any-turn."""

import math
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from faceops.detection.detectors.any_turn import decoded
from faceops.detection.detectors.any_turn_network import AnyTurnArguments, AnyTurnNetwork, Predictions
from faceops.detection.places import places_of
from portraitdata.face_finding.losses import FinderLosses, finder_losses
from portraitdata.face_finding.recall import RecallScores
from portraitdata.face_finding.scene_batch import SceneBatch
from portraitdata.face_finding.targets import assign
from portraitdata.face_finding.training.cosine import warm_cosine

FACES = 0.01
"""Score of every place before the first step: few are faces."""


class FaceFinder(LightningModule):
    """Trains an `AnyTurnNetwork` on drawn scenes.

    Args:
        stem: Channels, see `AnyTurnArguments`; the next five likewise.
        box_weight: Weight of the boxes' loss.
        landmark_weight: Weight of the landmarks' loss.
        optimizer: Makes the optimizer.
        warmup_steps: Steps over which the learning rate rises from zero; then it falls along a cosine.
        final_rate: Share of the learning rate that is left at the end.
    """

    def __init__(
        self,
        stem: int = 16,
        entry: int = 24,
        fine: int = 40,
        middle: int = 64,
        coarse: int = 64,
        neck: int = 48,
        box_weight: float = 2.0,
        landmark_weight: float = 8.0,
        optimizer: OptimizerCallable = lambda p: torch.optim.AdamW(p, lr=2e-3, weight_decay=1e-2),
        warmup_steps: int = 300,
        final_rate: float = 0.01,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["optimizer"])
        arguments = AnyTurnArguments(stem, entry, fine, middle, coarse, neck)
        self.network = AnyTurnNetwork(arguments).to(memory_format=torch.channels_last)
        for name, bias in self.network.out.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.constant_(bias[:1], math.log(FACES / (1 - FACES)))
        self.box_weight, self.landmark_weight = box_weight, landmark_weight
        self.make_optimizer, self.warmup_steps, self.final_rate = optimizer, warmup_steps, final_rate
        self.recall = RecallScores()

    def forward(self, batch: SceneBatch) -> Predictions:
        """Predictions for a batch, in float32."""
        images = batch.images.to(memory_format=torch.channels_last).float() / 127.5 - 1
        return Predictions(*(values.float() for values in self.network(images)))

    def losses(self, predictions: Predictions, batch: SceneBatch) -> FinderLosses:
        """Losses of predictions."""
        places = places_of(*batch.images.shape[2:]).to(batch.images.device)
        return finder_losses(predictions, places, batch, assign(batch, places))

    def training_step(self, batch: SceneBatch, batch_idx: int) -> Tensor:
        """Weighted sum of the losses."""
        losses = self.losses(self(batch), batch)
        loss = losses.score + self.box_weight * losses.box + self.landmark_weight * losses.landmarks
        self.log_dict({f"train/{name}": value for name, value in losses._asdict().items()}, batch_size=len(batch.sure))
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch.sure))
        return loss

    def validation_step(self, batch: SceneBatch, batch_idx: int) -> None:
        """Losses; faces found and false ones."""
        predictions = self(batch)
        losses = self.losses(predictions, batch)
        self.log_dict({f"val/{name}": value for name, value in losses._asdict().items()}, batch_size=len(batch.sure))
        places = places_of(*batch.images.shape[2:]).to(batch.images.device)
        self.recall.add(decoded(predictions, places, self.recall.threshold), batch)

    def on_validation_epoch_end(self) -> None:
        """Log recall, false faces and exactness."""
        self.log_dict({f"val/{name}": value for name, value in self.recall.taken().items()}, prog_bar=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """One optimizer with a warm-up and a cosine."""
        steps = int(self.trainer.estimated_stepping_batches)
        return warm_cosine(self.make_optimizer(self.parameters()), self.warmup_steps, steps, self.final_rate)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave what is needed to rebuild the network without Lightning."""
        checkpoint["any-turn"] = {
            "arguments": dict(self.network.arguments._asdict()),
            "card": {"steps": int(checkpoint["global_step"])},
        }
