"""Colours come from the input, details from the restored picture."""

import time

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from headsup.restoring.colour import adain_colour, correct_colour, low_band, wavelet_colour


def naive_bands(x: Tensor, levels: int = 5) -> tuple[Tensor, Tensor]:
    """High and low band by dilated two-dimensional convolutions, each channel by itself."""
    kernel = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]], dtype=x.dtype).div(16).expand(x.shape[1], 1, 3, 3)
    high = torch.zeros_like(x)
    for level in range(levels):
        d = 2**level
        low = F.conv2d(F.pad(x, (d, d, d, d), mode="replicate"), kernel, dilation=d, groups=x.shape[1])
        high, x = high + x - low, low
    return high, x


@pytest.mark.parametrize(("height", "width"), [(70, 45), (33, 1), (16, 17), (3, 5), (1, 1)])
def test_wavelet_equals_the_two_dimensional_one(height: int, width: int) -> None:
    restored, source = torch.rand(2, 2, 3, height, width, generator=torch.Generator().manual_seed(0)).unbind()
    expected = naive_bands(restored)[0] + naive_bands(source)[1]
    torch.testing.assert_close(wavelet_colour(restored, source), expected, atol=2e-6, rtol=0)


def test_wavelet_is_fast_enough_for_4k() -> None:
    picture = torch.rand(1, 3, 540, 960)
    low_band(picture)
    start = time.perf_counter()
    low_band(picture)
    assert 16 * (time.perf_counter() - start) < 30, "seconds for 3840 x 2160 pixels on one core"


def test_convention_finest_level_first() -> None:
    # one level mixes neighbours only: an impulse stays within one pixel
    impulse = torch.zeros(1, 1, 9, 9)
    impulse[..., 4, 4] = 16
    one = low_band(impulse, levels=1)[0, 0]
    assert one[3:6, 3:6].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    assert one.sum() == 16


def test_wavelet_takes_off_a_slow_cast_and_keeps_detail() -> None:
    detail = 0.1 * torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    cast = torch.linspace(0, 0.2, 128).expand(1, 3, 128, 128)
    corrected = wavelet_colour(0.5 + detail + cast, 0.5 + detail)
    inside = (corrected - 0.5 - detail)[..., 40:-40, 40:-40]
    assert inside.abs().max() < 1e-3


def test_gradients() -> None:
    x, y = torch.rand(2, 1, 2, 5, 4, dtype=torch.float64, requires_grad=True, generator=None).unbind()
    assert torch.autograd.gradcheck(lambda a, b: wavelet_colour(a, b, levels=3), (x, y))
    assert torch.autograd.gradcheck(adain_colour, (x, y))


def test_adain_by_hand() -> None:
    restored = torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 2)
    source = torch.tensor([0.2, 0.6]).reshape(1, 1, 1, 2)
    # mean 0.4, deviation 0.2; the floor of the variances adds less than 1e-4
    torch.testing.assert_close(adain_colour(restored, source), source, atol=1e-4, rtol=0)


def test_adain_of_a_flat_channel_is_the_mean() -> None:
    source = torch.rand(1, 3, 8, 8)
    flat = adain_colour(torch.full((1, 3, 8, 8), 0.7), source)
    torch.testing.assert_close(flat, source.mean((2, 3), keepdim=True).expand_as(flat), atol=1e-5, rtol=0)


@pytest.mark.parametrize("method", ["wavelet", "adain", "none"])
def test_a_picture_with_right_colours_stays(method: str) -> None:
    picture = torch.rand(2, 3, 20, 30)
    torch.testing.assert_close(correct_colour(picture, picture, method), picture, atol=1e-6, rtol=0)


def test_result_is_a_picture() -> None:
    restored, source = torch.rand(1, 3, 20, 20).round(), torch.rand(1, 3, 20, 20).round()
    for method in ("wavelet", "adain"):
        result = correct_colour(restored, source, method)
        assert result.min() >= 0
        assert result.max() <= 1
    assert wavelet_colour(restored, source).max() > 1, "there was something to clamp"


def test_errors() -> None:
    picture = torch.rand(1, 3, 4, 4)
    with pytest.raises(ValueError, match="enlarge the input first"):
        correct_colour(picture, torch.rand(1, 3, 2, 2))
