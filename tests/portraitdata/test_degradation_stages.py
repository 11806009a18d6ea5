"""Each stage against an independent way to do it."""

import io

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage, stats

from portraitdata.degradation.batched.filtering import filter_batch, sharpen_batch
from portraitdata.degradation.batched.jpeg import compress_batch
from portraitdata.degradation.batched.noise import noisy as noisy_tensor
from portraitdata.degradation.filtering import filtered
from portraitdata.degradation.jpeg import compressed
from portraitdata.degradation.kernels import kernel_of
from portraitdata.degradation.noise import noisy
from portraitdata.degradation.poisson_table import level_count, poisson_counts
from portraitdata.degradation.records import KernelRecord, NoiseRecord
from portraitdata.degradation.resizing import resized
from portraitdata.degradation.sharpening import sharpened

LEVEL = 1 / 255


def textured(height=96, width=80, seed=0):
    """Soft noise with hard edges, float32 in [0, 1]."""
    soft = cv2.GaussianBlur(np.random.default_rng(seed).random((height, width, 3), dtype=np.float32), (0, 0), 1.5)
    soft = (soft - soft.min()) / (soft.max() - soft.min())
    soft[height // 3 : height // 2, width // 4 :] *= 0.3
    return np.clip(soft, 0, 1)


def as_tensor(image):
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).unsqueeze(0)


def as_array(images):
    return images[0].permute(1, 2, 0).numpy()


# blur


KERNELS = [
    KernelRecord("iso", 21, 2.9, 2.9),
    KernelRecord("iso", 9, 0.3, 0.3),
    KernelRecord("aniso", 21, 2.8, 0.4, 0.9),
    KernelRecord("aniso", 7, 1.8, 0.4, -0.4),
    KernelRecord("plateau_iso", 13, 0.5, 0.5, beta=1.0),
    KernelRecord("plateau_aniso", 19, 2.0, 1.0, 2.0, 1.4),
    KernelRecord("sinc", 21, cutoff=1.1),
    KernelRecord("sinc", 11, cutoff=3.0),
]


@pytest.mark.parametrize("record", KERNELS, ids=lambda record: f"{record.kind} {record.size}")
@pytest.mark.parametrize("shape", [(40, 33), (7, 5)], ids=["large", "smaller than the kernel"])
def test_blur_equals_dense_correlation_of_the_mirrored_image(record, shape):
    image = textured(*shape)
    kernel = kernel_of(record)
    expected = np.stack(
        [ndimage.correlate(image[..., c].astype(np.float64), kernel, mode="mirror") for c in range(3)], axis=2
    )
    np.testing.assert_allclose(filtered(image, kernel), expected, atol=3e-5)
    batched = filter_batch(as_tensor(image).double(), [kernel])
    np.testing.assert_allclose(as_array(batched), expected, atol=1e-12)


def test_blur_equals_torch_convolution_with_reflect_padding():
    image = textured()
    kernel = kernel_of(KERNELS[2])
    weight = torch.from_numpy(kernel).float().expand(3, 1, 21, 21)
    padded = F.pad(as_tensor(image), (10, 10, 10, 10), mode="reflect")
    np.testing.assert_allclose(filtered(image, kernel), as_array(F.conv2d(padded, weight, groups=3)), atol=3e-5)


def test_convention_blur_is_correlation_not_convolution():
    point = np.zeros((9, 9, 3), np.float32)
    point[4, 4] = 1
    lopsided = np.zeros((3, 3))
    lopsided[0, 2] = 1
    assert filtered(point, lopsided)[5, 3, 0] == 1
    assert filter_batch(as_tensor(point), [lopsided])[0, 0, 5, 3] == 1


def test_each_image_of_a_batch_has_its_own_kernel():
    images = torch.cat([as_tensor(textured(seed=seed)) for seed in range(3)])
    kernels = [kernel_of(record) for record in KERNELS[:3]]
    together = filter_batch(images, kernels)
    for number in range(3):
        alone = filter_batch(images[number : number + 1], kernels[number : number + 1])
        torch.testing.assert_close(together[number : number + 1], alone, rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="got 3 images and 2 kernels"):
        filter_batch(images, kernels[:2])


