"""What a picture has lost of its input comes back; noise does not."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from faceops.images.files import Picture
from headsup.restoring.back_projection import LEAST_SPACING, USUAL_SHARE, back_projected, wiener_gain
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.weights.shipped import DEFAULT_WEIGHTS
from portraitdata.images.resampling import bicubic
from portraitdata.images.simulated_views import astronaut
from portraitdata.scoring.psnr import psnr

SIDE = 128


def reduced(picture: Tensor) -> Tensor:
    return bicubic(picture, SIDE // 4, SIDE // 4)


def enlarged(picture: Tensor) -> Tensor:
    return bicubic(picture, SIDE, SIDE)


def blob() -> Tensor:
    """A dark spot of some pixels of the input, as an eye is, on grey."""
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    spot = torch.exp(-((x - 50.0) ** 2 + (y - 70.0) ** 2) / (2 * 6.0**2))
    return (0.6 - 0.4 * spot).expand(1, 3, SIDE, SIDE)


def noise(deviation: float) -> Tensor:
    return deviation * torch.randn(1, 3, SIDE // 4, SIDE // 4, generator=torch.Generator().manual_seed(3))


def test_what_was_lost_comes_back() -> None:
    flat, truth = torch.full((1, 3, SIDE, SIDE), 0.6), blob()
    again = back_projected(flat, enlarged(reduced(truth)), 4.0, 1.0)
    assert (again - truth).abs().max() < 0.02
    half = back_projected(flat, enlarged(reduced(truth)), 4.0, 0.5)
    torch.testing.assert_close(half, (flat + again) / 2, atol=1e-5, rtol=0)


def test_noise_stays_away() -> None:
    clean = blob()
    again = back_projected(clean, enlarged(reduced(clean) + noise(0.05)), 4.0, 1.0)
    assert (again - clean).square().mean() < 0.1 * enlarged(noise(0.05)).square().mean()


def test_what_was_lost_under_noise_comes_back_without_most_of_it() -> None:
    flat, truth = torch.full((1, 3, SIDE, SIDE), 0.6), blob()
    again = back_projected(flat, enlarged(reduced(truth) + noise(0.03)), 4.0, 1.0)
    error = (again - truth).square().mean()
    assert error < 0.3 * (flat - truth).square().mean()
    assert error < 0.5 * enlarged(noise(0.03)).square().mean()


def test_an_edge_of_paper_does_not_hide_the_noise() -> None:
    damage = noise(0.05)
    damage[..., 10:] = 0  # two thirds of the picture are without any
    torch.testing.assert_close(wiener_gain(damage)[..., :8].mean().item(), 0.0, atol=0.1, rtol=0)


@pytest.mark.parametrize(("height", "width", "scale"), [(1, 1, 4.0), (3, 40, 1.0), (37, 5, 2.5), (130, 67, 7.3)])
def test_any_size(height: int, width: int, scale: float) -> None:
    restored, source = torch.rand(2, 2, 3, height, width, generator=torch.Generator().manual_seed(0)).unbind()
    again = back_projected(restored, source, scale)
    assert again.shape == restored.shape
    assert 0 <= again.min() <= again.max() <= 1
    assert back_projected(restored, source, scale, 0.0) is restored


def test_finer_than_the_input_nothing_changes() -> None:
    """An input as large as the result is compared at a quarter of its pixels: its blur is not given back."""
    sharp = blob()
    sharp = (sharp + 0.1 * torch.where(torch.arange(SIDE) % 2 == 0, 1.0, -1.0)).clamp(0, 1)
    blurred = enlarged(bicubic(sharp, SIDE // 2, SIDE // 2))
    again = back_projected(sharp, blurred, 1.0, 1.0)
    assert LEAST_SPACING == 4
    torch.testing.assert_close(again, sharp, atol=5e-3, rtol=0)


@pytest.fixture(scope="module")
def by_share() -> Callable[[str, float | None], Tensor]:
    picture = Picture(bicubic(astronaut(), 128, 128).clamp(0, 1))
    restorers = {name: PhotoRestorer.load(name) for name in (DEFAULT_WEIGHTS, "tiny")}

    def restored(weights: str, share: float | None) -> Tensor:
        return restorers[weights](picture, RestoreOptions(scale=4.0, give_back=share)).picture.pixels

    return restored


def test_usual_share(by_share: Callable[[str, float | None], Tensor]) -> None:
    assert by_share(DEFAULT_WEIGHTS, None).equal(by_share(DEFAULT_WEIGHTS, USUAL_SHARE))
    assert by_share("tiny", None).equal(by_share("tiny", 0.0)), "as in the paper, which gives nothing back"


def test_a_real_face_is_nearer_to_the_truth(by_share: Callable[[str, float | None], Tensor]) -> None:
    truth = astronaut()[None]
    plain, usual = (psnr(by_share(DEFAULT_WEIGHTS, share)[None], truth).item() for share in (0.0, None))
    assert usual > plain + 0.03


def test_shares_that_are_none() -> None:
    with pytest.raises(ValueError, match=r"share of the input to be given back is from 0 to 1, got 1\.5"):
        RestoreOptions(give_back=1.5)
