import pytest
import torch
from torch import nn

from headsup.losses.adversarial import adversarial_discriminator_loss, adversarial_generator_loss, damage_share
from headsup.losses.discriminator import FaceDiscriminator
from portraitdata.images.resampling import bicubic

REAL, FAKE = [1.5, -0.5, 0.25], [-1.5, 0.25]


def logits(values, dtype=torch.float64):
    return torch.tensor(values, dtype=dtype).reshape(-1, 1, 1, 1)


def faces(size=32, count=2, seed=0):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def discriminator():
    torch.manual_seed(0)
    return FaceDiscriminator(channels=8)


def test_hinge_by_hand():
    # real: 0, 1.5, 0.75; fake: 0, 1.25
    assert adversarial_discriminator_loss(logits(REAL), logits(FAKE)).item() == pytest.approx(2.25 / 3 + 1.25 / 2)
    assert adversarial_generator_loss(logits(FAKE)).item() == pytest.approx(1.25 / 2)


def test_damage_is_a_share_of_the_error_of_the_enlarged_input():
    # flat images: a bicubic of one value is that value, so the errors are 0, 0.01 and 0.3
    lq = torch.tensor([0.5, 0.5, 0.5]).reshape(-1, 1, 1, 1).expand(-1, 3, 4, 4)
    hq = torch.tensor([0.5, 0.51, 0.8]).reshape(-1, 1, 1, 1).expand(-1, 3, 16, 16)
    assert damage_share(lq, hq, 0.04).flatten().tolist() == pytest.approx([0, 0.25, 1], abs=1e-5)


def test_what_a_bicubic_overshoots_by_is_no_damage():
    lq = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(1, 3, 4, 4)
    overshooting = bicubic(lq, 16, 16)
    assert overshooting.min() < -0.03
    assert overshooting.max() > 1.03
    assert damage_share(lq, overshooting.clamp(0, 1), 0.04).item() == 0


def test_beyond_the_margin_there_is_nothing_to_learn():
    real, fake = logits([1.5, 0.5]).requires_grad_(), logits([-1.5, -0.5]).requires_grad_()
    adversarial_discriminator_loss(real, fake).backward()
    assert real.grad.flatten().tolist() == [0.0, -0.5]
    assert fake.grad.flatten().tolist() == [0.0, 0.5]


def test_gradients():
    real, fake = logits(REAL).requires_grad_(), logits(FAKE).requires_grad_()
    assert torch.autograd.gradcheck(adversarial_discriminator_loss, (real, fake))
    assert torch.autograd.gradcheck(adversarial_generator_loss, (fake,))


def test_half_precision_is_widened():
    loss = adversarial_discriminator_loss(logits(REAL, torch.bfloat16), logits(FAKE, torch.bfloat16))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(2.25 / 3 + 1.25 / 2)
    assert adversarial_generator_loss(logits(FAKE, torch.bfloat16)).dtype == torch.float32


def test_without_faces_losses_are_zero_and_part_of_the_graph(discriminator):
    restored = faces(count=0).requires_grad_()
    generator = adversarial_generator_loss(discriminator(restored))
    assert generator.item() == 0
    generator.backward()
    assert restored.grad is not None
    discriminator.zero_grad()
    loss = adversarial_discriminator_loss(discriminator(faces(count=0)), discriminator(restored.detach()))
    assert loss.item() == 0
    loss.backward()
    for parameter in discriminator.parameters():
        assert parameter.grad is not None
        assert not parameter.grad.any()


def test_size_is_what_the_documentation_says():
    # stem 3*32*9 + 32; down 16 * (32*64 + 64*128 + 128*256); up 9 * (256*128 + 128*64 + 64*32);
    # body 2 * 9 * 32*32; head 32*9 + 1
    expected = 896 + 16 * 43008 + 9 * 43008 + 18432 + 289
    assert sum(p.numel() for p in FaceDiscriminator().parameters()) == expected == 1_094_817


@pytest.mark.parametrize("size", [8, 32, 50])
def test_every_pixel_is_judged(discriminator, size):
    assert discriminator(faces(size)).shape == (2, 1, size, size)


