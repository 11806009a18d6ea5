import copy

import pytest
import torch

from hime.losses.adversarial import adversarial_discriminator_loss
from hime.losses.discriminator import Discriminator


def images(size=64, count=2, seed=0):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def discriminator():
    torch.manual_seed(0)
    return Discriminator()


def test_size_is_what_the_documentation_says(discriminator):
    # 16 * (3*32 + 32*64 + 64*128 + 128*256) + 9*256 weights, 32 + 64 + 128 + 256 + 1 biases
    assert sum(p.numel() for p in discriminator.parameters()) == 691_968 + 481 == 692_449


@pytest.mark.parametrize(("size", "logits"), [(16, 1), (128, 8), (256, 16)])
def test_one_logit_every_sixteen_pixels(discriminator, size, logits):
    assert discriminator(images(size, 1)).shape == (1, 1, logits, logits)


def test_a_logit_sees_78_pixels(discriminator):
    image = images(128, 1).requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator.eval()(image)[0, 0, 4, 4], image)
    rows = gradient.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    assert (rows.max() - rows.min() + 1).item() == 78


def test_spectral_norm_of_every_layer_tends_to_one(discriminator):
    for _ in range(30):
        discriminator(images(32))
    discriminator.eval()
    for layer in [*discriminator.body[::2], discriminator.head]:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


def test_is_a_gentle_function_of_the_image(discriminator):
    discriminator(images())
    discriminator.eval()
    a, b = images(seed=1), images(seed=2)
    # every layer stretches by at most one as a matrix; as a 4x4 convolution of stride 2 by at most two
    assert (discriminator(a) - discriminator(b)).norm() < 2 * 3 * 2**4 * (a - b).norm()


def test_true_and_generated_pass_through_before_one_backward(discriminator):
    real, fake = images(32, seed=1), images(32, seed=2).requires_grad_()
    loss = adversarial_discriminator_loss(discriminator(real), discriminator(fake))
    loss.backward()
    assert fake.grad.isfinite().all()
    assert all(p.grad is not None for p in discriminator.parameters())


def test_learns_to_tell_smooth_from_rough():
    torch.manual_seed(0)
    discriminator = Discriminator(channels=8, layers=3)
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-3, betas=(0.5, 0.99))
    for step in range(40):
        rough = images(32, 4, seed=step)
        smooth = rough.mean(dim=(2, 3), keepdim=True).expand_as(rough)
        loss = adversarial_discriminator_loss(discriminator(rough), discriminator(smooth))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.7  # from 2 log 2 = 1.39


def test_can_be_copied_and_restored(discriminator):
    other = Discriminator()
    other.load_state_dict(discriminator.state_dict())
    for twin in (other, copy.deepcopy(discriminator)):
        torch.testing.assert_close(twin.eval()(images()), discriminator.eval()(images()))


def test_says_what_does_not_fit(discriminator):
    with pytest.raises(ValueError, match="at least 16 x 16 pixels, got 15 x 15"):
        discriminator(images(15))
    with pytest.raises(ValueError, match="at least 1 channel and 1 layer, got 0 and 4"):
        Discriminator(channels=0)


def test_black_is_minus_one_and_white_one_to_its_layers():
    discriminator, seen = Discriminator(channels=2, layers=1), []
    discriminator.body.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].unique().tolist()))
    discriminator(torch.tensor([0.0, 0.25, 0.5, 1.0]).expand(1, 3, 4, 4))
    assert seen == [[-1.0, -0.5, 0.0, 1.0]]
