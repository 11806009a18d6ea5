import inspect

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from portraitdata.scoring.conventions import compared_channels, luma
from portraitdata.scoring.psnr import psnr
from portraitdata.scoring.ssim import STRIP, WINDOW, ssim

CONVENTIONS = ("osediff", "rgb")


def synthetic():
    """Restored and target image of 40 x 48 pixels in 8 bits, every channel different: (1, 3, 48, 40) in [0, 1]."""
    y, x, c = np.meshgrid(np.arange(48), np.arange(40), np.arange(3), indexing="ij")
    target = (127.5 + 90 * np.sin(x / (3 + c)) * np.cos(y / (5 - c)) + (x * y * (c + 2)) % 37).clip(0, 255).round()
    restored = (0.9 * np.roll(target, 1, axis=1) + (x * (c + 1) + 3 * y) % 23).clip(0, 255).round()
    return tuple(torch.from_numpy(image.transpose(2, 0, 1) / 255).float()[None] for image in (restored, target))


def noisy(count=2, side=24, seed=0):
    generator = torch.Generator().manual_seed(seed)
    target = torch.rand(count, 3, side, side + 5, generator=generator)
    return (target + 0.1 * torch.randn(target.shape, generator=generator)).clamp(0, 1), target


# Made by pyiqa 0.1.16 with torch 2.14.1, from the images of synthetic() as r and t:
#   for crop in (0, 4):
#       for name, options in (("psnr", {}), ("psnr", dict(test_y_channel=True, color_space="ycbcr")),
#                             ("ssim", dict(test_y_channel=True, color_space="ycbcr")), ("ssimc", {})):
#           pyiqa.create_metric(name, crop_border=crop, **options)(r, t).item()
PYIQA = [
    (psnr, "rgb", 0, 21.5582275390625),
    (psnr, "rgb", 4, 22.164630889892578),
    (psnr, "osediff", 0, 25.91680335998535),
    (psnr, "osediff", 4, 26.517484664916992),
    (ssim, "osediff", 0, 0.7235240246373541),
    (ssim, "osediff", 4, 0.7282567191706719),
    (ssim, "rgb", 0, 0.7424848246554228),
    (ssim, "rgb", 4, 0.7515495072569371),
]
# The same pyiqa's defaults for Y, ``psnry`` and ``ssim``, are Y of YIQ: the trap.
PYIQA_YIQ = [(psnr, 24.594886779785156), (ssim, 0.7099261077682554)]


@pytest.mark.parametrize(("measure", "convention", "crop", "expected"), PYIQA)
def test_is_what_pyiqa_says(measure, convention, crop, expected):
    assert measure(*synthetic(), convention, crop).item() == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize(("measure", "yiq"), PYIQA_YIQ)
def test_convention_y_is_of_ycbcr_and_not_of_yiq(measure, yiq):
    assert abs(measure(*synthetic(), "osediff").item() - yiq) > 0.01


def test_convention_osediff_counts_opposed_pixels_as_zero():
    _, target = synthetic()
    # pyiqa 0.1.16: create_metric("ssim", color_space="ycbcr")(1 - t, t).item() and "ssimc" are 0.0
    assert ssim(1 - target, target, "osediff").item() == 0
    assert ssim(1 - target, target, "rgb").item() < -0.5


def test_convention_luma_is_of_red_green_blue_in_this_order():
    colours = torch.eye(3).reshape(3, 3, 1, 1)
    swing = [(16 + 65.481) / 255, (16 + 128.553) / 255, (16 + 24.966) / 255]
    torch.testing.assert_close(luma(colours).flatten(), torch.tensor(swing))


def reference_planes(image, convention):
    """Independent: what is compared, (c, h, w) in float64."""
    values = image.double().numpy()
    if convention == "rgb":
        return values
    return ((65.481 * values[0] + 128.553 * values[1] + 24.966 * values[2] + 16) / 255)[None]


@settings(derandomize=True, deadline=None, max_examples=10)
@given(seed=st.integers(0, 1000), crop=st.integers(0, 5), convention=st.sampled_from(CONVENTIONS))
def test_psnr_is_that_of_numpy(seed, crop, convention):
    restored, target = noisy(seed=seed)
    inner = (slice(None), slice(crop, 24 - crop), slice(crop, 29 - crop))
    for image, (x, y) in zip(psnr(restored, target, convention, crop), zip(restored, target, strict=True), strict=True):
        error = (reference_planes(x, convention)[inner] - reference_planes(y, convention)[inner]) ** 2
        assert image.item() == pytest.approx(10 * np.log10(1 / (error.mean() + 1e-8)), abs=1e-4)


