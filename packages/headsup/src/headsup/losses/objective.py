"""The generator's objective: HeadsUp, Eq. 2, with the face losses of Section 2.3."""

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from headsup.losses.adversarial import adversarial_generator_loss, damage_share
from headsup.losses.discriminator import FaceDiscriminator
from headsup.losses.face_fidelity import FaceFidelity
from headsup.losses.face_identity import FaceIdentity
from headsup.losses.face_parts import FaceParts
from headsup.losses.faces import FacePairs, face_pairs
from headsup.losses.lpips import PerceptualDistance
from headsup.losses.pixel_grid import pixel_grid_loss
from headsup.losses.squared_error import squared_error
from portraitdata.restoration.batches import RestorationBatch


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms; a term of weight 0 is not computed.

    Those of the faces are HeadsUp's (Section 4.1), the others OSEDiff's, from which it takes them over. For the
    adversarial loss the paper gives no weight, and no row of its ablation has it: it is off.

    Args:
        l2: Mean squared error of the image, of pixels in [-1, 1] as OSEDiff's (`headsup.losses.squared_error`).
        lpips: LPIPS of the image.
        distillation: Score distillation of the latent; lambda_reg.
        fidelity: lambda^fid of the faces (Eq. 3), whose squared error is of pixels in [-1, 1], too.
        fidelity_lpips: lambda_LPIPS within it.
        identity: lambda^id.
        adversarial: lambda^adv.
        l1: Mean absolute error of the image, of pixels in [0, 1]. This and what follows is beyond the paper.
        faithful: Mean absolute error of the faithful image, see `headsup.model.guidance`.
        parts: Eyes and mouths, see `headsup.losses.face_parts`.
        picture_adversarial: As `adversarial`, of the whole images and by a discriminator of their own.
        full_damage: Mean absolute error of the enlarged input from which on `picture_adversarial` has its full weight;
            below it, its share of that. 0 for the full weight everywhere.
        fidelity_l2: Weight of the squared error within `fidelity`; 1 in the paper.
        grid: Pattern of squares of 2 x 2 pixels, see `headsup.losses.pixel_grid`.
    """

    l2: float = 1.0
    lpips: float = 2.0
    distillation: float = 1.0
    fidelity: float = 1.0
    fidelity_lpips: float = 0.8
    identity: float = 4.0
    adversarial: float = 0.0
    l1: float = 0.0
    faithful: float = 0.0
    parts: float = 0.0
    picture_adversarial: float = 0.0
    full_damage: float = 0.0
    fidelity_l2: float = 1.0
    grid: float = 0.0


class Objective(nn.Module):
    """Terms of the objective that compare images; nothing in it but the discriminator is trained.

    Args:
        weights: Weights of the terms.
        perceptual: LPIPS; None leaves its terms out.
        identity: Recognition network of the identity loss; may be None if that has no weight.
        face_size: Side of the aligned faces in pixels; the paper's are 512.
        discriminator_channels: Channels of the discriminators at their highest resolution.
        discriminator_square: Side of the squares of pixels that they judge.

    Raises:
        ValueError: If the identity loss has a weight but no network, or faces are no multiple of the squares.
    """

    def __init__(
        self,
        weights: LossWeights,
        perceptual: PerceptualDistance | None,
        identity: FaceIdentity | None,
        face_size: int = 512,
        discriminator_channels: int = 32,
        discriminator_square: int = 1,
    ) -> None:
        super().__init__()
        if weights.identity and identity is None:
            raise ValueError(
                "The identity loss needs a recognition network: name one in model.init_args.identity, or set "
                "model.init_args.weights.identity to 0."
            )
        if weights.adversarial and face_size % discriminator_square:
            raise ValueError(
                f"The discriminator judges squares of {discriminator_square} pixels, of which faces of {face_size} are "
                "no multiple: change face_size or discriminator_square."
            )
        self.weights, self.face_size = weights, face_size
        self.perceptual, self.identity = perceptual, identity
        self.fidelity = FaceFidelity(perceptual, weights.fidelity_lpips, weights.fidelity_l2)
        self.parts = FaceParts(perceptual)
        judge = partial(FaceDiscriminator, discriminator_channels, square=discriminator_square)
        self.discriminator = judge() if weights.adversarial else None
        self.picture_discriminator = judge() if weights.picture_adversarial else None

    def remarks(self) -> list[str]:
        """Sentences on terms that are off, or not what the paper means, though they have a weight."""
        weights = self.weights
        wanted = weights.lpips or weights.parts or (weights.fidelity and weights.fidelity_lpips)
        if not wanted:
            return []
        if self.perceptual is None:
            return ["LPIPS is left out of the losses: no backbone was named (model.init_args.perceptual)."]
        if self.perceptual.calibrated:
            return []
        return ["In place of LPIPS an uncalibrated distance is used: the backbone is not torchvision's VGG-16."]

    @property
    def looks_at_faces(self) -> bool:
        """True if any term is of the faces."""
        weights = self.weights
        return bool(weights.fidelity or weights.identity or weights.adversarial or weights.parts)

    @property
    def discriminators(self) -> list[FaceDiscriminator]:
        """Those that are trained along."""
        return [network for network in (self.discriminator, self.picture_discriminator) if network is not None]

    def faces(self, restored: Float[Tensor, "b 3 h w"], batch: RestorationBatch) -> FacePairs:
        """Faces of restored and true images, aligned by the matrices of the index: no detector runs in training.

        The reference of another person is none here: the restored face is not to look like it.
        """
        batch = batch.of_whole_faces()
        referenced = torch.where(batch.same_person, batch.referenced, -1)
        matrix = batch.aligning(self.face_size)
        return face_pairs(restored, batch.hq, batch.faces, matrix, batch.reference, referenced, self.face_size)

    def forward(
        self,
        restored: Float[Tensor, "b 3 h w"],
        batch: RestorationBatch,
        faces: FacePairs | None,
        faithful: Float[Tensor, "b 3 h w"] | None = None,
    ) -> dict[str, Float[Tensor, ""]]:
        """Weighted terms by name, to be added up.

        Args:
            restored: Restored images, RGB.
            batch: What they are restored from and compared with.
            faces: From `faces`; None leaves the terms of the faces out.
            faithful: Faithful images; None leaves their term out.
        """
        weights = self.weights
        terms: dict[str, Tensor] = {}
        if weights.l1:
            terms["l1"] = weights.l1 * F.l1_loss(restored.float(), batch.hq)
        if weights.faithful and faithful is not None:
            terms["faithful"] = weights.faithful * F.l1_loss(faithful, batch.hq)
        if weights.grid:
            terms["grid"] = weights.grid * pixel_grid_loss(restored, batch.hq)
        if self.picture_discriminator is not None:
            logits = self.picture_discriminator(restored)
            if weights.full_damage:
                logits = logits * damage_share(batch.lq, batch.hq, weights.full_damage)
            terms["picture_adversarial"] = weights.picture_adversarial * adversarial_generator_loss(logits)
        if weights.l2:
            terms["l2"] = weights.l2 * squared_error(restored, batch.hq).mean()
        if weights.lpips and self.perceptual is not None:
            terms["lpips"] = weights.lpips * self.perceptual(restored, batch.hq).mean()
        if faces is not None:
            terms |= self.face_terms(faces)
        return terms

    def face_terms(self, faces: FacePairs) -> dict[str, Float[Tensor, ""]]:
        """Weighted terms of L_F (HeadsUp, Section 2.3)."""
        weights = self.weights
        terms: dict[str, Tensor] = {}
        if weights.fidelity:
            terms["fidelity"] = weights.fidelity * self.fidelity(faces.restored, faces.truth)
        if weights.parts:
            terms["parts"] = weights.parts * self.parts(faces.restored, faces.truth)
        if weights.identity and self.identity is not None:
            loss = self.identity(faces.restored, faces.truth, faces.reference, faces.present)
            terms["identity"] = weights.identity * loss
        if self.discriminator is not None:
            terms["adversarial"] = weights.adversarial * adversarial_generator_loss(self.discriminator(faces.restored))
        return terms
