"""Training of a denoiser from scratch: the second of the three runs that make the small model."""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, UNet2DConditionModel
from jaxtyping import Float
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from headsup.model.autoencoder import encode
from headsup.model.backbone import Architecture, description
from headsup.model.schedule import NoiseSchedule
from headsup.model.seeded_noise import draw_noise, draw_shares, draw_timesteps, generators
from headsup.model.text_encoder import EMBEDDINGS_FILE, TwoEmbeddings
from headsup.training.base_model import BaseModelTrainer
from headsup.training.optimization import one_cycle
from headsup.training.sources import sample_sources
from headsup.weights.diffusers_folder import save_embeddings, save_part, save_scheduler
from portraitdata.images.resampling import bicubic
from portraitdata.restoration.batches import RestorationBatch
from portraitdata.scoring.mean_scores import MeanScores

TOKENS = 4
"""Tokens of the two embeddings."""


class DenoiserTrainer(BaseModelTrainer):
    """Denoiser of the latents of an autoencoder, conditioned on whether a picture is good or bad.

    It knows two prompts, both learnt: one for high-quality images and one for the degraded, enlarged ones. A teacher
    guided away from the second one does what the negative prompt of HeadsUp, Appendix B, asks of a large model.
    Denoiser, embeddings and noise schedule are written to `folder` after every validation of a fit and at its end.

    Args:
        folder: Folder of the model that is being made; it holds the trained autoencoder.
        architecture: Bundled architecture.
        initial: Folder with a denoiser and embeddings to go on from; null starts at random.
        degraded: Share of the images that are taken degraded.
        learning_rate: Highest learning rate of the cycle.
        warmup: Share of the run in which the rate rises.
        seed: Seed of what is degraded, the timesteps and the noise.
    """

    def __init__(
        self,
        folder: Path,
        architecture: Architecture = "tiny",
        initial: Path | None = None,
        degraded: float = 0.25,
        learning_rate: float = 1e-3,
        warmup: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.folder, self.degraded = folder, degraded
        self.learning_rate, self.warmup, self.seed = learning_rate, warmup, seed
        self.vae = AutoencoderKL.from_pretrained(folder, subfolder="vae", local_files_only=True).requires_grad_(False)
        self.schedule = NoiseSchedule.from_config(description(architecture, "scheduler"))
        if initial is None:
            self.unet = UNet2DConditionModel.from_config(description(architecture, "unet"))
            embeddings = torch.randn(2, TOKENS, self.unet.config.cross_attention_dim)
        else:
            self.unet = UNet2DConditionModel.from_pretrained(initial, subfolder="unet", local_files_only=True)
            known = TwoEmbeddings.from_file(initial / EMBEDDINGS_FILE)
            embeddings = torch.stack([known.positive, known.negative])
        self.embeddings = nn.Parameter(embeddings)
        self.scores = MeanScores(("error",))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW under one cycle of the learning rate, for the denoiser and the embeddings."""
        return one_cycle(self, [*self.unet.parameters(), self.embeddings], self.learning_rate, self.warmup)

    def training_step(self, batch: RestorationBatch, batch_idx: int) -> Tensor:
        """Predict the noise in good latents and bad ones."""
        sources = sample_sources(self, self.seed, batch_idx, len(batch.hq))
        bad = draw_shares(sources) < self.degraded
        loss = self.denoising_error(batch, bad, draw_timesteps(sources, 0, len(self.schedule)), sources)
        self.log("train/error", loss, prog_bar=True)
        return loss

    def denoising_error(
        self, batch: RestorationBatch, bad: Tensor, t: Tensor, sources: Sequence[torch.Generator]
    ) -> Float[Tensor, ""]:
        """Mean squared error of the prediction (Ho et al., 2020, Eq. 14)."""
        enlarged = bicubic(batch.lq, *batch.hq.shape[2:]).clamp(0, 1)
        images = torch.where(bad.view(-1, 1, 1, 1), enlarged, batch.hq)
        with torch.no_grad():
            z = encode(self.vae, images)
        noise = draw_noise(sources, z)
        prediction = self.unet(self.schedule.add_noise(z, noise, t), t, self.embeddings[bad.long()]).sample
        return F.mse_loss(prediction.float(), self.schedule.target(z, noise, t))

    def validation_step(self, batch: RestorationBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """The same error at evenly spread timesteps, with the same noise every time."""
        for t in range(50, len(self.schedule), 100):
            times = torch.full((len(batch.hq),), t, device=self.device)
            sources = generators(t, batch_idx, range(len(times)), self.device)
            error = self.denoising_error(batch, torch.zeros_like(times, dtype=torch.bool), times, sources)
            self.scores.add("error", error.expand(len(times)))  # every image counts alike, in a smaller batch, too

    def on_validation_epoch_end(self) -> None:
        """Log the error; write the denoiser that is being trained."""
        self.log("val/error", self.scores.compute()["error"], prog_bar=True)
        self.scores.reset()
        if self.is_fitting:
            self.write()

    def write_part(self) -> None:
        """Write denoiser, embeddings and noise schedule."""
        save_part(self.unet, self.folder, "unet")
        save_scheduler(self.folder, self.schedule.config)
        save_embeddings(self.embeddings[0], self.embeddings[1], self.folder)
