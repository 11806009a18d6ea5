import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hime.losses.adversarial import adversarial_discriminator_loss, adversarial_generator_loss

REAL, FAKE = [1.5, -0.5, 2.0], [-1.0, 0.25]


def log_sigmoid(x):
    return -math.log1p(math.exp(-x))


def logits(values, dtype=torch.float64):
    return torch.tensor(values, dtype=dtype).reshape(-1, 1, 1, 1)


def test_relativistic_is_the_formula_of_the_paper_it_is_from():
    real, fake = sum(REAL) / 3, sum(FAKE) / 2
    expected = -sum(log_sigmoid(x - fake) for x in REAL) / 3 - sum(log_sigmoid(real - x) for x in FAKE) / 2
    assert adversarial_discriminator_loss(logits(REAL), logits(FAKE)).item() == pytest.approx(expected)
    expected = -sum(log_sigmoid(x - real) for x in FAKE) / 2 - sum(log_sigmoid(fake - x) for x in REAL) / 3
    assert adversarial_generator_loss(logits(FAKE), logits(REAL)).item() == pytest.approx(expected)


def test_non_saturating_is_cross_entropy():
    expected = -sum(map(log_sigmoid, REAL)) / 3 - sum(log_sigmoid(-x) for x in FAKE) / 2
    loss = adversarial_discriminator_loss(logits(REAL), logits(FAKE), "non_saturating")
    assert loss.item() == pytest.approx(expected)
    expected = -sum(map(log_sigmoid, FAKE)) / 2
    assert adversarial_generator_loss(logits(FAKE), form="non_saturating").item() == pytest.approx(expected)


@pytest.mark.parametrize("form", ["relativistic", "non_saturating"])
def test_stays_finite_at_extreme_logits(form):
    for real, fake in ((1e4, -1e4), (-1e4, 1e4)):
        r, f = (torch.full((2, 1, 2, 2), value, requires_grad=True) for value in (real, fake))
        loss = adversarial_discriminator_loss(r, f, form) + adversarial_generator_loss(f, r, form)
        loss.backward()
        assert loss.isfinite()
        assert f.grad.isfinite().all()
        assert r.grad is None or r.grad.isfinite().all()


@settings(derandomize=True, deadline=None, max_examples=20)
@given(shift=st.floats(-50, 50), seed=st.integers(0, 100))
def test_relativistic_compares_and_so_ignores_a_common_shift(shift, seed):
    real, fake = torch.randn(2, 3, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    for loss in (adversarial_discriminator_loss, adversarial_generator_loss):
        torch.testing.assert_close(loss(real + shift, fake + shift), loss(real, fake))


@pytest.mark.parametrize("form", ["relativistic", "non_saturating"])
def test_the_two_pull_in_opposite_directions(form):
    real, fake = logits(REAL), logits(FAKE).requires_grad_()
    (discriminator,) = torch.autograd.grad(adversarial_discriminator_loss(real, fake, form), fake)
    (generator,) = torch.autograd.grad(adversarial_generator_loss(fake, real, form), fake)
    assert (discriminator > 0).all()
    assert (generator < 0).all()


def test_gradients():
    real, fake = logits(REAL).requires_grad_(), logits(FAKE).requires_grad_()
    assert torch.autograd.gradcheck(adversarial_discriminator_loss, (real, fake))
    assert torch.autograd.gradcheck(adversarial_generator_loss, (fake, real))


def test_half_precision_is_computed_in_float32():
    loss = adversarial_discriminator_loss(logits(REAL, torch.bfloat16), logits(FAKE, torch.bfloat16))
    assert loss.dtype == torch.float32


def test_relativistic_generator_loss_needs_real_logits():
    with pytest.raises(ValueError, match="compares with the logits of true images, got none"):
        adversarial_generator_loss(logits(FAKE))
