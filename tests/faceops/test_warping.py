import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from faceops.geometry.similarity import compose, invert, resized
from faceops.geometry.warping import normalised, warp_affine

FIXED_POINT = int(cv2.__version__.split(".")[0]) < 5
"""OpenCV 4 rounds positions to 1/32 pixel: some levels of 255 on white noise."""


def noise(batch=1, height=40, width=53, seed=0, dtype=torch.float32):
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def turned(angle=0.4, scale=1.3, right=3.3, down=-5.1, dtype=torch.float32):
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return torch.tensor([[[c, -s, right], [s, c, down]]], dtype=dtype)


def by_opencv(image, matrix, height, width, fill=0.0):
    picture = image.permute(1, 2, 0).numpy().astype(np.float32)
    out = cv2.warpAffine(picture, matrix.double().numpy(), (width, height), borderValue=(fill, fill, fill))
    return torch.from_numpy(out).permute(2, 0, 1)


@pytest.mark.parametrize("fill", [0.0, 0.7])
@pytest.mark.parametrize("size", [(31, 44), (64, 20)])
@pytest.mark.parametrize("angle", [0.0, 0.4, 2.5])
def test_it_is_opencvs(angle, size, fill):
    image, matrix = noise(), turned(angle)
    ours, theirs = warp_affine(image, matrix, size, fill=fill)[0], by_opencv(image[0], matrix[0], *size, fill)
    difference = (ours - theirs).abs() * 255
    assert difference.mean() < (1.2 if FIXED_POINT else 2e-3)
    assert difference.max() < (10 if FIXED_POINT else 0.05)


def test_convention_a_matrix_is_in_pixels_from_source_to_output_x_first():
    image = torch.arange(12.0).reshape(1, 1, 3, 4)
    moved = torch.tensor([[[1.0, 0.0, 2.0], [0.0, 1.0, 1.0]]])
    expected = torch.zeros(1, 1, 3, 4)
    expected[..., 1:, 2:] = image[..., :2, :2]  # two right and one down; the inverse would go left and up
    torch.testing.assert_close(warp_affine(image, moved, (3, 4)), expected)


def test_convention_pixel_centres_are_integers():
    image = noise(height=6, width=6)
    # centres at half-integers would give 2 x + 0; corners that coincide give the resize of torch
    out = warp_affine(image, resized(2.0).float(), 12)
    expected = F.interpolate(F.pad(image, (1, 1, 1, 1)), scale_factor=2.0, mode="bilinear")[..., 2:-2, 2:-2]
    torch.testing.assert_close(out, expected)


def test_theta_for_coinciding_corners_gives_the_same_picture():
    image, matrix = noise(height=20, width=30, dtype=torch.float64), turned(dtype=torch.float64)
    corners = torch.tensor([[2 / 29, 0.0, -1.0], [0.0, 2 / 19, -1.0]], dtype=torch.float64).unsqueeze(0)
    out = torch.tensor([[2 / 14, 0.0, -1.0], [0.0, 2 / 9, -1.0]], dtype=torch.float64).unsqueeze(0)
    theta = compose(corners, compose(invert(matrix), invert(out)))
    other = F.grid_sample(image, F.affine_grid(theta, [1, 3, 10, 15], align_corners=True), align_corners=True)
    torch.testing.assert_close(warp_affine(image, matrix, (10, 15)), other)
    assert not torch.allclose(theta, normalised(matrix, (20, 30), (10, 15)))


@pytest.mark.parametrize(
    "index", [[0, 1, 2], [2, 0, 1], [1, 1, 1, 1], [2, 0, 2, 1, 2, 0], [2], [0, 0, 1, 1, 2, 2], [2, 1, 2, 1]]
)
def test_ragged_windows_are_those_of_their_images(index):
    images = noise(3)
    matrix = torch.cat([turned(0.1 * i, right=float(i)) for i in range(len(index))])
    together = warp_affine(images, matrix, (9, 11), torch.tensor(index))
    alone = [warp_affine(images[k : k + 1], matrix[i : i + 1], (9, 11)) for i, k in enumerate(index)]
    torch.testing.assert_close(together, torch.cat(alone))


