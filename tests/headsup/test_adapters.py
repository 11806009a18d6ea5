"""Adapters change nothing at first, and the switch between them does what it says."""

import re

import pytest
import torch
from peft.tuners.tuners_utils import BaseTunerLayer

from headsup.model.adapters import GENERATOR, REGULARIZER, AdapterSwitch, adapter_parameters
from headsup.model.autoencoder import encode
from headsup.model.backbone import random_backbone
from headsup.model.one_step import OneStepRestorer

ROLES = GENERATOR, REGULARIZER, None


def inputs():
    generator = torch.Generator().manual_seed(0)
    z, prompt = torch.randn(2, 16, 8, 8, generator=generator), torch.randn(2, 7, 64, generator=generator)
    return z, torch.tensor([500, 20]), prompt


def disturb(restorer: OneStepRestorer) -> OneStepRestorer:
    """Adapters that do something, each something else."""
    generator = torch.Generator().manual_seed(1)
    for parameters in (restorer.generator_parameters(), restorer.regularizer_parameters()):
        for name, parameter in parameters.items():
            if ".lora_B." in name:
                parameter.data.normal_(std=0.05, generator=generator)
    return restorer


@pytest.fixture(scope="module")
def untouched() -> OneStepRestorer:
    return OneStepRestorer(random_backbone("tiny"))


@pytest.fixture(scope="module")
def disturbed() -> OneStepRestorer:
    return disturb(OneStepRestorer(random_backbone("tiny")))


