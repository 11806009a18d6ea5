"""Scores, against scikit-image."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from hime.evaluation.quality import LPIPS_BACKBONE, QualityScores, lpips_backbone

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


@pytest.fixture
def pairs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    lr = torch.rand(3, 3, 8, 8, generator=generator)
    hr = torch.nn.functional.interpolate(lr, scale_factor=4, mode="bilinear")
    noise = torch.tensor([0.02, 0.1, 0.3]).reshape(3, 1, 1, 1) * torch.randn(hr.shape, generator=generator)
    return hr + noise, hr, lr


def test_scores_are_means_over_images_on_rgb(pairs) -> None:
    sr, hr, lr = pairs
    quality = QualityScores()
    quality.update(sr[:2], hr[:2], lr[:2])
    quality.update(sr[2:], hr[2:], lr[2:])
    scores = quality.compute()
    images = list(zip(sr.clamp(0, 1).movedim(1, 3).numpy(), hr.movedim(1, 3).numpy(), strict=True))
    psnr = np.mean([peak_signal_noise_ratio(b, a, data_range=1) for a, b in images])
    assert scores["psnr"].item() == pytest.approx(psnr, abs=1e-3)
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "win_size": 11}
    ssim = np.mean([structural_similarity(a, b, data_range=1, channel_axis=2, **window) for a, b in images])
    assert scores["ssim"].item() == pytest.approx(ssim, abs=1e-5)


def test_bicubic_is_the_enlarged_input_against_the_truth() -> None:
    """Pictures of one colour: bicubic keeps it, so the errors are 0.1 of the output and 0.2 of the input."""
    sr, hr = torch.full((1, 3, 32, 32), 0.6), torch.full((1, 3, 32, 32), 0.5)
    quality = QualityScores()
    quality.update(sr, hr, torch.full((1, 3, 8, 8), 0.3))
    scores = quality.compute()
    assert scores["psnr"].item() == pytest.approx(20, abs=1e-3)
    assert scores["psnr_bicubic"].item() == pytest.approx(-20 * np.log10(0.2), abs=1e-3)


def test_reset_forgets(pairs) -> None:
    sr, hr, lr = pairs
    quality = QualityScores()
    quality.update(sr, hr, lr)
    quality.reset()
    quality.update(sr[:1], hr[:1], lr[:1])
    alone = quality.compute()["psnr"].item()
    assert alone == pytest.approx(
        peak_signal_noise_ratio(hr[0].numpy(), sr[0].clamp(0, 1).numpy(), data_range=1), abs=1e-3
    )


def test_autocast_does_not_change_a_score(pairs) -> None:
    exact, cast = QualityScores(), QualityScores()
    exact.update(*pairs)
    with torch.autocast("cpu", torch.bfloat16):
        cast.update(*pairs)
    assert cast.compute() == exact.compute()


def test_without_its_backbone_lpips_is_left_out(tmp_path, monkeypatch, pairs) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    quality = QualityScores()
    quality.update(*pairs)
    assert not quality.measures_lpips
    assert "lpips" not in quality.compute()
    assert str(tmp_path) in quality.why_no_lpips


def test_lpips_with_its_backbone_in_the_cache(tmp_path, monkeypatch, pairs) -> None:
    from torchvision.models import alexnet

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    lpips_backbone().parent.mkdir()
    torch.manual_seed(0)
    torch.save(alexnet().state_dict(), tmp_path / "checkpoints" / LPIPS_BACKBONE)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    quality = QualityScores()
    sr, hr, lr = (torch.nn.functional.interpolate(images, 64) for images in pairs)
    quality.update(sr, hr, lr)
    assert quality.measures_lpips
    assert quality.compute()["lpips"].item() > 0
    assert not quality.state_dict()  # or a checkpoint would fit only where the backbone is there
    assert not list(quality.parameters())
    quality.update(*(images[..., :16, :16] for images in (sr, hr, lr)))
    assert quality.compute().keys() == {"psnr", "psnr_bicubic", "ssim"}
    quality.reset()
    quality.update(sr, hr, lr)
    assert quality.compute()["lpips"].item() > 0
