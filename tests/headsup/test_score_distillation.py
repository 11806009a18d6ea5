import pytest
import torch

from headsup.losses.score_distillation import (
    classifier_gradient,
    denoising_loss,
    distillation_gradient,
    guided,
    score_distillation_loss,
    variational_gradient,
)
from headsup.model.schedule import NoiseSchedule

# alpha and beta are 0.8 and 0.6 at t = 0, and 0.6 and 0.8 at t = 1
EPSILON, V = (NoiseSchedule(torch.tensor([0.64, 0.36]), kind) for kind in ("epsilon", "v_prediction"))


def latents(count=5, seed=0, samples=2):
    return torch.randn(count, samples, 4, 6, 5, generator=torch.Generator().manual_seed(seed))


def test_guidance_goes_through_the_first_and_away_from_the_second():
    conditional, unconditional = torch.full((1, 1, 1, 1), 3.0), torch.full((1, 1, 1, 1), 2.0)
    assert [guided(conditional, unconditional, s).item() for s in (0.0, 1.0, 7.5)] == [2.0, 3.0, 9.5]


def test_guidance_is_not_computed_in_half_precision():
    a, b = torch.full((1, 1, 1, 1), 1.0078125).bfloat16(), torch.ones(1, 1, 1, 1).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        assert guided(a, b, 7.5).item() == 1.05859375  # 1 + 7.5 / 128, which bfloat16 would round to 1.0625


def test_gradient_is_divided_by_the_distance_of_each_sample():
    z = torch.tensor([[1.0, 2.0], [0.0, 0.0]]).reshape(2, 1, 1, 2)
    real = torch.tensor([[2.0, 5.0], [4.0, -4.0]]).reshape(2, 1, 1, 2)  # mean distances 2 and 4
    fake = torch.tensor([[3.0, 1.0], [4.0, 6.0]]).reshape(2, 1, 1, 2)
    assert distillation_gradient(z, fake, real).flatten(1).tolist() == [[0.5, -2.0], [0.0, 2.5]]


def test_gradient_is_divided_by_small_distances_too_down_to_the_least():
    z = torch.zeros(2, 1, 1, 2)
    real, fake = (torch.tensor(values).reshape(2, 1, 1, 1).expand(2, 1, 1, 2) for values in ([1e-3, 0.0], [3e-3, 2e-6]))
    torch.testing.assert_close(distillation_gradient(z, fake, real)[:, 0, 0, 0], torch.tensor([2.0, 2.0]))


def test_loss_has_twice_the_gradient_over_the_number_of_elements():
    z, g, *_ = latents()
    z.requires_grad_()
    loss = score_distillation_loss(z, g)
    loss.backward()
    torch.testing.assert_close(z.grad, 2 * g / g.numel(), rtol=1e-4, atol=1e-8)
    torch.testing.assert_close(loss.detach(), g.square().mean(), rtol=1e-4, atol=0)


def test_no_gradient_comes_from_the_opinions():
    z, fake, real, *_ = (x.clone().requires_grad_() for x in latents())
    gradient = distillation_gradient(z, fake, real)
    assert not gradient.requires_grad
    score_distillation_loss(z, gradient).backward()
    assert fake.grad is None
    assert real.grad is None


def test_a_step_goes_from_fake_towards_real():
    z, fake, real, *_ = latents()
    z.requires_grad_()
    score_distillation_loss(z, distillation_gradient(z, fake, real)).backward()
    assert ((-z.grad) * (real - fake)).sum() > 0


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("which", ["fake", "real"])
def test_a_sample_that_a_model_fails_on_is_left_alone(bad, which):
    z, fake, real, *_ = latents()
    {"fake": fake, "real": real}[which][1, 0, 0, 0] = bad
    gradient = distillation_gradient(z, fake, real)
    assert gradient.isfinite().all()
    torch.testing.assert_close(gradient[0], distillation_gradient(z[:1], fake[:1], real[:1])[0])
    assert gradient[1, 0, 0, 0] == 0
    if which == "real" and bad != bad:
        assert not gradient[1].any()


def test_a_teacher_that_agrees_does_not_divide_by_zero():
    z, fake, *_ = latents()
    assert distillation_gradient(z, fake, z).isfinite().all()
    assert not distillation_gradient(z, z, z).any()


