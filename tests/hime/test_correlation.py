import inspect

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd.graph import saved_tensors_hooks

from hime.losses import correlation
from hime.losses.correlation import correlation_loss, correlation_map


def pair(*shape, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, *shape, generator=generator, dtype=dtype)


def map_by_loops(images, window, dilation):
    """Eq. 8, written down."""
    images = images.numpy()
    b, _, h, w = images.shape
    centred = images - images.mean(axis=(2, 3), keepdims=True)
    out, r = np.zeros((b, window * window, h, w)), window // 2
    for n, y, x in np.ndindex(b, h, w):
        for i in range(-r, r + 1):
            for j in range(-r, r + 1):
                v, u = y - i * dilation, x - j * dilation
                if 0 <= v < h and 0 <= u < w:
                    dot = (centred[n, :, y, x] * centred[n, :, v, u]).sum()
                    out[n, (i + r) * window + j + r, y, x] = dot / window**2
    return torch.from_numpy(out)


def loss_by_unfold(sr, hr, window, dilation):
    """The common way, which copies the neighbourhood of every pixel."""

    def unfolded_map(images):
        centred = images - images.mean(dim=(2, 3), keepdim=True)
        columns = F.unfold(centred, window, dilation=dilation, padding=dilation * (window // 2))
        neighbours = columns.reshape(images.shape[0], images.shape[1], window**2, *images.shape[2:])
        return (centred.unsqueeze(2) * neighbours).sum(1) / window**2

    return (unfolded_map(sr) - unfolded_map(hr)).abs().sum(dim=1).mean()


def loss_and_gradients(loss, sr, hr, *window):
    sr, hr = sr.clone().requires_grad_(), hr.clone().requires_grad_()
    value = loss(sr, hr, *window)
    return value.detach(), *torch.autograd.grad(value, (sr, hr))


@pytest.mark.parametrize(("window", "dilation"), [(1, 1), (3, 1), (5, 1), (3, 2), (3, 3), (7, 2)])
def test_map_is_equation_8(window, dilation):
    images = pair(2, 3, 6, 7, dtype=torch.float64)[0]
    torch.testing.assert_close(correlation_map(images, window, dilation), map_by_loops(images, window, dilation))


def test_convention_displacements_are_listed_rows_first_and_point_up_and_left():
    image = torch.zeros(1, 1, 5, 5, dtype=torch.float64)
    image[0, 0, 2, 2], image[0, 0, 1, 2], image[0, 0, 2, 4] = 8, 4, 2
    centred = image[0, 0] - image.mean()
    maps = correlation_map(image, window=3)[0] * 9
    assert maps[7, 2, 2] == centred[2, 2] * centred[1, 2]  # (i, j) = (1, 0): the pixel above
    assert maps[3, 2, 3] == centred[2, 3] * centred[2, 4]  # (0, -1): the pixel to the right
    assert maps[1, 0, 2] == centred[0, 2] * centred[1, 2]  # (-1, 0): the pixel below


@settings(derandomize=True, deadline=None, max_examples=30)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)),
    window=st.sampled_from([1, 3, 5, 7]),
    dilation=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_loss_and_gradients_equal_those_of_unfold(shape, window, dilation, seed):
    sr, hr = pair(*shape, dtype=torch.float64, seed=seed)
    expected = loss_and_gradients(loss_by_unfold, sr, hr, window, dilation)
    torch.testing.assert_close(loss_and_gradients(correlation_loss, sr, hr, window, dilation), expected)


@pytest.mark.parametrize("window", [3, 7])
def test_loss_and_gradients_equal_those_of_unfold_at_128_pixels(window):
    sr, hr = pair(2, 3, 128, 128)
    value, *gradients = loss_and_gradients(correlation_loss, sr, hr, window)
    expected, *expected_gradients = loss_and_gradients(loss_by_unfold, sr, hr, window, 1)
    assert value.item() == pytest.approx(expected.item(), abs=1e-6)
    for gradient, wanted in zip(gradients, expected_gradients, strict=True):
        assert (gradient - wanted).norm() < 1e-4 * wanted.norm()
        assert (gradient - wanted).abs().max() < 1e-6


