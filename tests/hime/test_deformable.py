import pytest
import torch
import torch.nn.functional as F
import torchvision
from torchvision.ops import deform_conv2d as torchvision_deform_conv2d

from hime.blocks import deformable
from hime.blocks.deformable import (
    DeformableConv2d,
    deform_conv2d,
    deform_conv2d_by_sampling,
    torchvision_has_cuda,
)


def arguments(b=2, c=8, out=4, h=5, w=7, groups=2, spread=3.0, dtype=torch.float64, seed=0):
    """Random input, offsets that reach outside, modulation, kernel and bias."""
    g = torch.Generator().manual_seed(seed)
    return (
        torch.randn(b, c, h, w, generator=g, dtype=dtype),
        spread * torch.randn(b, groups * 18, h, w, generator=g, dtype=dtype),
        torch.rand(b, groups * 9, h, w, generator=g, dtype=dtype),
        torch.randn(out, c, 3, 3, generator=g, dtype=dtype),
        torch.randn(out, generator=g, dtype=dtype),
    )


def by_torchvision(x, offset, mask, weight, bias):
    return torchvision_deform_conv2d(x, offset, weight, bias, padding=1, mask=mask)


def with_gradients(operator, tensors):
    tensors = [tensor.clone().requires_grad_() for tensor in tensors]
    out = operator(*tensors)
    return out, *torch.autograd.grad(out.square().sum(), tensors)


@pytest.mark.parametrize("operator", [deform_conv2d, deform_conv2d_by_sampling])
@pytest.mark.parametrize("groups", [1, 8])
def test_value_and_gradients_are_torchvisions(operator, groups):
    tensors = arguments(groups=groups)
    torch.testing.assert_close(with_gradients(operator, tensors), with_gradients(by_torchvision, tensors))


def test_value_and_gradients_are_torchvisions_in_float32():
    tensors = arguments(b=3, c=32, out=32, h=16, w=16, groups=8, spread=2.0, dtype=torch.float32)
    for ours, theirs in zip(
        with_gradients(deform_conv2d, tensors), with_gradients(by_torchvision, tensors), strict=True
    ):
        assert (ours - theirs).norm() < 1e-5 * theirs.norm()


@pytest.mark.parametrize("pixels", [1, 70, 10_000])
def test_images_at_a_time_change_nothing(monkeypatch, pixels):
    tensors = arguments(b=5)
    whole = with_gradients(deform_conv2d_by_sampling, tensors)
    monkeypatch.setattr(deformable, "CACHED_PIXELS", pixels)
    torch.testing.assert_close(with_gradients(deform_conv2d, tensors), whole)


def test_gradcheck():
    # a quarter of a pixel away from the sampling grid, where bilinear interpolation has a kink
    x, offset, mask, weight, bias = arguments(b=1, c=2, out=2, h=3, w=4, groups=2)
    offset = offset.round() + 0.25
    tensors = tuple(tensor.requires_grad_() for tensor in (x, offset, mask, weight, bias))
    assert torch.autograd.gradcheck(deform_conv2d_by_sampling, tensors)


def test_still_and_unmodulated_it_is_a_convolution():
    x, offset, mask, weight, bias = arguments()
    out = deform_conv2d(x, torch.zeros_like(offset), torch.ones_like(mask), weight, bias)
    torch.testing.assert_close(out, F.conv2d(x, weight, bias, padding=1))
    out = deform_conv2d(x, torch.zeros_like(offset), torch.full_like(mask, 0.5), weight)
    torch.testing.assert_close(out, F.conv2d(x, weight, padding=1) / 2)


def test_convention_the_first_offset_of_a_tap_moves_down_the_second_right():
    x = torch.arange(20.0).reshape(1, 1, 4, 5)
    centre = torch.zeros(1, 1, 3, 3)
    centre[0, 0, 1, 1] = 1
    offset = torch.zeros(1, 18, 4, 5)
    offset[:, 2 * 4], offset[:, 2 * 4 + 1] = 1, 2
    out = deform_conv2d(x, offset, torch.ones(1, 9, 4, 5), centre)
    expected = torch.zeros(1, 1, 4, 5)
    expected[..., :3, :3] = x[..., 1:, 2:]  # zero where the sample is outside
    torch.testing.assert_close(out, expected)


def test_convention_groups_move_their_own_channels():
    x, offset, mask, weight, bias = arguments(c=4, groups=2)
    moved = offset.clone()
    moved[:, 18:] += 1
    only_first = weight.clone()
    only_first[:, 2:] = 0
    same = [deform_conv2d(x, o, mask, only_first, bias) for o in (offset, moved)]
    torch.testing.assert_close(*same)
    assert not torch.allclose(deform_conv2d(x, offset, mask, weight, bias), deform_conv2d(x, moved, mask, weight, bias))


def test_samples_far_outside_are_zero():
    x, offset, mask, weight, bias = arguments()
    out = deform_conv2d(x, offset + 1000, mask, weight, bias)
    torch.testing.assert_close(out, bias.reshape(1, -1, 1, 1).expand_as(out))


def test_bfloat16_input_is_sampled_in_float32():
    x, offset, mask, weight, bias = arguments(dtype=torch.float32, spread=1.0)
    x = x.bfloat16().float()
    exact = deform_conv2d(x, offset, mask, weight, bias)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = deform_conv2d(x.bfloat16(), offset, mask, weight, bias)
        assert out.dtype == torch.bfloat16
    # eight bits of mantissa in the products, not in the positions
    assert (out.float() - exact).norm() < 0.01 * exact.norm()


def test_layer_has_the_kernel_of_a_convolution():
    layer = DeformableConv2d(8, 4)
    x, offset, mask, *_ = arguments(dtype=torch.float32)
    torch.testing.assert_close(layer(x, offset, mask), by_torchvision(x, offset, mask, layer.weight, layer.bias))
    assert sum(p.numel() for p in layer.parameters()) == 8 * 4 * 9 + 4
    with pytest.raises(ValueError, match="needs an odd kernel, got 4"):
        DeformableConv2d(8, 4, kernel_size=4)


def test_a_torchvision_for_the_cpu_has_no_operator_for_cuda(monkeypatch):
    monkeypatch.setattr(torchvision.version, "cuda", 12080, raising=False)
    assert torchvision_has_cuda()
    monkeypatch.delattr(torchvision.version, "cuda")
    assert not torchvision_has_cuda()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")  # of torch.compile, which steps around the checks of the test run
def test_compiles():
    tensors = arguments(dtype=torch.float32)
    compiled = torch.compile(deform_conv2d, backend="aot_eager")
    torch.testing.assert_close(
        with_gradients(compiled, tensors), with_gradients(deform_conv2d, tensors), rtol=1e-4, atol=1e-4
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_equals_the_cpu():
    tensors = arguments(groups=8)
    on_device = with_gradients(deform_conv2d, [tensor.cuda() for tensor in tensors])
    torch.testing.assert_close([t.cpu() for t in on_device], list(with_gradients(deform_conv2d, tensors)))
