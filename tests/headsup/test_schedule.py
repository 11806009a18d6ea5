"""The closed forms between latents, noise and predictions."""

import math

import pytest
import torch
from diffusers import DDPMScheduler
from jaxtyping import config
from torch import nn

from headsup.model.backbone import description
from headsup.model.schedule import NoiseSchedule

SD = description("sd21", "scheduler")
KINDS = pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])


def schedule(**changes) -> NoiseSchedule:
    return NoiseSchedule.from_config({**SD, **changes})


def latents(count: int = 2, batch: int = 4) -> torch.Tensor:
    return torch.randn(count, batch, 4, 6, 5, generator=torch.Generator().manual_seed(0))


def test_last_timestep_of_stable_diffusion():
    """By hand: beta from 0.00085 to 0.012 along their roots; x0 = 14.649 (z - 0.99767 eps) at t = 999."""
    roots = [0.00085**0.5 + i / 999 * (0.012**0.5 - 0.00085**0.5) for i in range(1000)]
    abar = math.prod(1 - root**2 for root in roots)
    assert abar == pytest.approx(0.00466, abs=5e-6)
    t = torch.tensor([999])
    alpha, beta = schedule().alpha(t).item(), schedule().beta(t).item()
    assert alpha**2 == pytest.approx(abar, rel=1e-6)
    assert 1 / alpha == pytest.approx(14.649, abs=5e-4)
    assert beta == pytest.approx(0.99767, abs=5e-6)
    z, noise = latents(batch=1)
    expected = 14.649 * (z - 0.99767 * noise)
    torch.testing.assert_close(schedule().clean(z, noise, t), expected, rtol=1e-3, atol=1e-3)


def test_every_timestep_is_that_of_diffusers():
    peer = DDPMScheduler.from_config(SD).alphas_cumprod
    t = torch.arange(1000)
    torch.testing.assert_close(schedule().alpha(t).flatten().square(), peer, rtol=2e-5, atol=0)
    torch.testing.assert_close(
        schedule().alpha(t).square() + schedule().beta(t).square(), torch.ones(1000, 1, 1, 1), rtol=1e-6, atol=0
    )


def test_a_linear_schedule_is_that_of_diffusers():
    config = {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02}
    peer = DDPMScheduler.from_config(config).alphas_cumprod
    found = NoiseSchedule.from_config(config)
    torch.testing.assert_close(found.alpha(torch.arange(1000)).flatten().square(), peer, rtol=2e-5, atol=0)


@KINDS
def test_what_should_be_predicted_leads_back_to_the_latent(kind):
    of = schedule(prediction_type=kind)
    z, noise = latents()
    t = torch.tensor([0, 20, 500, 979])
    z_t = of.add_noise(z, noise, t)
    torch.testing.assert_close(of.clean(z_t, of.target(z, noise, t), t), z, rtol=0, atol=2e-5)


@KINDS
def test_noising_is_that_of_diffusers(kind):
    peer = DDPMScheduler.from_config({**SD, "prediction_type": kind})
    of = schedule(prediction_type=kind)
    z, noise = latents()
    t = torch.tensor([0, 20, 500, 979])
    torch.testing.assert_close(of.add_noise(z, noise, t), peer.add_noise(z, noise, t), rtol=0, atol=1e-5)
    expected = noise if kind == "epsilon" else peer.get_velocity(z, noise, t)
    torch.testing.assert_close(of.target(z, noise, t), expected, rtol=0, atol=1e-5)


def test_it_stays_float32_in_a_module_that_is_turned_into_bfloat16():
    of = schedule()
    t = torch.tensor([0, 999])
    before = of.alpha(t), of.beta(t)
    nn.Sequential(of).to(torch.bfloat16).double().half()
    for now, then in zip((of.alpha(t), of.beta(t)), before, strict=True):
        assert now.dtype == torch.float32
        assert now.equal(then)
    assert of.clean(latents(batch=2)[0].bfloat16(), latents(batch=2)[1].bfloat16(), t).dtype == torch.float32
    assert not of.state_dict()


def test_the_least_noise_keeps_its_digits():
    """1 - abar_0 = beta_0 = 0.00085 exactly."""
    of = schedule().to(torch.float32)
    assert of.beta(torch.tensor([0])).item() == pytest.approx(0.00085**0.5, rel=1e-7)


@pytest.fixture
def unchecked():
    """The test run's type check, which the user does not have, is faster than the sentence."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"prediction_type": "sample"}, "predicts 'sample' has no closed form"),
        ({"beta_schedule": "squaredcos_cap_v2"}, "must be linear or scaled_linear, got 'squaredcos_cap_v2'"),
        ({"rescale_betas_zero_snr": True}, "rescaled to end in pure noise"),
        ({"trained_betas": [0.1, 0.2]}, "given as a table"),
    ],
)
def test_what_is_not_known_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        schedule(**changes)
