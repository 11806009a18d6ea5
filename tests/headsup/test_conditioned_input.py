"""First and last convolution of the denoiser."""

import pytest
import torch
from torch import nn

from headsup.model.backbone import load_backbone
from headsup.model.conditioned_input import ConditionedInput, PreciseOutput
from headsup.model.one_step import OneStepRestorer


def first(channels: int = 4, width: int = 6) -> tuple[nn.Conv2d, ConditionedInput]:
    torch.manual_seed(0)
    base = nn.Conv2d(channels, width, 3, padding=1)
    return base, ConditionedInput(base)


def test_it_takes_twice_the_channels_and_the_mask():
    base, layer = first()
    assert layer.own.in_channels == 2 * 4 + 1
    assert layer.own.weight[:, :4].equal(base.weight)
    assert not layer.own.weight[:, 4:].any()
    assert layer.own.bias.equal(base.bias)


def test_at_first_only_the_latent_counts():
    base, layer = first()
    z, others = torch.randn(2, 4, 8, 8), torch.randn(2, 5, 8, 8)
    torch.testing.assert_close(layer(torch.cat([z, others], dim=1)), base(z), rtol=0, atol=1e-5)
    assert layer(z).equal(base(z))


def test_new_filters_get_a_gradient_and_the_base_is_left_alone():
    base, layer = first()
    base.requires_grad_(False)
    layer(torch.randn(2, 9, 8, 8)).square().mean().backward()
    assert layer.own.weight.grad[:, 4:].abs().min() > 0
    assert base.weight.grad is None
    layer.own.weight.grad = None
    layer(torch.randn(2, 4, 8, 8))
    assert layer.own.weight.grad is None


def test_training_the_own_convolution_does_not_change_the_base():
    _, layer = first()
    z = torch.randn(1, 4, 8, 8)
    before = layer(z)
    with torch.no_grad():
        layer.own.weight.add_(1)
        layer.own.bias.add_(1)
    assert layer(z).equal(before)


@pytest.mark.parametrize("channels", [4, 9])
def test_it_answers_in_the_type_of_its_input(channels):
    base, _ = first()
    layer = ConditionedInput(base.bfloat16())
    assert layer.own.weight.dtype == torch.float32
    assert layer(torch.randn(1, channels, 8, 8).bfloat16()).dtype == torch.bfloat16


def test_it_is_made_where_its_base_is():
    assert ConditionedInput(nn.Conv2d(4, 6, 3, padding=1, device="meta")).own.weight.is_meta


def test_the_last_convolution_is_float32_whatever_is_around_it():
    torch.manual_seed(0)
    inner = nn.Conv2d(8, 4, 3, padding=1)
    layer = nn.Sequential(PreciseOutput(inner))
    x = torch.randn(1, 8, 8, 8)
    expected = inner(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.float32
        assert layer(x).equal(expected)
    layer.to(torch.bfloat16)
    assert {p.dtype for p in layer.parameters()} == {torch.float32}
    assert layer(x.bfloat16()).dtype == torch.float32


def test_it_is_float32_inside_a_denoiser_with_adapters():
    restorer = OneStepRestorer(load_backbone("random:tiny", torch.bfloat16))
    seen = []
    restorer.unet.conv_out.register_forward_hook(lambda module, args, output: seen.append(output.dtype))
    last = [p.dtype for name, p in restorer.unet.named_parameters() if name.startswith("conv_out.")]
    assert last == [torch.float32] * len(last)
    z = torch.randn(1, 33, 4, 4)
    for precision in (False, True):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision):
            found = restorer.predict(z, torch.tensor([999]), torch.randn(1, 7, 64))
            assert found.dtype == torch.float32
    assert seen == [torch.float32] * 2