# resize


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.tuples(*[st.integers(1, 40)] * 4), st.sampled_from(("area", "bilinear", "bicubic")))
def test_resize_equals_torch_interpolate(sides, mode):
    height, width, to_height, to_width = sides
    image = np.random.default_rng(0).random((height, width, 3), dtype=np.float32)
    expected = F.interpolate(as_tensor(image), size=(to_height, to_width), mode=mode)
    assert np.abs(resized(image, to_height, to_width, mode) - as_array(expected)).max() < 1e-4


@pytest.mark.parametrize("mode", ["area", "bilinear", "bicubic"])
@pytest.mark.parametrize("factor", [0.15, 0.61, 1.3])
def test_resize_of_a_large_image_equals_torch_interpolate(mode, factor):
    image = textured(500, 340)
    to = int(500 * factor), int(340 * factor)
    expected = as_array(F.interpolate(as_tensor(image), size=to, mode=mode))
    np.testing.assert_allclose(resized(image, *to, mode), expected, atol=1e-6 if mode == "area" else 5e-5)


def test_area_is_not_that_of_opencv():
    image = textured(100, 100)
    other = cv2.resize(image, (61, 61), interpolation=cv2.INTER_AREA)
    assert np.abs(resized(image, 61, 61, "area") - other).max() > 0.02


# noise


def flat(value, side=400):
    return np.full((side, side, 3), value, np.float32)


def test_gaussian_noise_has_its_strength_and_independent_channels():
    field = noisy(flat(0.5), NoiseRecord("gaussian", 20.0, False, 1)) - 0.5
    assert field.std() == pytest.approx(20 / 255, rel=0.01)
    assert abs(field.mean()) < 1e-3
    assert np.abs(np.corrcoef(field.reshape(-1, 3), rowvar=False) - np.eye(3)).max() < 0.01
    assert stats.kstest(field[..., 0].ravel() * 255 / 20, "norm").pvalue > 1e-3


@pytest.mark.parametrize("kind", ["gaussian", "poisson"])
def test_grey_noise_is_the_same_in_all_channels(kind):
    image = flat(0.5)
    image[..., 1] = 0.4
    grey = noisy(image, NoiseRecord(kind, 0.1, True, 1)) - image
    np.testing.assert_allclose(grey[..., 0], grey[..., 1], atol=1e-6)
    colour = noisy(image, NoiseRecord(kind, 0.1, False, 1)) - image
    assert np.abs(colour[..., 0] - colour[..., 1]).max() > 1e-3


def test_noise_is_clipped_not_rounded():
    out = noisy(flat(0.02), NoiseRecord("gaussian", 30.0, False, 0))
    assert (out.min(), out.max()) >= (0, 0.3)
    assert len(np.unique(out)) > 10_000


@pytest.mark.parametrize("levels", [1, 2, 16, 128, 256])
def test_poisson_counts_invert_the_distribution_function(levels):
    random = np.random.default_rng(levels)
    image = random.integers(0, 256, 20_000, dtype=np.uint8)
    bits = random.integers(0, 1 << 32, 20_000, dtype=np.uint32)
    expected = stats.poisson.ppf((bits + 0.5) / 2**32, image / 255 * levels)
    counts = poisson_counts(image, levels, bits)
    # Where the random number is within rounding of a bound, either count is right.
    assert (counts == expected).mean() > 0.9999
    assert np.abs(counts - expected).max() <= 1