def assert_same(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal but for rounding, which differs with the processor and from one copy of a network to the next."""
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * expected.abs().max().item())


@torch.no_grad()
def test_untouched_adapters_give_the_base_model(untouched):
    base = random_backbone("tiny")
    for network, plain in ((untouched.unet, base.unet), (untouched.vae, base.vae)):
        kept = {
            re.sub(r"\b(base_layer|base|inner)\.", "", name): value
            for name, value in network.named_parameters()
            if ".lora_" not in name and ".own." not in name
        }
        assert kept.keys() == dict(plain.named_parameters()).keys()
        assert all(value.equal(kept[name]) for name, value in plain.named_parameters())
        assert not any(value.any() for name, value in network.named_parameters() if ".lora_B." in name)
    z, t, prompt = inputs()
    expected = base.unet(z, t, prompt).sample
    for role in ROLES:
        assert_same(untouched.predict_with(role, z, t, prompt), expected)
    nothing = torch.zeros_like(z)
    whole = torch.cat([z, torch.full_like(z, 3.0), nothing[:, :1]], dim=1)
    assert_same(untouched.predict(whole, t, prompt), expected)
    image = torch.rand(1, 3, 32, 32)
    assert_same(untouched.encode(image), encode(base.vae, image))


@torch.no_grad()
def test_each_role_has_its_own_adapter(disturbed):
    z, t, prompt = inputs()
    generator, regularizer, teacher = (disturbed.predict_with(role, z, t, prompt) for role in ROLES)
    assert_same(teacher, random_backbone("tiny").unet(z, t, prompt).sample)
    # the generator's own first convolution is not asked here, only its adapters in the rest
    for one, two in ((generator, teacher), (regularizer, teacher), (generator, regularizer)):
        assert (one - two).abs().max() > 1e-3
    names = adapter_parameters(disturbed.unet, REGULARIZER)
    kept = {name: value.clone() for name, value in names.items()}
    for value in names.values():
        value.zero_()
    assert_same(disturbed.predict_with(REGULARIZER, z, t, prompt), teacher)
    assert_same(disturbed.predict_with(GENERATOR, z, t, prompt), generator)
    for name, value in names.items():
        value.copy_(kept[name])


def state(restorer: OneStepRestorer):
    return [(list(layer.active_adapters), layer.disable_adapters) for layer in restorer.switch.layers]


def test_the_switch_goes_back_also_after_an_error_and_when_nested(disturbed):
    before = state(disturbed)

    def now():
        return {(*names, disabled) for names, disabled in state(disturbed)}

    def fail() -> None:
        with disturbed.switch.using(REGULARIZER):
            assert now() == {("regularizer", False)}
            with disturbed.switch.using(None):
                assert {disabled for *_, disabled in now()} == {True}
                with disturbed.switch.using(GENERATOR):
                    assert state(disturbed) == before
            assert now() == {("regularizer", False)}
            raise ZeroDivisionError

    assert now() == {("generator", False)}
    with pytest.raises(ZeroDivisionError):
        fail()
    assert state(disturbed) == before


def test_the_switch_leaves_the_gradients_alone(disturbed):
    trained = {name for name, p in disturbed.named_parameters() if p.requires_grad}
    assert len(trained) == len(disturbed.generator_parameters()) + len(disturbed.regularizer_parameters())
    for role in ROLES:
        with disturbed.switch.using(role):
            assert {name for name, p in disturbed.named_parameters() if p.requires_grad} == trained


def test_the_private_attributes_of_peft_are_what_the_switch_takes_them_for(disturbed):
    """The public properties must follow the private attributes that the switch sets."""
    layers = AdapterSwitch(disturbed.unet).layers
    assert len(layers) > 100
    for layer in layers:
        assert isinstance(layer, BaseTunerLayer)
        assert {"_active_adapter", "_disable_adapters"} <= vars(layer).keys()
    with disturbed.switch.using(REGULARIZER):
        assert all(layer.active_adapters == ["regularizer"] and not layer.disable_adapters for layer in layers)
    with disturbed.switch.using(None):
        assert all(layer.disable_adapters for layer in layers)


def gradients(restorer: OneStepRestorer, role) -> dict[str, torch.Tensor]:
    restorer.zero_grad()
    z, t, prompt = inputs()
    with restorer.switch.using(role):
        if role == GENERATOR:
            picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(3))
            latents = restorer(picture, prompt[:1]).latents
            latents.square().mean().backward()
        else:
            restorer.predict(z, t, prompt).square().mean().backward()
    return {name: p.grad.clone() for name, p in restorer.named_parameters() if p.grad is not None}


def test_the_gradient_goes_to_the_active_adapter_alone(disturbed):
    of_generator, of_regularizer = gradients(disturbed, GENERATOR), gradients(disturbed, REGULARIZER)
    assert of_generator.keys() == disturbed.generator_parameters().keys()
    assert of_regularizer.keys() == disturbed.regularizer_parameters().keys()
    for found in (of_generator, of_regularizer):
        assert all(value.isfinite().all() for value in found.values())
        # attention to a single token has no gradient in its queries; almost all others have one
        assert sum(bool(value.any()) for value in found.values()) > 0.9 * len(found)


def test_activations_that_are_computed_again_give_the_same_gradients(disturbed):
    again = disturb(OneStepRestorer(random_backbone("tiny")))
    again.checkpoint_activations()
    for role in (GENERATOR, REGULARIZER):
        expected, found = gradients(disturbed, role), gradients(again, role)
        assert expected.keys() == found.keys()
        for name, value in expected.items():
            # the keys and queries of attention to a single token have gradients that are nothing but rounding
            tolerance = 1e-4 * value.abs().max().item() + 1e-5
            torch.testing.assert_close(found[name], value, rtol=0, atol=tolerance, msg=name)


def test_adding_adapters_leaves_the_random_state_alone():
    backbone = random_backbone("tiny")
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    restorer = OneStepRestorer(backbone)
    assert torch.rand(3).equal(expected)
    a = torch.cat([p.flatten() for n, p in restorer.generator_parameters().items() if ".lora_A." in n])
    assert a.std().item() == pytest.approx(1 / 4, rel=0.01)
    assert not any(p.any() for n, p in restorer.generator_parameters().items() if ".lora_B." in n)