def test_loss_is_the_distance_of_the_maps():
    sr, hr = pair(2, 3, 9, 8, dtype=torch.float64)
    distance = (correlation_map(hr, 5, 2) - correlation_map(sr, 5, 2)).abs().sum(dim=1).mean()
    torch.testing.assert_close(correlation_loss(sr, hr, 5, 2), distance)


def test_window_of_one_is_the_l1_distance_of_squared_centred_pixels():
    hr = torch.tensor([[[[0.0, 0.2], [0.4, 0.6]]]])  # centred: -0.3, -0.1, 0.1, 0.3
    sr = torch.tensor([[[[0.1, 0.1], [0.1, 0.5]]]])  # centred: -0.1, -0.1, -0.1, 0.3
    assert correlation_loss(sr, hr, window=1).item() == pytest.approx(0.08 / 4)


@pytest.mark.parametrize("stretch", [1, 7, 50])
def test_length_of_the_stretches_changes_nothing(monkeypatch, stretch):
    sr, hr = pair(2, 3, 5, 6, dtype=torch.float64)
    expected = loss_and_gradients(correlation_loss, sr, hr, 5, 2)
    monkeypatch.setattr(correlation, "CACHED_PIXELS", stretch)
    torch.testing.assert_close(loss_and_gradients(correlation_loss, sr, hr, 5, 2), expected)


def test_gradcheck():
    sr, hr = pair(2, 2, 4, 5, dtype=torch.float64)
    for window, dilation in ((1, 1), (3, 1), (3, 2)):
        assert torch.autograd.gradcheck(
            correlation_loss, (sr.clone().requires_grad_(), hr.clone().requires_grad_(), window, dilation)
        )


def test_map_has_a_second_derivative():
    image = pair(1, 2, 3, 4, dtype=torch.float64)[0].requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: correlation_map(x, 3), (image,))


@pytest.mark.parametrize("needed", ["sr", "hr", "neither"])
def test_only_the_gradients_asked_for_are_made_and_kept(needed):
    sr, hr = pair(2, 3, 16, 16)
    _, *expected = loss_and_gradients(correlation_loss, sr, hr, 5)
    leaf = {"sr": sr, "hr": hr}.get(needed)
    saved = []
    with saved_tensors_hooks(lambda tensor: saved.append(tensor) or tensor, lambda tensor: tensor):
        loss = correlation_loss(*(image.requires_grad_() if image is leaf else image for image in (sr, hr)), 5)
    if leaf is None:
        assert not loss.requires_grad
        assert not saved
    else:
        torch.testing.assert_close(torch.autograd.grad(loss, leaf)[0], expected[needed == "hr"])
        assert sum(tensor.numel() for tensor in saved) == leaf.numel()


def test_no_gradient_is_made_under_no_grad():
    sr, hr = pair(1, 3, 8, 8)
    with torch.no_grad():
        assert not correlation_loss(sr.requires_grad_(), hr).requires_grad


def test_equal_images_cost_nothing_and_pull_nowhere():
    image = pair(2, 3, 32, 32)[0]
    value, *gradients = loss_and_gradients(correlation_loss, image, image, 5)
    assert value == 0
    assert all(gradient.count_nonzero() == 0 for gradient in gradients)


def test_sees_neither_mean_colour_nor_sign():
    sr, hr = pair(1, 3, 8, 8, dtype=torch.float64)
    loss = correlation_loss(sr, hr)
    shift = torch.tensor([0.1, -0.2, 0.3], dtype=torch.float64).reshape(3, 1, 1)
    torch.testing.assert_close(correlation_loss(sr + shift, hr), loss)
    torch.testing.assert_close(correlation_loss(1 - sr, hr), loss)