@pytest.mark.parametrize("value", [4, 8, 20, 128, 252])
def test_poisson_noise_has_the_law_of_photons_also_in_shadows(value):
    """A chi-squared test of the counts; the Gaussian of the same variance fails it in shadows."""
    levels = 64
    image = flat(value / 255)
    image.reshape(-1, 3)[:levels] = (np.arange(levels) * 4 / 255)[:, None]  # so that there are 64 levels
    noise = noisy(image, NoiseRecord("poisson", 0.5, False, 5)) - image
    counts = np.rint((noise.reshape(-1, 3)[levels:] / 0.5 + value / 255) * levels).ravel()
    mean = value / 255 * levels
    if value == 252:  # clipped at white: the lower half is left
        counts, limit = counts[counts < mean], mean
    else:
        limit = np.inf
    edges = np.arange(0, int(mean + 6 * mean**0.5 + 6))
    expected = stats.poisson.pmf(edges, mean) * (edges <= limit)
    expected *= len(counts) / expected.sum()
    seen = np.array([(counts == edge).sum() for edge in edges])
    enough = expected > 10
    statistic = ((seen - expected)[enough] ** 2 / expected[enough]).sum()
    assert statistic < stats.chi2.ppf(0.9999, enough.sum())


def test_poisson_noise_counts_levels_of_all_channels_or_of_the_luma():
    image = flat(0.0, 16)
    for channel in range(3):
        image[..., channel] = (np.arange(256).reshape(16, 16) % 40 + 40 * channel) / 255
    values = np.rint(image * 255).astype(np.uint8)
    assert level_count(values) == 128  # 120 values
    luma = np.rint(image @ np.array([0.299, 0.587, 0.114]) * 255).astype(np.uint8)
    assert level_count(luma) == 64  # 40 values
    # Photons are whole: noise / strength + image is a multiple of 1 / levels.
    for grey, levels, base in ((False, 128, values), (True, 64, luma[..., None])):
        noise = noisy(image + 0.3, NoiseRecord("poisson", 0.01, grey, 0)) - (image + 0.3)
        shifted = np.rint((image + np.float32(0.3)) * 255) if not grey else base + np.rint(0.3 * 255)
        photons = (noise / 0.01 + shifted / 255) * levels
        assert np.abs(photons - np.rint(photons)).max() < (0.02 if not grey else 0.6)


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("kind", ["gaussian", "poisson"])
def test_exact_noise_of_a_tensor_is_that_of_the_array(kind, grey):
    image = textured()
    record = NoiseRecord(kind, 2.0, grey, 9)
    other = as_array(noisy_tensor(as_tensor(image)[0], record, exact=True).unsqueeze(0))
    difference = np.abs(noisy(image, record) - other)
    assert (difference > 1e-5).mean() < 1e-3
    assert difference.max() < 0.1


@pytest.mark.parametrize("kind", ["gaussian", "poisson"])
def test_noise_drawn_by_torch_is_other_noise_of_the_same_law(kind):
    image = flat(0.4, 200)
    image[0, :128] = (np.arange(128) / 127)[:, None]
    record = NoiseRecord(kind, 1.0, False, 9)
    ours = (noisy(image, record) - image)[1:]
    theirs = as_array(noisy_tensor(as_tensor(image)[0], record, exact=False).unsqueeze(0) - as_tensor(image))[1:]
    assert np.abs(ours - theirs).max() > 0.01
    assert theirs.std() == pytest.approx(ours.std(), rel=0.02)
    assert stats.ks_2samp(ours.ravel()[::7].round(4), theirs.ravel()[::7].round(4)).pvalue > 1e-3
    again = noisy_tensor(as_tensor(image)[0], record, exact=False)
    torch.testing.assert_close(again, noisy_tensor(as_tensor(image)[0], record, exact=False), rtol=0, atol=0)


# sharpening


