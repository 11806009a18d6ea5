"""The restorer as a whole."""

import pytest
import torch

from headsup.adapters import GENERATOR
from headsup.backbone import load_backbone, random_backbone
from headsup.one_step import OneStepRestorer
from headsup.settings import RestorerSettings


def disturb(restorer: OneStepRestorer) -> OneStepRestorer:
    generator = torch.Generator().manual_seed(1)
    for parameter in restorer.generator_parameters().values():
        parameter.data.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return restorer


@pytest.fixture(scope="module")
def restorer() -> OneStepRestorer:
    return disturb(OneStepRestorer(random_backbone("tiny")))


def inputs(batch: int = 2):
    generator = torch.Generator().manual_seed(0)
    lq, reference = torch.rand(2, batch, 3, 32, 48, generator=generator)
    mask = torch.zeros(batch, 1, 4, 6)
    mask[..., 1:3, 2:4] = 1
    return lq, torch.randn(batch, 7, 64, generator=generator), reference, mask


@torch.no_grad()
def test_it_is_encoding_one_closed_form_and_decoding(restorer):
    lq, prompt, reference, mask = inputs()
    restored, z = restorer(lq, prompt, reference, mask)
    z_l, z_r = restorer.encode(lq), restorer.encode(reference)
    noise = restorer.unet(torch.cat([z_l, z_r, mask], 1), torch.tensor([999, 999]), prompt).sample
    abar = 0.0046600
    torch.testing.assert_close(z, (z_l - (1 - abar) ** 0.5 * noise) / abar**0.5, rtol=1e-3, atol=1e-3)
    assert restored.equal(restorer.decode(z))
    assert restored.shape == lq.shape
    assert restorer(lq, prompt, reference, mask)[0].equal(restored)  # nothing is sampled


@torch.no_grad()
def test_an_empty_mask_means_no_reference(restorer):
    lq, prompt, reference, mask = inputs()
    alone = restorer(lq, prompt)[1]
    nothing = torch.zeros_like(mask)
    assert restorer(lq, prompt, reference, nothing)[1].equal(alone)
    assert restorer(lq, prompt, None, None)[1].equal(alone)
    mask[0] = 0
    mixed = restorer(lq, prompt, reference, mask)[1]
    torch.testing.assert_close(mixed[0], alone[0], rtol=0, atol=1e-5)
    assert (mixed[1] - alone[1]).abs().max() > 1e-3
    other = restorer(lq, prompt, 1 - reference, mask)[1]
    torch.testing.assert_close(other[0], mixed[0], rtol=0, atol=1e-5)
    assert (other[1] - mixed[1]).abs().max() > 1e-3


def test_sides_that_do_not_fit_are_refused(restorer):
    with pytest.raises(ValueError, match="Sides must be multiples of 8 pixels, got 36 x 32"):
        restorer(torch.rand(1, 3, 32, 36), torch.randn(1, 7, 64))


@pytest.fixture(scope="module")
def half() -> OneStepRestorer:
    return disturb(OneStepRestorer(load_backbone("random:tiny", torch.bfloat16)))


@torch.no_grad()
@pytest.mark.parametrize("autocast", [False, True])
def test_frozen_weights_in_bfloat16_are_near_those_in_float32(restorer, half, autocast):
    assert {p.dtype for p in half.generator_parameters().values()} == {torch.float32}
    lq, prompt, reference, mask = inputs()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        restored, z = half(lq, prompt, reference, mask)
    assert restored.dtype == z.dtype == torch.float32
    expected = restorer(lq, prompt, reference, mask)[1]
    assert (z - expected).square().mean().sqrt() < 0.05 * expected.std()


def test_the_generator_is_what_is_active_unless_told_otherwise():
    built = RestorerSettings("random:tiny", rank=2, alpha=2).build()
    assert all(layer.active_adapters == [GENERATOR] for layer in built.switch.layers)
    shapes = {len(p) for n, p in built.generator_parameters().items() if ".lora_A." in n}
    assert shapes == {2}
    scales = {layer.scaling[GENERATOR] for layer in built.switch.layers if GENERATOR in layer.scaling}
    assert scales == {1.0}
    scales = {v for layer in OneStepRestorer(random_backbone("tiny")).switch.layers for v in layer.scaling.values()}
    assert scales == {2.0}  # OSEDiff's, alpha / r = 8 / 4
