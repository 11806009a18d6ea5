import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from portraitdata.images import bicubic_bands as bands_module
from portraitdata.images.bicubic_bands import bicubic_bands, keys_cubic
from portraitdata.images.resampling import bicubic, to_8_bit

SIDES = st.integers(1, 24)


def imresize_line(line: np.ndarray, target: int) -> np.ndarray:
    """MATLAB's imresize along one line, tap by tap, straight from its definition."""
    source = len(line)
    shrink = min(target / source, 1.0)
    out = np.zeros(target)
    for i in range(target):
        centre = (i + 0.5) * source / target - 0.5
        total = weights = 0.0
        for tap in range(int(np.floor(centre - 2 / shrink)) - 1, int(np.ceil(centre + 2 / shrink)) + 2):
            x = abs(tap - centre) * shrink
            if x < 1:
                weight = 1.5 * x**3 - 2.5 * x**2 + 1
            else:
                weight = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0
            mirrored = tap % (2 * source)
            mirrored = mirrored if mirrored < source else 2 * source - 1 - mirrored
            total += weight * line[mirrored]
            weights += weight
        out[i] = total / weights
    return out


def test_known_values():
    # Halving a step by hand: the widened kernel at distances 1/4, 3/4, 5/4, 7/4.
    near, far = keys_cubic(np.array([0.25, 0.75])), keys_cubic(np.array([1.25, 1.75]))
    assert near.tolist() == [0.8671875, 0.2265625]
    assert far.tolist() == [-0.0703125, -0.0234375]
    line = torch.tensor([[0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]], dtype=torch.float64)
    halved = bicubic(line[None, None], 1, 4)[0, 0, 0]
    torch.testing.assert_close(
        halved, torch.tensor([-0.01171875, 0.06640625, 0.93359375, 1.01171875], dtype=torch.float64)
    )


@pytest.mark.parametrize(
    ("source", "target"),
    [
        *[(16, 128), (128, 16), (24, 6), (7, 19), (19, 7), (5, 5), (3, 1), (1, 4)],
        *[(40, 2000), (300, 500), (500, 300), (3000, 33)],
    ],
)
def test_equals_imresize_with_symmetric_border(source, target):
    line = np.random.default_rng(source).random(source)
    ours = bicubic(torch.from_numpy(line)[None, None, None], 1, target)[0, 0, 0].numpy()
    np.testing.assert_allclose(ours, imresize_line(line, target), atol=1e-12)


def test_border_is_mirrored_with_the_edge_pixel_twice():
    # The edge pixel repeated in the mirror: another padding would give another first value.
    line = np.random.default_rng(0).random(32)
    padded = np.pad(line, 8, mode="symmetric")
    ours = bicubic(torch.from_numpy(line)[None, None, None], 1, 8)[0, 0, 0].numpy()
    np.testing.assert_allclose(ours, imresize_line(padded, 12)[2:-2], atol=1e-12)
    reflected = imresize_line(np.pad(line, 8, mode="reflect"), 12)[2:-2]
    assert abs(ours - reflected).max() > 1e-3


@pytest.mark.parametrize(("source", "target"), [(64, 16), (16, 64), (96, 36)])
def test_equals_pillow_inside(source, target):
    image = np.random.default_rng(1).random((source, source), dtype=np.float32)
    pillow = np.asarray(Image.fromarray(image).resize((target, target), Image.Resampling.BICUBIC))
    ours = bicubic(torch.from_numpy(image)[None, None], target, target)[0, 0].numpy()
    margin = int(np.ceil(2 * max(1, target / source))) + 1
    inside = np.s_[margin:-margin, margin:-margin]
    np.testing.assert_allclose(ours[inside], pillow[inside], atol=2e-6)


def test_height_comes_before_width():
    assert bicubic(torch.zeros(2, 3, 8, 4), 5, 7).shape == (2, 3, 5, 7)


def test_gradcheck():
    images = torch.rand(1, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: bicubic(x, 3, 9), images)


def test_half_precision_is_computed_in_float32():
    images = torch.rand(1, 3, 16, 16)
    low = bicubic(images.bfloat16(), 32, 32)
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low, bicubic(images.bfloat16().float(), 32, 32).bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(bicubic(images, 32, 32), bicubic(images, 32, 32), rtol=0, atol=0)
        assert bicubic(images, 32, 32).dtype == torch.float32


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SIDES, SIDES)
def test_partition_of_unity_and_symmetry(source, target):
    matrix = bicubic_bands(source, target).weights
    np.testing.assert_allclose(matrix.sum(axis=1), np.ones(target), atol=1e-12)
    np.testing.assert_allclose(matrix[::-1, ::-1], matrix, atol=1e-12)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(SIDES, st.integers(1, 4))
