import inspect

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hime.losses.charbonnier import charbonnier_loss


def test_is_the_mean_of_the_root_of_every_element():
    sr, hr = torch.tensor([[[[0.0, 0.3]]]]), torch.tensor([[[[0.0, 0.7]]]])
    # (sqrt(0 + 0.09) + sqrt(0.16 + 0.09)) / 2; a norm of the whole image under the root would give 0.5
    assert charbonnier_loss(sr, hr, epsilon=0.3).item() == pytest.approx(0.4)


def test_equal_images_cost_the_papers_epsilon():
    image = torch.rand(2, 3, 4, 4)
    assert charbonnier_loss(image, image).item() == pytest.approx(1e-3)


@settings(derandomize=True, deadline=None, max_examples=20)
@given(epsilon=st.floats(1e-4, 1), seed=st.integers(0, 100))
def test_lies_between_the_mean_distance_and_epsilon_above_it(epsilon, seed):
    generator = torch.Generator().manual_seed(seed)
    sr, hr = torch.rand(2, 2, 3, 5, 7, generator=generator, dtype=torch.float64)
    distance = (sr - hr).abs().mean()
    assert distance <= charbonnier_loss(sr, hr, epsilon) <= distance + epsilon


def test_gradient():
    sr, hr = torch.rand(2, 1, 3, 4, 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(charbonnier_loss, (sr.requires_grad_(), hr.requires_grad_()))
    assert torch.autograd.gradgradcheck(lambda x: charbonnier_loss(x, hr.detach(), 0.5), (sr,))


def test_half_precision_is_computed_in_float32():
    sr = torch.full((1, 3, 8, 8), 0.5, dtype=torch.bfloat16)
    loss = charbonnier_loss(sr, torch.full((1, 3, 8, 8), 0.501))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(2**0.5 * 1e-3, rel=1e-3)


def test_says_what_does_not_fit():
    image = torch.rand(1, 3, 4, 4)
    with pytest.raises(ValueError, match=r"an epsilon above zero, got 0\.0"):
        charbonnier_loss(image, image, epsilon=0.0)
    with pytest.raises(ValueError, match=r"images of one shape, got \(1, 3, 4, 4\) and \(1, 3, 4, 8\)"):
        inspect.unwrap(charbonnier_loss)(image, torch.rand(1, 3, 4, 8))  # under jaxtyping's own check