@pytest.mark.parametrize("scale", [0.5, 0.9, 0.12])
def test_ragged_windows_reach_their_own_images_when_they_are_reduced(scale):
    images, index = noise(3, 64, 64), [2, 0, 2]
    matrix = torch.cat((turned(0.2, scale), turned(0.5, 1.0), turned(-0.3, scale / 3)))
    together = warp_affine(images, matrix, 8, torch.tensor(index), antialias=True)
    for i, k in enumerate(index):
        alone = warp_affine(images[k : k + 1], matrix[i : i + 1], 8, antialias=True)
        torch.testing.assert_close(together[i : i + 1], alone)


def test_gradients_of_images_and_matrices():
    images = noise(2, 6, 7, dtype=torch.float64).requires_grad_()
    matrix = torch.cat((turned(0.3, 1.1, 0.31, 0.17), turned(-0.2, 0.9, 1.23, 0.71), turned(1.0))).double()
    index = torch.tensor([1, 0, 1])
    assert torch.autograd.gradcheck(
        lambda x, m: warp_affine(x, m, (5, 4), index, fill=0.3), (images, matrix.requires_grad_()), atol=1e-4
    )


def test_gradients_through_the_reduction():
    images = noise(1, 12, 13, dtype=torch.float64).requires_grad_()
    matrix = turned(0.3, 0.3, 0.31, 0.17).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x, m: warp_affine(x, m, 3, antialias=True), (images, matrix), atol=1e-4)