@settings(derandomize=True, deadline=None, max_examples=10)
@given(seed=st.integers(0, 1000), convention=st.sampled_from(CONVENTIONS), strips=st.integers(0, 2))
def test_ssim_is_that_of_scikit_image_where_the_window_fits(seed, convention, strips):
    restored, target = noisy(side=WINDOW + strips * STRIP + seed % 3, seed=seed)
    for found, x, y in zip(ssim(restored, target, convention), restored, target, strict=True):
        planes = []
        for one, other in zip(reference_planes(x, convention), reference_planes(y, convention), strict=True):
            if convention == "osediff":
                one, other = np.rint(one * 255) / 255, np.rint(other * 255) / 255
            _, values = structural_similarity(
                *(one, other), full=True, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
            )
            # scikit-image mirrors the image at its border; five pixels from it the window needs none of that
            planes.append(values[5:-5, 5:-5].mean())
        assert found.item() == pytest.approx(np.mean(planes), abs=1e-5)


def test_ssim_of_rgb_is_that_of_torchmetrics_where_it_does_not_mirror_the_image():
    restored, target = noisy(3, side=40)
    _, values = structural_similarity_index_measure(
        restored, target, data_range=1.0, reduction="none", return_full_image=True
    )
    inner = values[..., 5:-5, 5:-5].flatten(1).mean(dim=1)
    torch.testing.assert_close(ssim(restored, target, "rgb"), inner, atol=1e-5, rtol=0)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_equal_images_have_eighty_decibels_and_similarity_one(convention):
    _, target = noisy()
    assert psnr(target, target, convention).tolist() == pytest.approx([80, 80], abs=1e-5)
    assert ssim(target, target, convention).tolist() == pytest.approx([1, 1], abs=1e-6)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("measure", [psnr, ssim])
def test_every_image_of_a_batch_counts_alone(measure, convention):
    restored, target = noisy(3)
    alone = torch.cat([measure(restored[i : i + 1], target[i : i + 1], convention) for i in range(3)])
    torch.testing.assert_close(measure(restored, target, convention), alone)
    assert alone.unique().numel() == 3


def test_knows_two_conventions():
    with pytest.raises(ValueError, match="one of osediff, rgb, got 'yiq'"):
        inspect.unwrap(compared_channels)(*noisy(), "yiq", 0)


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_half_precision_is_measured_in_float32(measure):
    restored, target = noisy()
    for dtype in (torch.float16, torch.bfloat16):
        with torch.autocast("cpu", torch.bfloat16):
            found = measure(restored.to(dtype), target.to(dtype))
        assert found.dtype == torch.float32
        assert found.tolist() == pytest.approx(measure(restored, target).tolist(), rel=0.02)


def test_psnr_of_rgb_is_differentiable():
    restored, target = (image.double()[:1, :, :4, :4] for image in noisy())
    assert torch.autograd.gradcheck(lambda x: psnr(x, target, "rgb"), restored.requires_grad_())


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_ssim_is_differentiable_in_spite_of_the_rounding(convention):
    restored, target = noisy()
    restored.requires_grad_()
    ssim(restored, target, convention).sum().backward()
    assert restored.grad.abs().sum() > 0


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_says_what_does_not_fit(measure):
    image = torch.zeros(1, 3, 16, 16)
    # the test run checks shapes before the function does
    with pytest.raises(ValueError, match=r"one shape, got \(1, 3, 16, 16\) and \(1, 3, 16, 12\)"):
        inspect.unwrap(compared_channels)(image, image[..., :12], "rgb", 0)
    with pytest.raises(ValueError, match="leave something of 16 x 16, got 8"):
        measure(image, image, crop=8)
    with pytest.raises(ValueError, match="leave something of 16 x 16, got -1"):
        measure(image, image, crop=-1)


def test_ssim_needs_a_window():
    image = torch.zeros(1, 3, 16, 16)
    with pytest.raises(ValueError, match="11 x 11 pixels at least, got 10 x 10 with 3 pixels left out"):
        ssim(image, image, crop=3)
