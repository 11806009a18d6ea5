"""The restorer as a whole."""

import pytest
import torch

from headsup.model.adapters import GENERATOR
from headsup.model.backbone import load_backbone, random_backbone
from headsup.model.one_step import OneStepRestorer
from headsup.model.reference_attention import References
from headsup.model.settings import RestorerSettings


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
    lq, faces = torch.rand(2, batch, 3, 48, 48, generator=generator)
    mask = torch.zeros(batch, 1, 6, 6)
    mask[..., 1:3, 2:4] = 1
    return lq, torch.randn(batch, 7, 64, generator=generator), whole(faces, mask, range(batch))


def whole(faces: torch.Tensor, mask: torch.Tensor, images) -> References:
    """References of some of the images, laid over the whole of them."""
    rows = torch.tensor(list(images), dtype=torch.long)
    matrix = torch.eye(3)[:2].expand(len(rows), -1, -1)
    return References(faces[rows], torch.arange(len(rows)), rows, matrix, mask[rows])


@torch.no_grad()
def test_it_is_encoding_one_closed_form_and_decoding(restorer):
    lq, prompt, references = inputs()
    restored, z, faithful = restorer(lq, prompt, references, "whole")
    z_l, z_r = restorer.encode(lq), restorer.encode(references.faces)
    noise = restorer.unet(torch.cat([z_l, z_r, references.mask], 1), torch.tensor([999, 999]), prompt).sample
    abar = 0.0046600
    torch.testing.assert_close(z, (z_l - (1 - abar) ** 0.5 * noise) / abar**0.5, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(restored, restorer.decode(z), rtol=0, atol=1e-5)
    assert restored.shape == lq.shape
    assert faithful is None
    again = restorer(lq, prompt, references, "whole").picture  # nothing is sampled
    torch.testing.assert_close(again, restored, rtol=0, atol=1e-5)


@torch.no_grad()
def test_an_image_without_reference_does_not_depend_on_those_of_others(restorer):
    lq, prompt, both = inputs()
    alone = restorer(lq, prompt).latents
    torch.testing.assert_close(restorer(lq, prompt, whole(both.faces, both.mask, [])).latents, alone)
    mixed = restorer(lq, prompt, whole(both.faces, both.mask, [1])).latents
    torch.testing.assert_close(mixed[0], alone[0], rtol=0, atol=1e-5)
    assert (mixed[1] - alone[1]).abs().max() > 1e-3
    other = restorer(lq, prompt, whole(1 - both.faces, both.mask, [1])).latents
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
    lq, prompt, references = inputs()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        restored, z, _ = half(lq, prompt, references)
    assert restored.dtype == z.dtype == torch.float32
    expected = restorer(lq, prompt, references).latents
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
