"""Training of the one-step restorer (HeadsUp, Sections 2.3, 2.4 and 4.1)."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities import rank_zero_info
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from faceops.recognition.identity import build_identity
from faceops.weights.model_card import begun_with
from headsup.losses.adversarial import adversarial_discriminator_loss
from headsup.losses.discriminator import FaceDiscriminator
from headsup.losses.distillation import Distillation, prior_gradient, regularizer_loss
from headsup.losses.face_identity import FaceIdentity
from headsup.losses.faces import FacePairs
from headsup.losses.lpips import PerceptualDistance
from headsup.losses.objective import LossWeights, Objective
from headsup.losses.score_distillation import score_distillation_loss
from headsup.model.one_step import OneStepRestorer, Restoration
from headsup.model.prompts import ConstantPrompt, Prompts
from headsup.model.settings import RestorerSettings
from headsup.training.batch_references import batch_references
from headsup.training.checkpoint_checks import check_optimizers, check_restorer
from headsup.training.learning_rate import LearningRate
from headsup.training.prompt_remarks import prompt_remarks
from headsup.training.scores import RestorationScores
from headsup.training.sources import sample_sources
from headsup.weights.files import PREDICTION, apply_weights, read_weights
from portraitdata.images.resampling import bicubic
from portraitdata.restoration.batches import RestorationBatch
from portraitdata.training.stepping import check_stepping, optimizers_of, refuse_scaled_losses, stepping

DEFAULT_SETTINGS = RestorerSettings()
DEFAULT_WEIGHTS = LossWeights()
DEFAULT_DISTILLATION = Distillation()
DEFAULT_RATE = LearningRate()


def adamw(params: Iterable) -> AdamW:
    """AdamW at 5e-5 (HeadsUp, Section 4.1); the rest, on which the paper is silent, is OSEDiff's.

    A function and not a lambda: a run's config is saved, and jsonargparse can write down no lambda with a tuple in it.
    """
    return AdamW(params, lr=5e-5, betas=(0.9, 0.999), weight_decay=1e-2)


class RestorerOptimizers(NamedTuple):
    """Optimizers of a training; None for networks that it has not."""

    generator: LightningOptimizer
    regularizer: LightningOptimizer | None
    discriminators: LightningOptimizer | None


class RestorerTrainer(LightningModule):
    """The restorer by Eq. 2, its regularizer by its own loss, and perhaps a discriminator, stepped in turn.

    Checkpoints hold what is trained and the optimizers' states, none of the frozen weights.

    Args:
        restorer: Base model and shape of the restorer.
        initial_weights: Weights file to start from, as for stage two; null starts with adapters that change nothing.
        weights: Weights of the losses.
        distillation: How the prior of the base model is distilled.
        prompts: Which text conditions the denoiser; the same empty one for all if null.
        perceptual: Backbone of LPIPS: ``vgg16`` or a file; null leaves LPIPS out.
        precise_perceptual: Compute its features in float32 also under autocast; else in half of the time.
        identity: Recognition network of the identity loss and the identity score, by name or file; null for neither.
        face_size: Side of the aligned faces in pixels.
        discriminator_channels: Channels of the discriminators at their highest resolution.
        discriminator_square: Side of the squares of pixels that they judge; 2 is four times as fast.
        generator_optimizer: Makes the optimizer of the generator.
        regularizer_optimizer: Makes the optimizer of the regularizer.
        discriminator_optimizer: Makes the optimizer of the discriminator.
        learning_rate: How the optimizers' rates change with the steps.
        accumulate: Batches per step. The Trainer's own flag is refused where several networks are stepped by hand.
        max_grad_norm: Gradient norm above which a network's gradient is scaled down; likewise.
        checkpoint_activations: Compute activations of encoder, denoiser and decoder twice instead of keeping them.
        bfloat16_base: Keep the frozen weights in bfloat16.
        channels_last: Keep maps with their channels last: faster on CPUs with vector units and in half precision.
        seed: Seed of the timesteps and the noise of the distillation.

    Raises:
        FileNotFoundError: If a network is missing.
        ValueError: If a file holds another network, the weights do not fit, or no step would be made.
    """

    def __init__(
        self,
        restorer: RestorerSettings = DEFAULT_SETTINGS,
        initial_weights: Path | None = None,
        weights: LossWeights = DEFAULT_WEIGHTS,
        distillation: Distillation = DEFAULT_DISTILLATION,
        prompts: Prompts | None = None,
        perceptual: str | None = "vgg16",
        precise_perceptual: bool = True,
        identity: str | None = "mobilefacenet",
        face_size: int = 512,
        discriminator_channels: int = 32,
        discriminator_square: int = 1,
        generator_optimizer: OptimizerCallable = adamw,
        regularizer_optimizer: OptimizerCallable = adamw,
        discriminator_optimizer: OptimizerCallable = adamw,
        learning_rate: LearningRate = DEFAULT_RATE,
        accumulate: int = 1,
        max_grad_norm: float = 1.0,
        checkpoint_activations: bool = True,
        bfloat16_base: bool = False,
        channels_last: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_stepping(accumulate, max_grad_norm)
        self.automatic_optimization = False
        self.strict_loading = False  # checkpoints hold the trained weights alone
        self.settings, self.initial_weights, self.bfloat16_base = restorer, initial_weights, bfloat16_base
        self.distillation, self.loss_weights = distillation, weights
        recogniser = None if identity is None else FaceIdentity(build_identity(identity))
        self.objective = Objective(
            weights,
            None if perceptual is None else PerceptualDistance(perceptual, precise_perceptual),
            recogniser,
            face_size,
            discriminator_channels,
            discriminator_square,
        )
        self.scores = RestorationScores(self.objective.perceptual, recogniser, face_size)
        self.prompts: Prompts = ConstantPrompt() if prompts is None else prompts
        self.make_optimizers = generator_optimizer, regularizer_optimizer, discriminator_optimizer
        self.accumulate, self.max_grad_norm = accumulate, max_grad_norm
        self.learning_rate, self.channels_last = learning_rate, channels_last
        self.checkpoint_activations, self.seed = checkpoint_activations, seed
        self.restorer: OneStepRestorer | None = None
        self.notes = ""

    def configure_model(self) -> None:
        """Load the base model; idempotent, and nothing in it is random."""
        if self.restorer is not None:
            return
        self.prompts.prepare(self.settings.base, torch.bfloat16 if self.bfloat16_base else torch.float32)
        self.restorer = self.settings.build(self.bfloat16_base)
        if self.distillation.form != "none" and self.loss_weights.distillation:
            self.restorer.keep_prior()  # of the base, not of the weights that are begun with
        if self.initial_weights is not None:
            begun = read_weights(self.initial_weights)
            apply_weights(self.restorer, begun, self.settings)
            self.notes = begun_with(self.initial_weights, begun.card)
        if not self.has_regularizer:
            for parameter in self.restorer.regularizer_parameters().values():
                parameter.requires_grad_(False)
        if self.checkpoint_activations:
            self.restorer.checkpoint_activations()
        if self.channels_last:
            self.restorer.to(memory_format=torch.channels_last)
            self.objective.to(memory_format=torch.channels_last)

    @property
    def has_regularizer(self) -> bool:
        """True if a regularizer is trained along."""
        return self.distillation.form == "vsd" and bool(self.loss_weights.distillation)

    @property
    def loaded_restorer(self) -> OneStepRestorer:
        """The restorer, once the base model is loaded."""
        assert self.restorer is not None
        return self.restorer

    def trained_parameters(self) -> tuple[list[nn.Parameter], list[nn.Parameter], list[nn.Parameter]]:
        """Weights of generator, regularizer and discriminators; none of what is not trained."""
        generator = self.loaded_restorer.generator_parameters().values()
        regularizer = self.loaded_restorer.regularizer_parameters().values() if self.has_regularizer else ()
        judges = [p for network in self.objective.discriminators for p in network.parameters()]
        return list(generator), list(regularizer), judges

    def configure_optimizers(self) -> list[Optimizer]:
        """An optimizer for each network that is trained."""
        made = zip(self.make_optimizers, self.trained_parameters(), strict=True)
        return [make(weights) for make, weights in made if weights]

    def named_optimizers(self) -> RestorerOptimizers:
        """The optimizers of `configure_optimizers`, by whose weights they step."""
        own = iter(optimizers_of(self))
        return RestorerOptimizers(
            generator=next(own),
            regularizer=next(own) if self.has_regularizer else None,
            discriminators=next(own) if self.objective.discriminators else None,
        )

    def on_fit_start(self) -> None:
        """Say once which terms are off, or are not what the paper means.

        Raises:
            ValueError: If the losses are scaled, see `refuse_scaled_losses`.
        """
        refuse_scaled_losses(self)
        for sentence in (
            *self.objective.remarks(),
            *prompt_remarks(self.prompts, getattr(self.trainer, "datamodule", None)),
        ):
            rank_zero_info(sentence)

    def forward(self, batch: RestorationBatch) -> Restoration:
        """Restored images, their latents and the faithful images; of any size.

        Latents are those of the inputs with their last row and column repeated, up to whole pixels of the latent.
        """
        lq, prompt = self.inputs(batch)
        height, width = lq.shape[2:]
        edge = 0, -width % self.loaded_restorer.factor, 0, -height % self.loaded_restorer.factor
        whole = batch._replace(mask=F.pad(batch.mask, edge))
        restored = self.restore(whole, F.pad(lq, edge, mode="replicate"), prompt)
        faithful = None if restored.faithful is None else restored.faithful[..., :height, :width]
        return restored._replace(picture=restored.picture[..., :height, :width], faithful=faithful)

    def inputs(self, batch: RestorationBatch) -> tuple[Float[Tensor, "b 3 h w"], Float[Tensor, "b n d"]]:
        """Inputs, enlarged to the size of the truth, and their embedded prompts."""
        lq = bicubic(batch.lq, *batch.hq.shape[2:]).clamp(0, 1)
        if self.channels_last:
            lq = lq.contiguous(memory_format=torch.channels_last)
        return lq, self.prompts(lq, batch.prompts)

    def restore(
        self, batch: RestorationBatch, lq: Float[Tensor, "b 3 h w"], prompt: Float[Tensor, "b n d"]
    ) -> Restoration:
        """Restoration of the `inputs` of a batch."""
        references = batch_references(batch, self.loaded_restorer.factor)
        restored: Restoration = self.loaded_restorer(lq, prompt, references, self.settings.layout)
        return restored

    def training_step(self, batch: RestorationBatch, batch_idx: int) -> None:
        """Step the restorer, then its regularizer and the discriminators on what it has restored."""
        for optimizer in optimizers_of(self):
            self.learning_rate.set(optimizer.optimizer, self.global_step)
        generator, regularizer, discriminators = self.named_optimizers()
        sources = sample_sources(self, self.seed, batch_idx, len(batch.hq))
        lq, prompt = self.inputs(batch)  # one prompt for generator, teacher and regularizer
        with stepping(self, generator, self.accumulate, self.max_grad_norm) as backward:
            terms, restored, faces = self.generator_terms(batch, lq, prompt, sources)
            backward(torch.stack(list(terms.values())).sum())
        self.log_dict({f"train/{name}": value.detach() for name, value in terms.items()})
        if regularizer is not None:
            self.step_regularizer(regularizer, restored.latents.detach(), prompt, sources)
        if discriminators is not None:
            self.step_discriminators(discriminators, restored.picture.detach(), batch, faces)

    def generator_terms(
        self,
        batch: RestorationBatch,
        lq: Float[Tensor, "b 3 h w"],
        prompt: Float[Tensor, "b n d"],
        sources: Sequence[torch.Generator],
    ) -> tuple[dict[str, Tensor], Restoration, FacePairs | None]:
        """Weighted terms of Eq. 2, what was restored and the faces that were looked at."""
        restored = self.restore(batch, lq, prompt)
        faces = self.objective.faces(restored.picture, batch) if self.objective.looks_at_faces else None
        terms = self.objective(restored.picture, batch, faces, restored.faithful)
        if self.distillation.form != "none" and self.loss_weights.distillation:
            z, negative = restored.latents, self.prompts.negative()
            gradient = prior_gradient(self.loaded_restorer, z.detach(), prompt, negative, self.distillation, sources)
            terms["distillation"] = self.loss_weights.distillation * score_distillation_loss(z, gradient)
        return terms, restored, faces

    def step_regularizer(
        self,
        optimizer: LightningOptimizer,
        z: Tensor,
        prompt: Float[Tensor, "b n d"],
        sources: Sequence[torch.Generator],
    ) -> None:
        """Let the regularizer follow what is restored."""
        with (
            self.loaded_restorer.switch.using("regularizer"),
            stepping(self, optimizer, self.accumulate, self.max_grad_norm) as backward,
        ):
            loss = regularizer_loss(self.loaded_restorer, z, prompt, sources)
            backward(loss)
        self.log("train/regularizer", loss.detach())

    def step_discriminators(
        self, optimizer: LightningOptimizer, restored: Tensor, batch: RestorationBatch, faces: FacePairs | None
    ) -> None:
        """Let the discriminators tell true faces and images from restored ones."""
        pairs: list[tuple[str, FaceDiscriminator, Tensor, Tensor]] = []
        if self.objective.discriminator is not None and faces is not None:
            pairs.append(("discriminator", self.objective.discriminator, faces.truth, faces.restored.detach()))
        if self.objective.picture_discriminator is not None:
            pairs.append(("picture_discriminator", self.objective.picture_discriminator, batch.hq, restored))
        with stepping(self, optimizer, self.accumulate, self.max_grad_norm) as backward:
            losses = {
                name: adversarial_discriminator_loss(network(true), network(false))
                for name, network, true, false in pairs
            }
            backward(torch.stack(list(losses.values())).sum())
        self.log_dict({f"train/{name}": loss.detach() for name, loss in losses.items()})

    def validation_step(self, batch: RestorationBatch, batch_idx: int, dataloader_idx: int = 0) -> STEP_OUTPUT:
        """Score the batch; the panels of a callback draw what is returned."""
        restored = self(batch).picture.clamp(0, 1)
        self.scores.update(restored, batch)
        return {"restored": restored}

    def on_validation_epoch_end(self) -> None:
        """Log the scores over all sets."""
        self.log_scores("val")

    def test_step(self, batch: RestorationBatch, batch_idx: int, dataloader_idx: int = 0) -> STEP_OUTPUT:
        """Score the batch."""
        return self.validation_step(batch, batch_idx, dataloader_idx)

    def on_test_epoch_end(self) -> None:
        """Log the scores over all sets."""
        self.log_scores("test")

    def log_scores(self, stage: str) -> None:
        """Log and forget the scores."""
        self.log_dict({f"{stage}/{name}": value for name, value in self.scores.compute().items()}, prog_bar=True)
        self.scores.reset()

    def predict_step(self, batch: RestorationBatch, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Restore a batch; values in [0, 1]."""
        restored: Restoration = self(batch)
        return restored.picture.clamp(0, 1)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another restorer; say so if only its base model has another name.

        Raises:
            ValueError: If it is one, or other networks are trained than those whose optimizers it has.
        """
        if self.restorer is None:  # read outside of a run
            return
        stated = checkpoint["headsup"]
        self.notes = self.notes or stated.get("notes", "")
        check_restorer(stated, self.settings, self.loaded_restorer)
        if self.trainer.state.fn == "fit":
            wanted = sum(1 for weights in self.trained_parameters() if weights)
            check_optimizers(len(checkpoint.get("optimizer_states", ())), wanted)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the trained weights alone, and what `headsup export` needs to rebuild the restorer."""
        # whose turn it is must not matter: during one, the others' weights want no gradient
        own = {id(parameter) for weights in self.trained_parameters() for parameter in weights}
        trained = {name for name, parameter in self.named_parameters() if id(parameter) in own}
        # spectral normalisation goes on from the vectors in the discriminator's buffers
        trained |= {name for name, _ in self.named_buffers() if "discriminator." in name}
        checkpoint["state_dict"] = {name: v for name, v in checkpoint["state_dict"].items() if name in trained}
        checkpoint["headsup"] = {
            "settings": vars(self.settings),
            "steps": int(checkpoint["global_step"]),
            "notes": self.notes,
            PREDICTION: self.loaded_restorer.schedule.prediction_type,
        }