@pytest.mark.parametrize("schedule", [EPSILON, V], ids=["epsilon", "v"])
def test_variational_gradient_is_that_of_osediff(schedule):
    z, noise, own, conditional, unconditional = latents()
    t = torch.tensor([0, 1])
    z_t = schedule.add_noise(z, noise, t)
    alpha, beta = torch.tensor([0.8, 0.6]).reshape(2, 1, 1, 1), torch.tensor([0.6, 0.8]).reshape(2, 1, 1, 1)
    teacher = unconditional + 7.5 * (conditional - unconditional)
    if schedule is EPSILON:
        fake, real = ((z_t - beta * e) / alpha for e in (own, teacher))
    else:
        fake, real = (alpha * z_t - beta * v for v in (own, teacher))
    expected = (fake - real) / (z - real).abs().mean(dim=(1, 2, 3), keepdim=True)
    torch.testing.assert_close(variational_gradient(schedule, z, z_t, t, own, conditional, unconditional), expected)


def test_classifier_gradient_follows_the_difference_of_the_noises():
    """CSD of epsilon models: along eps(prompt) - eps(), and as long as scale, beta / alpha and the distance say."""
    z, noise, _, conditional, unconditional = latents()
    t = torch.tensor([0, 1])
    z_t = EPSILON.add_noise(z, noise, t)
    gradient = classifier_gradient(EPSILON, z, z_t, t, conditional, unconditional, 7.5)
    real = EPSILON.clean(z_t, guided(conditional, unconditional, 7.5), t)
    ratio = torch.tensor([0.6 / 0.8, 0.8 / 0.6]).reshape(2, 1, 1, 1)
    expected = 7.5 * ratio * (conditional - unconditional) / (z - real).abs().mean(dim=(1, 2, 3), keepdim=True)
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-5)


def test_classifier_gradient_pulls_towards_what_the_prompt_adds():
    z, noise, _, conditional, unconditional = latents()
    z.requires_grad_()
    t = torch.tensor([0, 1])
    z_t = EPSILON.add_noise(z, noise, t)
    score_distillation_loss(z, classifier_gradient(EPSILON, z, z_t, t, conditional, unconditional)).backward()
    added = EPSILON.clean(z_t, conditional, t) - EPSILON.clean(z_t, unconditional, t)
    assert ((-z.grad) * added).sum() > 0


def test_a_prompt_that_changes_nothing_gives_no_classifier_gradient():
    z, noise, _, prediction, _ = latents()
    t = torch.tensor([1, 1])
    assert not classifier_gradient(EPSILON, z, EPSILON.add_noise(z, noise, t), t, prediction, prediction).any()


def test_variational_distillation_moves_towards_the_teacher():
    """The teacher knows normal numbers around 3, the regularizer such around the mean of z; both denoise perfectly."""
    generator = torch.Generator().manual_seed(0)
    alphas_cumprod = torch.linspace(0.99, 0.05, 50)
    schedule = NoiseSchedule(alphas_cumprod)
    z = torch.zeros(64, 1, 4, 4, requires_grad=True)
    optimizer = torch.optim.SGD([z], lr=50.0)

    def noise_of(z_t, t, mean):
        # E[eps | z_t] of a normal with that mean: beta (z_t - alpha mean) / (alpha^2 + beta^2)
        return schedule.beta(t) * (z_t - schedule.alpha(t) * mean)

    for _ in range(60):
        t = torch.randint(5, 45, (64,), generator=generator)
        z_t = schedule.add_noise(z.detach(), torch.randn(z.shape, generator=generator), t)
        teacher = noise_of(z_t, t, 3.0)
        own = noise_of(z_t, t, z.detach().mean())
        gradient = variational_gradient(schedule, z.detach(), z_t, t, own, teacher, teacher)
        optimizer.zero_grad()
        score_distillation_loss(z, gradient).backward()
        optimizer.step()
    assert abs(z.mean().item() - 3) < 0.3


def test_denoising_loss_by_hand():
    z, noise = torch.full((2, 1, 1, 1), 2.0), torch.full((2, 1, 1, 1), 1.0)
    prediction, t = torch.zeros(2, 1, 1, 1), torch.tensor([0, 1])
    assert denoising_loss(EPSILON, prediction, z, noise, t).item() == 1.0
    # v is 0.8 * 1 - 0.6 * 2 = -0.4 and 0.6 * 1 - 0.8 * 2 = -1.0
    assert denoising_loss(V, prediction, z, noise, t).item() == pytest.approx((0.16 + 1.0) / 2)


def test_denoising_loss_trains_the_prediction_only():
    z, noise, prediction, *_ = (x.clone().requires_grad_() for x in latents())
    t = torch.tensor([0, 1])
    denoising_loss(V, prediction, z, noise.detach(), t).backward()
    expected = 2 * (prediction - V.target(z, noise, t)).detach() / z.numel()
    torch.testing.assert_close(prediction.grad, expected)
    assert z.grad is None
