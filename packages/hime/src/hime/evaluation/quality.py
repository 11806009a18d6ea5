"""Quality of super-resolved images: PSNR and SSIM on RGB, LPIPS where its backbone is at hand."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchmetrics.image import LearnedPerceptualImagePatchSimilarity as Lpips
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure

from portraitdata.images.resampling import bicubic

LPIPS_BACKBONE = "alexnet-owt-7be5be79.pth"
"""File of torchvision's AlexNet, on which LPIPS (alex) stands."""


def lpips_backbone() -> Path:
    """Where torchvision keeps the backbone of LPIPS; the file need not exist."""
    return Path(torch.hub.get_dir()) / "checkpoints" / LPIPS_BACKBONE


class QualityScores(nn.Module):
    """Mean scores over a set of images.

    Convention: PSNR and SSIM on all RGB channels of values clamped to [0, 1], no border cropped; PSNR is the mean of
    the images' PSNRs; SSIM has the 11x11 Gaussian window of sigma 1.5, mirrored at the border, and is averaged over
    the channels; LPIPS is
    version 0.1 on AlexNet. The paper gives none of these but "all RGB channels". Nothing is ever downloaded: without
    AlexNet in torch's cache LPIPS is left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.psnr = PeakSignalNoiseRatio(data_range=1.0, dim=(1, 2, 3), reduction="elementwise_mean")
        self.psnr_bicubic = PeakSignalNoiseRatio(data_range=1.0, dim=(1, 2, 3), reduction="elementwise_mean")
        self.ssim = StructuralSimilarityIndexMeasure(data_range=1.0)
        self.lpips = Lpips(net_type="alex", normalize=True) if lpips_backbone().is_file() else None

    @property
    def measures_lpips(self) -> bool:
        """Whether LPIPS is among the scores."""
        return self.lpips is not None

    @property
    def why_no_lpips(self) -> str:
        """A sentence for whoever misses LPIPS."""
        return (
            f"LPIPS is not measured: its backbone, torchvision's published AlexNet weights ({LPIPS_BACKBONE}), is not "
            f"in {lpips_backbone().parent}. Put the file there to have it."
        )

    def update(
        self, sr: Float[Tensor, "b 3 sh sw"], hr: Float[Tensor, "b 3 sh sw"], lr: Float[Tensor, "b 3 h w"]
    ) -> None:
        """Add a batch.

        Args:
            sr: Super-resolved images, clamped here.
            hr: Their ground truth in [0, 1].
            lr: The inputs in [0, 1], for the score of bicubic beside.
        """
        sr, hr = sr.float().clamp(0, 1), hr.float()
        upscaled = bicubic(lr.float(), hr.shape[-2], hr.shape[-1]).clamp(0, 1)
        # The variances of SSIM are differences of nearly equal numbers, which bfloat16 does not tell apart.
        with torch.autocast(sr.device.type, enabled=False):
            self.psnr.update(sr, hr)
            self.psnr_bicubic.update(upscaled, hr)
            self.ssim.update(sr, hr)
            if self.lpips is not None:
                self.lpips.update(sr, hr)

    def compute(self) -> dict[str, Tensor]:
        """Scores over everything added since the last `reset`, over all processes: PSNR in dB, the others unitless."""
        ssim = self.ssim.compute()
        assert isinstance(ssim, Tensor)
        scores = {"psnr": self.psnr.compute(), "psnr_bicubic": self.psnr_bicubic.compute(), "ssim": ssim}
        if self.lpips is not None:
            scores["lpips"] = self.lpips.compute()
        return scores

    def reset(self) -> None:
        """Forget everything added."""
        for metric in self.children():
            metric.reset()  # type: ignore[operator]