def test_images_of_a_batch_do_not_mix():
    sr, hr = pair(3, 3, 6, 5, dtype=torch.float64)
    apart = torch.stack([correlation_loss(a[None], b[None], 5) for a, b in zip(sr, hr, strict=True)])
    torch.testing.assert_close(correlation_loss(sr, hr, 5), apart.mean())


def test_is_computed_in_float32_inside_autocast_and_of_half_precision():
    sr, hr = pair(1, 3, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert correlation_loss(sr, hr) == correlation_loss(sr.clone(), hr)
        torch.testing.assert_close(correlation_map(sr, 3), map_by_loops(sr, 3, 1).float(), rtol=1e-5, atol=1e-7)
    half = sr.bfloat16().requires_grad_()
    loss = correlation_loss(half, hr)
    assert loss.dtype == torch.float32
    assert loss.item() == correlation_loss(half.detach().float(), hr).item()
    assert torch.autograd.grad(loss, half)[0].dtype == torch.bfloat16


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_any_memory_layout(memory_format):
    sr, hr = pair(2, 3, 8, 9)
    expected = loss_and_gradients(correlation_loss, sr, hr, 3)
    torch.testing.assert_close(
        loss_and_gradients(correlation_loss, sr.to(memory_format=memory_format), hr, 3), expected
    )


def test_second_derivative_is_refused_with_a_way_out():
    sr, hr = pair(1, 3, 4, 4)
    loss = correlation_loss(sr.requires_grad_(), hr)
    with pytest.raises(RuntimeError, match=r"first derivative only.*Build the loss from `correlation_map`"):
        torch.autograd.grad(loss, sr, create_graph=True)


def test_keeps_twenty_times_less_than_unfold():
    sr, hr = pair(1, 3, 128, 128)
    kept = []
    for loss in (loss_by_unfold, correlation_loss):
        saved = {}
        with saved_tensors_hooks(lambda t, saved=saved: saved.setdefault(t.data_ptr(), t), lambda t: t):
            loss(sr.requires_grad_(), hr, 7, 1)
        kept.append(sum(t.untyped_storage().nbytes() for t in saved.values()))
    assert kept[0] > 20 * kept[1]
    assert kept[1] == sr.nbytes


def test_descends_to_the_true_texture():
    hr = pair(1, 3, 16, 16)[1]
    sr = (0.5 * hr + 0.25).requires_grad_()
    optimizer = torch.optim.Adam([sr], lr=0.01)
    values = []
    for _ in range(40):
        optimizer.zero_grad()
        value = correlation_loss(sr, hr, window=3)
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.2 * values[0]


@pytest.mark.parametrize("window", [0, -1, 2, 4])
def test_says_what_a_window_may_be(window):
    image = pair(1, 3, 4, 4)[0]
    with pytest.raises(ValueError, match=f"odd number of samples on a side, got {window}"):
        correlation_loss(image, image, window)
    with pytest.raises(ValueError, match="odd number"):
        correlation_map(image, window)


def test_says_what_does_not_fit():
    image = pair(1, 3, 4, 4)[0]
    with pytest.raises(ValueError, match="at least 1 pixel apart, got a dilation of 0"):
        correlation_loss(image, image, 3, 0)
    with pytest.raises(ValueError, match=r"images of one shape, got \(1, 3, 4, 4\) and \(2, 3, 4, 4\)"):
        inspect.unwrap(correlation_loss)(image, image.expand(2, -1, -1, -1))  # under jaxtyping's own check


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")  # of torch.compile, which steps around the checks of the test run
def test_runs_inside_a_compiled_step():
    sr, hr = pair(1, 3, 8, 8)
    compiled = torch.compile(lambda a, b: correlation_loss(a * a, b, 3) + 1, backend="eager")
    loss = compiled(sr.requires_grad_(), hr)
    (gradient,) = torch.autograd.grad(loss, sr)
    expected = correlation_loss(sr * sr, hr, 3) + 1
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, sr)[0])
