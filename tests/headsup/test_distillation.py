"""Which denoiser is asked what, when the prior is distilled."""

import pytest
import torch
from jaxtyping import config

from headsup.losses.distillation import Distillation, prior_gradient, regularizer_loss
from headsup.model.backbone import random_backbone
from headsup.model.one_step import OneStepRestorer
from headsup.model.seeded_noise import draw_noise, draw_timesteps, generators


class Spy(OneStepRestorer):
    """Notes what is asked, and answers with a number for each role."""

    def __init__(self) -> None:
        super().__init__(random_backbone("tiny"))
        self.asked = []

    def predict(self, x, t, prompt):
        layer = self.switch.layers[0]
        role = None if layer.disable_adapters else layer.active_adapters[0]
        self.asked.append((role, x.clone(), t.clone(), prompt.clone()))
        return x * {None: 0.5, "regularizer": 0.25, "generator": 9.0}[role] + prompt.mean(dim=(1, 2)).view(-1, 1, 1, 1)


@pytest.fixture(scope="module")
def restorer() -> Spy:
    return Spy()


@pytest.fixture
def unchecked():
    """The test run's type check, which the user does not have, is faster than the sentence."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


def sources():
    return generators(0, 0, range(2), "cpu")


def inputs():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(2, 16, 4, 4, generator=generator)
    return z, torch.full((2, 7, 64), 0.1), torch.full((1, 7, 64), -0.2)


def test_the_regularizer_is_fake_and_the_guided_teacher_real(restorer):
    restorer.asked.clear()
    z, prompt, negative = inputs()
    found = prior_gradient(restorer, z, prompt, negative, Distillation(), sources())
    same = sources()
    t = draw_timesteps(same, 20, 980)
    z_t = restorer.schedule.add_noise(z, draw_noise(same, z), t)
    (first, x, times, texts), (second, y, _, text) = restorer.asked
    assert (first, second) == (None, "regularizer")
    assert x.equal(torch.cat([z_t, z_t]))
    assert y.equal(z_t)
    assert times.equal(torch.cat([t, t]))
    assert texts.equal(torch.cat([prompt, negative.expand(2, -1, -1)]))
    assert text.equal(prompt)
    alpha, beta = (f(t) for f in (restorer.schedule.alpha, restorer.schedule.beta))
    fake = (z_t - beta * (0.25 * z_t + 0.1)) / alpha
    real = (z_t - beta * (0.5 * z_t - 0.2 + 7.5 * (0.1 + 0.2))) / alpha
    expected = (fake - real) / (z - real).abs().mean(dim=(1, 2, 3), keepdim=True)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert restorer.switch.layers[0].active_adapters == ["generator"]


def test_csd_asks_the_teacher_alone(restorer):
    restorer.asked.clear()
    z, prompt, negative = inputs()
    found = prior_gradient(restorer, z, prompt, negative, Distillation("csd", latest=0.5), sources())
    assert [role for role, *_ in restorer.asked] == [None]
    assert found.isfinite().all()
    with pytest.raises(ValueError, match="Without distillation there is no gradient"):
        prior_gradient(restorer, z, prompt, negative, Distillation("none"), sources())


@pytest.mark.parametrize("form", ["vsd", "csd"])
def test_the_teacher_is_guided_as_far_as_is_said(restorer, form):
    """Of CSD, fake is the teacher without prompt."""
    z, prompt, negative = inputs()
    found = prior_gradient(restorer, z, prompt, negative, Distillation(form, guidance=3.0), sources())
    same = sources()
    t = draw_timesteps(same, 20, 980)
    z_t = restorer.schedule.add_noise(z, draw_noise(same, z), t)
    alpha, beta = (f(t) for f in (restorer.schedule.alpha, restorer.schedule.beta))
    own = 0.25 * z_t + 0.1 if form == "vsd" else 0.5 * z_t - 0.2
    fake, real = ((z_t - beta * noise) / alpha for noise in (own, 0.5 * z_t - 0.2 + 3 * 0.3))
    expected = (fake - real) / (z - real).abs().mean(dim=(1, 2, 3), keepdim=True)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_regularizer_learns_from_detached_latents(restorer):
    restorer.asked.clear()
    z, prompt, _ = inputs()
    z.requires_grad_()
    with restorer.switch.using("regularizer"):
        loss = regularizer_loss(restorer, z, prompt, sources())
    same = sources()
    t = draw_timesteps(same, 0, 1000)
    noise = draw_noise(same, z)
    (role, z_t, times, _) = restorer.asked[0]
    assert role == "regularizer"
    assert times.equal(t)
    assert not z_t.requires_grad
    torch.testing.assert_close(loss, (0.25 * z_t + 0.1 - noise).square().mean())


@pytest.mark.parametrize(("share", "first"), [(0.29, 290), (0.57, 570)])
def test_timesteps_are_shares_of_all(restorer, share, first):
    """0.29 * 1000 and 0.57 * 1000 are a little less in floats."""
    z, prompt, negative = inputs()
    restorer.asked.clear()
    prior_gradient(restorer, z, prompt, negative, Distillation(earliest=share, latest=share + 0.001), sources())
    assert restorer.asked[0][2].tolist() == [first] * 4


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"form": "sds"}, "form of distillation is vsd, csd, none; got 'sds'"),
        ({"earliest": 0.5, "latest": 0.5}, "between two shares of all, got 0.5 to 0.5"),
        ({"latest": 1.5}, "got 0.02 to 1.5"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        Distillation(**arguments)