def test_a_pixel_is_judged_by_its_surroundings(discriminator):
    image = faces(64, 1).requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator.eval()(image)[0, 0, 32, 32], image)
    rows = gradient.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    assert (rows.max() - rows.min() + 1).item() > 40


def test_spectral_norm_of_every_hidden_layer_tends_to_one(discriminator):
    for _ in range(30):
        discriminator(faces(16))
    discriminator.eval()
    for layer in [*discriminator.down, *discriminator.up, *discriminator.body]:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


def test_faces_do_not_depend_on_each_other(discriminator):
    x = faces(count=3)
    discriminator.eval()
    torch.testing.assert_close(discriminator(x)[1:2], discriminator(x[1:2]), rtol=1e-4, atol=1e-6)


def test_runs_in_half_precision(discriminator):
    restored = faces().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        found = discriminator(restored)
        loss = adversarial_generator_loss(found)
    loss.backward()
    assert found.dtype == torch.bfloat16
    assert loss.dtype == torch.float32
    assert restored.grad.isfinite().all()


def test_true_and_restored_pass_through_before_one_backward(discriminator):
    real, fake = faces(seed=1), faces(seed=2).requires_grad_()
    adversarial_discriminator_loss(discriminator(real), discriminator(fake)).backward()
    assert fake.grad.isfinite().all()
    # all but the bias of the head, which both pull at with the same strength
    assert [name for name, p in discriminator.named_parameters() if not p.grad.any()] == ["head.bias"]


def test_learns_to_tell_smooth_from_rough(discriminator):
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-3, betas=(0.5, 0.99))
    for step in range(40):
        rough = faces(count=4, seed=step)
        smooth = nn.functional.avg_pool2d(rough, 3, stride=1, padding=1)
        loss = adversarial_discriminator_loss(discriminator(rough), discriminator(smooth))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 1.0  # from 2


def test_says_what_does_not_fit(discriminator):
    with pytest.raises(ValueError, match="at least 8 x 8 pixels, got 7"):
        discriminator(faces(7))
    with pytest.raises(ValueError, match="at least 1 channel, 1 level and squares of 1 pixel, got 0, 3"):
        FaceDiscriminator(channels=0)


def test_squares_are_judged_in_a_quarter_of_the_work() -> None:
    """Squares of pixels as channels: a logit for each, and every pixel counts."""
    plain, squares = FaceDiscriminator(4, 2), FaceDiscriminator(4, 2, square=2)
    faces = torch.rand(2, 3, 32, 32, requires_grad=True)
    assert squares(faces).shape == (2, 1, 16, 16)
    assert plain(faces).shape == (2, 1, 32, 32)
    assert squares(faces[:0]).shape == (0, 1, 16, 16)
    squares(faces)[0, 0, 8, 8].backward()
    assert faces.grad is not None
    assert (faces.grad[0, :, 16:18, 16:18] != 0).all()
    assert not faces.grad[1].any()
    with pytest.raises(ValueError, match="at least 8 x 8 pixels, got 4"):
        squares(torch.rand(1, 3, 4, 4))
    with pytest.raises(ValueError, match="squares of 1 pixel, got 4, 2 and 0"):
        FaceDiscriminator(4, 2, square=0)


def test_black_is_minus_one_and_white_one_to_its_layers() -> None:
    judge, seen = FaceDiscriminator(channels=2, levels=1), []
    judge.stem.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].unique().tolist()))
    judge(torch.tensor([0.0, 0.25, 0.5, 1.0]).expand(1, 3, 4, 4))
    assert seen == [[-1.0, -0.5, 0.0, 1.0]]


def test_detail_reaches_the_logits_past_the_levels() -> None:
    """With nothing coming up from below, a logit sees what the stem and three convolutions of 3 x 3 pixels see."""
    torch.manual_seed(0)
    judge = FaceDiscriminator(channels=4, levels=2).eval()
    for layer in judge.up:
        layer.register_forward_hook(lambda _layer, _inputs, output: 0 * output)
    picture = faces(32, 1).requires_grad_()
    (gradient,) = torch.autograd.grad(judge(picture)[0, 0, 16, 16], picture)
    seen = gradient.abs().sum(dim=(0, 1)).nonzero()
    assert seen.amin(dim=0).tolist() == [12, 12]
    assert seen.amax(dim=0).tolist() == [20, 20]