@pytest.mark.parametrize("reduction", [2.0, 3.4, 7.3, 16.0])
def test_the_low_pass_removes_what_would_alias(reduction):
    # stripes finer than the output can show: an unfiltered sample keeps their contrast as false, coarse ones
    stripes = (torch.arange(512) % 2).float().expand(1, 1, 512, 512)
    side = int(512 / reduction) - 2
    matrix = compose(turned(0.05, 1.0, 0.0, 0.0).double(), resized(1 / reduction))
    plain = warp_affine(stripes, matrix, side)[..., side // 4 : -side // 4, side // 4 : -side // 4]
    smooth = warp_affine(stripes, matrix, side, antialias=True)[..., side // 4 : -side // 4, side // 4 : -side // 4]
    assert plain.std() > 0.15
    assert smooth.std() < 0.03
    assert smooth.mean().item() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("reduction", [2, 4, 8, 16, 32])
def test_the_low_pass_of_a_power_of_two_is_the_mean_of_the_area(reduction):
    image = noise(1, 64, 64)
    ours = warp_affine(image, resized(1 / reduction).float(), 64 // reduction, antialias=True)
    torch.testing.assert_close(ours, F.avg_pool2d(image, reduction))


def test_the_low_pass_does_not_lose_the_last_column_of_an_odd_number():
    # halved, the column of eights stands for the pair that it begins; beyond it there is nothing
    image = torch.arange(9.0).expand(1, 1, 8, 9)
    ours = warp_affine(image, resized(1 / 4).float(), (2, 3), antialias=True)
    torch.testing.assert_close(ours, torch.tensor([1.5, 5.5, 4.0]).expand(1, 1, 2, 3))


@pytest.mark.parametrize(("reduction", "filtered"), [(1.5, False), (1.51, True)])
def test_the_low_pass_begins_beyond_its_limit(reduction, filtered):
    image, matrix = noise(1, 30, 30, dtype=torch.float64), resized(1 / reduction)
    plain, smooth = (warp_affine(image, matrix, 16, antialias=a) for a in (False, True))
    assert plain.equal(smooth) is not filtered


@pytest.mark.parametrize(("reduction", "error"), [(1.6, 0.10), (2.5, 0.15), (3.42, 0.5), (7.5, 0.55)])
def test_the_low_pass_is_near_the_mean_of_the_area(reduction, error):
    # white noise, the hardest image there is; the error is a share of its contrast after the reduction
    image, side = noise(1, 128, 128, dtype=torch.float64), int(128 / reduction) - 1
    edges = torch.arange(side + 1) * reduction
    whole, part = edges.floor().long(), edges % 1
    sums = F.pad(image, (1, 1, 1, 1)).cumsum(-1).cumsum(-2)
    across = sums[..., whole] * (1 - part) + sums[..., whole + 1] * part
    both = across[..., whole, :] * (1 - part)[:, None] + across[..., whole + 1, :] * part[:, None]
    area = both.diff(dim=-1).diff(dim=-2) / reduction**2
    ours, plain = (warp_affine(image, resized(1 / reduction), side, antialias=a) for a in (True, False))
    assert (ours - area).std() < error * area.std()
    assert (ours - area).std() < 0.3 * (plain - area).std()


def test_small_reductions_are_sampled_as_opencv_does_even_with_a_low_pass():
    image, matrix = noise(), turned(0.2, 0.7)
    assert torch.equal(warp_affine(image, matrix, 20, antialias=True), warp_affine(image, matrix, 20))


settled = settings(max_examples=15, deadline=None, derandomize=True)


@settled
@given(st.floats(-3, 3), st.floats(0.3, 3), st.floats(-9, 9))
def test_constant_images_stay_constant(angle, scale, right):
    matrix = turned(angle, scale, right)
    image = torch.full((1, 3, 30, 30), 0.25)
    for antialias in (False, True):
        out = warp_affine(image, matrix, 12, fill=0.25, antialias=antialias)
        torch.testing.assert_close(out, torch.full_like(out, 0.25))


@settled
@given(st.floats(-3, 3), st.floats(1.0, 2.0))
def test_there_and_back_is_the_image_up_to_smoothing(angle, scale):
    y, x = torch.meshgrid(torch.linspace(0, 6, 40), torch.linspace(0, 5, 40), indexing="ij")
    image = (0.5 + 0.4 * torch.sin(x) * torch.cos(y)).expand(1, 3, -1, -1)
    middle = torch.tensor([[[1.0, 0.0, -19.5], [0.0, 1.0, -19.5]]])
    matrix = compose(torch.tensor([[[1.0, 0.0, 59.5], [0.0, 1.0, 59.5]]]), compose(turned(angle, scale, 0, 0), middle))
    back = warp_affine(warp_affine(image, matrix, 120), invert(matrix), 40)
    assert (back - image)[..., 2:-2, 2:-2].abs().max() < 0.02


def test_several_fills_are_one_for_each_channel():
    out = warp_affine(
        torch.zeros(1, 3, 2, 2), torch.tensor([[[1.0, 0.0, 9.0], [0.0, 1.0, 9.0]]]), 4, fill=[0.1, 0.2, 0.3]
    )
    assert out[0, :, 0, 0].tolist() == pytest.approx([0.1, 0.2, 0.3])


def test_one_pixel_is_enough():
    assert warp_affine(torch.ones(1, 3, 1, 1), resized(1.0).float(), 1).tolist() == torch.ones(1, 3, 1, 1).tolist()


def test_no_window_is_none():
    out = warp_affine(noise(2), torch.zeros(0, 2, 3), 16, torch.zeros(0, dtype=torch.int64))
    assert out.shape == (0, 3, 16, 16)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    image, matrix = noise().to(dtype), turned()
    out = warp_affine(image, matrix, 20)
    assert out.dtype == dtype
    torch.testing.assert_close(out, warp_affine(image.float(), matrix, 20).to(dtype))


def test_what_does_not_fit_is_said():
    images, matrix = noise(2), turned()
    with pytest.raises(ValueError, match="1 matrices do not fit 2 images one to one"):
        warp_affine(images, matrix, 8)
    with pytest.raises(ValueError, match="must name images 0 to 1, got 2 to 2"):
        warp_affine(images, matrix, 8, torch.tensor([2]))
    with pytest.raises(ValueError, match="names 2 images for 1 matrices"):
        warp_affine(images, matrix, 8, torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="at least one pixel"):
        warp_affine(images, matrix, 0, torch.tensor([0]))