def test_sharpening_equals_the_dense_convolution():
    image = textured(120, 90)
    line = np.exp(-((np.arange(51) - 25) ** 2) / (2 * 8.0**2))
    dense = np.outer(line, line) / line.sum() ** 2

    def blurred(channels):
        return np.stack([ndimage.correlate(channels[..., c], dense, mode="mirror") for c in range(3)], axis=2)

    exact = image.astype(np.float64)
    residual = exact - blurred(exact)
    # Pixels within rounding of the threshold are left out: which side they fall on is chance.
    assert (np.abs(np.abs(residual) * 255 - 10) < 1e-5).sum() == 0
    soft = blurred((np.abs(residual) * 255 > 10).astype(np.float64))
    expected = soft * np.clip(exact + 0.5 * residual, 0, 1) + (1 - soft) * exact
    np.testing.assert_allclose(sharpened(image), expected, atol=2e-6)
    np.testing.assert_allclose(as_array(sharpen_batch(as_tensor(image))), expected, atol=2e-6)
    assert np.abs(expected - exact).max() > 0.05


def test_sigma_of_the_mask_is_what_opencv_makes_of_its_size():
    assert (cv2.getGaussianKernel(51, 0) == cv2.getGaussianKernel(51, 8.0)).all()


# JPEG


def by_pillow(image, quality):
    file = io.BytesIO()
    Image.fromarray(np.rint(image * 255).astype(np.uint8)).save(file, "JPEG", quality=quality, subsampling=2)
    return np.asarray(Image.open(file)).astype(np.float32) / 255


@pytest.mark.parametrize("quality", [1, 30, 75, 95, 100])
def test_jpeg_is_that_of_libjpeg(quality):
    image = textured()
    np.testing.assert_allclose(compressed(image, quality), by_pillow(image, quality), atol=1e-6)


@pytest.mark.parametrize("quality", [1, 10, 30, 49, 50, 60, 75, 95, 100])
@pytest.mark.parametrize("shape", [(96, 80), (61, 43), (7, 9), (1, 1)])
def test_jpeg_of_tensors_is_libjpeg_but_for_the_last_bit(quality, shape):
    image = textured(96, 80)[: shape[0], : shape[1]]
    difference = np.abs(as_array(compress_batch(as_tensor(image), [quality])) - by_pillow(image, quality)) * 255
    # One coefficient of a block that is rounded the other way is some tenths here.
    assert difference.mean() < 0.3
    assert (difference > 0.5).mean() < 0.1


def test_jpeg_of_tensors_differs_by_hundredths_of_a_level_on_average():
    image = textured(512, 512)
    qualities = list(range(30, 101, 10))
    ours = compress_batch(as_tensor(image).repeat(len(qualities), 1, 1, 1), qualities)
    libjpeg = np.stack([by_pillow(image, quality) for quality in qualities])
    assert np.abs(ours.permute(0, 2, 3, 1).numpy() - libjpeg).mean() * 255 < 0.03


def test_jpeg_of_the_reference_peer_is_much_farther_from_libjpeg():
    """What rounding, tables and chroma are worth: float tables, nearest chroma and no intermediate rounding."""
    image = textured()
    pixels = np.rint(image * 255)
    nearest = pixels.reshape(48, 2, 40, 2, 3).mean(axis=(1, 3)).repeat(2, axis=0).repeat(2, axis=1)
    assert np.abs(nearest - by_pillow(image, 90) * 255).mean() > 20 * 0.05


def test_each_image_of_a_batch_has_its_own_quality():
    images = as_tensor(textured()).repeat(3, 1, 1, 1)
    together = compress_batch(images, [20, 95, 60])
    for number, quality in enumerate((20, 95, 60)):
        alone = compress_batch(images[:1], [quality])
        # a coefficient that is rounded the other way changes its block alone
        assert (together[number : number + 1] - alone).abs().mean() * 255 < 0.05
    with pytest.raises(ValueError, match="got 3 images and 1 qualities"):
        compress_batch(images, [20])


@pytest.mark.parametrize("quality", [0, 101])
def test_qualities_out_of_range_are_refused(quality):
    with pytest.raises(ValueError, match=f"from 1 to 100, got {quality}"):
        compressed(textured(8, 8), quality)
    with pytest.raises(ValueError, match=f"from 1 to 100, got {quality}"):
        compress_batch(as_tensor(textured(8, 8)), [quality])
