"""Scores of a validation."""

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.recognition.identity import similarity
from headsup.losses.face_identity import FaceIdentity
from headsup.losses.faces import face_pairs
from headsup.losses.lpips import PerceptualDistance
from portraitdata.images.resampling import bicubic
from portraitdata.restoration.batches import RestorationBatch
from portraitdata.scoring.mean_scores import MeanScores
from portraitdata.scoring.psnr import psnr
from portraitdata.scoring.ssim import ssim


class RestorationScores(MeanScores):
    """PSNR and SSIM of the images (RGB), LPIPS where there is a backbone, identity of the faces (HeadsUp, Eq. 4).

    Those of the input, enlarged by a bicubic, stand beside them. A perceptual distance that is not LPIPS has another
    name. The identity is the mean over all faces of `faceops.recognition.identity.similarity`.

    Args:
        perceptual: Distance that the training uses, too; None leaves it out.
        identity: Recognition network that the training uses, too; None leaves the identity out.
        face_size: Side of the aligned faces in pixels.
    """

    def __init__(self, perceptual: PerceptualDistance | None, identity: FaceIdentity | None, face_size: int) -> None:
        calibrated = perceptual is not None and perceptual.calibrated
        distance = "lpips" if calibrated else "perceptual"
        images = ["psnr", "ssim", *([distance] if perceptual else []), *(["identity"] if identity else [])]
        of_reference = ["identity_to_reference"] if identity else []
        super().__init__([*images, *(f"{name}_bicubic" for name in images), *of_reference])
        self.distance_name = distance
        self.perceptual, self.identity, self.face_size = perceptual, identity, face_size

    @torch.no_grad()
    def update(self, restored: Float[Tensor, "b 3 h w"], batch: RestorationBatch) -> None:
        """Add a batch.

        Args:
            restored: Restored images, RGB in [0, 1].
            batch: What they are restored from and compared with.
        """
        enlarged = bicubic(batch.lq, *batch.hq.shape[2:]).clamp(0, 1)
        with torch.autocast(restored.device.type, enabled=False):
            for images, suffix in ((restored.float(), ""), (enlarged, "_bicubic")):
                self.add(f"psnr{suffix}", psnr(images, batch.hq))
                self.add(f"ssim{suffix}", ssim(images, batch.hq))
                if self.perceptual is not None:
                    self.add(self.distance_name + suffix, self.perceptual(images, batch.hq))
                self._add_identity(images, batch, suffix)

    def _add_identity(self, images: Tensor, batch: RestorationBatch, suffix: str) -> None:
        if self.identity is None or not len(batch.faces):
            return
        faces, matrix = batch.faces, batch.aligning(self.face_size)
        pairs = face_pairs(images, batch.hq, faces, matrix, batch.reference, batch.referenced, self.face_size)
        restored = self.identity.embed(pairs.restored)
        self.add(f"identity{suffix}", similarity(restored, self.identity.embed(pairs.truth)))
        if pairs.present.any() and not suffix:
            reference = self.identity.embed(pairs.reference[pairs.present])
            self.add("identity_to_reference", similarity(restored[pairs.present], reference))