def test_same_size_is_the_identity_and_constants_stay(side, factor):
    np.testing.assert_allclose(bicubic_bands(side, side).weights, np.eye(side), atol=1e-12)
    torch.testing.assert_close(
        bicubic(torch.full((1, side, side), 0.3), side * factor, side), torch.full((1, side * factor, side), 0.3)
    )


def test_an_enlarged_ramp_is_a_ramp_inside():
    ramp = torch.arange(12, dtype=torch.float64)[None, None]
    enlarged = bicubic(ramp, 1, 48)[0, 0]
    torch.testing.assert_close(enlarged[8:-8], (torch.arange(48, dtype=torch.float64)[8:-8] + 0.5) / 4 - 0.5)


@pytest.mark.parametrize(("source", "target"), [(0, 4), (4, 0)])
def test_empty_lines_are_refused(source, target):
    with pytest.raises(ValueError, match=f"at least one pixel, got {source} -> {target}"):
        bicubic_bands(source, target)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 40))
def test_bands_hold_all_of_the_matrix(source, target, rows):
    made, whole = bands_module.made_bands(source, target, rows), bands_module.made_bands(source, target, target)
    for number, part in enumerate(made.parts):
        block = np.s_[number * rows : (number + 1) * rows]
        np.testing.assert_array_equal(made.weights[block], whole.weights[block, part])
        assert np.count_nonzero(made.weights[block]) == np.count_nonzero(whole.weights[block])


def test_memory_grows_with_the_line_and_little_is_kept():
    bands_module.kept_bands.cache_clear()
    tracemalloc.start()
    try:
        for length in range(1500, 1508 + bands_module.MOST_KEPT):
            bicubic(torch.zeros(1, 1, length), 1, 2000)
        kept, _ = tracemalloc.get_traced_memory()
        assert kept < 48e6
        tracemalloc.reset_peak()
        bicubic(torch.zeros(1, 1, 4000), 1, 16000)
        after, peak = tracemalloc.get_traced_memory()
        assert after < kept + 1e6
        assert peak < kept + 20e6  # the matrix would have 512 MB
    finally:
        tracemalloc.stop()


def test_large_images_have_gradients_in_any_layout(monkeypatch):
    images = torch.rand(1, 1, 40, 6, dtype=torch.float64, requires_grad=True)
    whole = bicubic(images, 70, 3)
    monkeypatch.setattr(bands_module, "WHOLE", 0)
    torch.testing.assert_close(bicubic(images, 70, 3), whole, rtol=0, atol=1e-12)
    for layout in (torch.contiguous_format, torch.channels_last):
        wide = images.detach().expand(2, 3, -1, -1).contiguous(memory_format=layout)
        torch.testing.assert_close(bicubic(wide, 70, 3), whole.detach().expand(2, 3, -1, -1), rtol=0, atol=1e-12)
    few = images.detach()[:, :, :34, :2].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: bicubic(x, 36, 3), few)
    assert torch.autograd.gradgradcheck(lambda x: bicubic(x, 36, 3), few)


def test_compilers_and_exporters_see_one_product(monkeypatch):
    monkeypatch.setattr(bands_module, "WHOLE", 0)
    monkeypatch.setattr("torch.compiler.is_compiling", lambda: True)
    asked = []
    monkeypatch.setattr(
        "portraitdata.images.resampling.bicubic_bands",
        lambda *sides, whole: asked.append(bicubic_bands(*sides, whole=whole)) or asked[-1],
    )
    bicubic(torch.rand(1, 40, 50), 70, 30)
    assert [bands.parts for bands in asked] == [[slice(0, 40)], [slice(0, 50)]]


def test_images_of_the_wanted_size_come_back_as_they_are():
    images = torch.rand(2, 3, 5, 7, requires_grad=True)
    assert bicubic(images, 5, 7) is images
    halves = torch.rand(3, 5, 7).bfloat16()
    torch.testing.assert_close(bicubic(halves, 5, 7), halves, rtol=0, atol=0)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.floats(-2, 2, width=32))
def test_8_bit_levels(value):
    level = to_8_bit(torch.tensor(value)).item() * 255
    assert 0 <= round(level) <= 255
    assert abs(level - round(level)) < 1e-4
    assert abs(level / 255 - min(max(value, 0), 1)) <= 0.5 / 255 + 1e-6
