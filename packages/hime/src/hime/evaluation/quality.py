"""Quality of super-resolved images: PSNR and SSIM on RGB, LPIPS where its backbone is at hand."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics.image import LearnedPerceptualImagePatchSimilarity as Lpips

from portraitdata.images.resampling import bicubic
from portraitdata.scoring.mean_scores import MeanScores
from portraitdata.scoring.psnr import psnr
from portraitdata.scoring.ssim import ssim

LPIPS_BACKBONE = "alexnet-owt-7be5be79.pth"
"""File of torchvision's AlexNet, on which LPIPS (alex) stands."""

LPIPS_SIDE = 32
"""Least side in pixels of an image for it."""


def lpips_backbone() -> Path:
    """Where torchvision keeps the backbone of LPIPS; the file need not exist."""
    return Path(torch.hub.get_dir()) / "checkpoints" / LPIPS_BACKBONE


class QualityScores(MeanScores):
    """Mean scores over a set of images.

    Convention: PSNR and SSIM on all RGB channels of values clamped to [0, 1], no border cropped, each the mean of the
    images' values: `portraitdata.scoring` with the convention ``rgb``, as ``portraitdata score`` and the benchmarks
    have it. SSIM is averaged over the pixels around which its window fits; runs of earlier versions logged a
    ``val/ssim`` with the image mirrored at its border, another number, and a PSNR without the 1e-8 in its error. LPIPS
    is version 0.1 on AlexNet. The paper gives none of these but "all RGB channels". Nothing is ever downloaded: without
    AlexNet in torch's cache LPIPS is left out, and for images of fewer than `LPIPS_SIDE` pixels.
    """

    def __init__(self) -> None:
        measures_lpips = lpips_backbone().is_file()
        super().__init__(["psnr", "psnr_bicubic", "ssim", *(["lpips"] if measures_lpips else [])])
        self.lpips = Lpips(net_type="alex", normalize=True) if measures_lpips else None
        # parameters would be in every checkpoint, which then fits only where the backbone is there
        for module in () if self.lpips is None else self.lpips.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                delattr(module, name)
                module.register_buffer(name, parameter.detach(), persistent=False)

    @property
    def measures_lpips(self) -> bool:
        """True if LPIPS is among the scores."""
        return self.lpips is not None

    @property
    def why_no_lpips(self) -> str:
        """A sentence for whoever misses LPIPS."""
        return (
            f"LPIPS is not measured: its backbone, torchvision's published AlexNet weights ({LPIPS_BACKBONE}), is not "
            f"in {lpips_backbone().parent}. Put the file there to have it."
        )

    def reset(self) -> None:
        """Forget everything added, and that images were too small."""
        super().reset()
        self.too_small = False

    def compute(self) -> dict[str, Tensor]:
        """Means, see `MeanScores.compute`; without LPIPS if images were too small for it."""
        scores = super().compute()
        return {name: score for name, score in scores.items() if not (name == "lpips" and self.too_small)}

    @torch.no_grad()
    def update(
        self, sr: Float[Tensor, "b 3 sh sw"], hr: Float[Tensor, "b 3 sh sw"], lr: Float[Tensor, "b 3 h w"]
    ) -> None:
        """Add a batch.

        Args:
            lr: The inputs in [0, 1], for the score of bicubic beside.
        """
        sr, hr = sr.float().clamp(0, 1), hr.float()
        upscaled = bicubic(lr.float(), hr.shape[-2], hr.shape[-1]).clamp(0, 1)
        with torch.autocast(sr.device.type, enabled=False):
            self.add("psnr", psnr(sr, hr))
            self.add("psnr_bicubic", psnr(upscaled, hr))
            self.add("ssim", ssim(sr, hr))
            self.too_small |= min(hr.shape[-2:]) < LPIPS_SIDE
            if self.lpips is not None and not self.too_small:
                self.add("lpips", self.lpips.net(sr, hr, normalize=True).flatten())
