import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from faceops.metrics.identity_score import IdentityScore, identity_score


class Tiny(nn.Module):
    """Stands in for a recognition network."""

    def __init__(self, side=8, dimensions=5):
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(3 * side * side, dimensions)
        self.dropout = nn.Dropout(0.5)

    def forward(self, aligned):
        return F.normalize(self.linear(self.dropout(aligned.flatten(1))), dim=1)


def faces(count, seed=0, side=8):
    return torch.rand(2, count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def test_is_equation_4():
    x, y = torch.tensor([[1.0, 2.0, 2.0]]), torch.tensor([[2.0, -1.0, 2.0]])
    assert identity_score(x, y).item() == pytest.approx((2 - 2 + 4) / (3 * 3))


def test_is_the_mean_of_cosines_on_the_network():
    network, (predicted, truth) = Tiny().eval(), faces(7)
    metric = IdentityScore(network)
    metric.update(predicted[:3], truth[:3])
    metric.update(predicted[3:], truth[3:])
    expected = F.cosine_similarity(network(predicted), network(truth)).mean().detach()
    torch.testing.assert_close(metric.compute(), expected)


def test_a_face_without_counterpart_is_left_out():
    x = torch.eye(3)
    y = torch.tensor([[1.0, 0.0, 0.0], [math.nan, 0.0, 0.0], [1.0, 0.0, 1.0]])
    present = torch.tensor([True, False, True])
    assert identity_score(x, y, present).item() == pytest.approx((1 + math.sqrt(0.5)) / 2)
    assert identity_score(x, y, torch.zeros(3, dtype=torch.bool)).isnan()


def test_forgets_on_reset_and_is_nan_without_faces():
    metric = IdentityScore(Tiny())
    metric.update(*faces(2))
    metric.reset()
    metric.update(*faces(0))
    assert metric.compute().isnan()


def test_the_network_is_frozen_and_its_dropout_off():
    metric = IdentityScore(Tiny())
    assert not any(parameter.requires_grad for parameter in metric.parameters())
    predicted, truth = faces(4)
    values = [metric(predicted.requires_grad_(), truth) for _ in range(2)]
    assert torch.equal(*values)
    assert not values[0].requires_grad


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 2e-3), (torch.bfloat16, 2e-2), (torch.float64, 1e-6)])
def test_takes_faces_of_any_precision(dtype, tolerance):
    predicted, truth = faces(4)
    metric, other = IdentityScore(Tiny()), IdentityScore(Tiny())
    metric.update(predicted, truth)
    other.update(predicted.to(dtype), truth.to(dtype))
    assert other.compute().dtype == torch.float32
    assert other.compute().item() == pytest.approx(metric.compute().item(), abs=tolerance)


def test_takes_a_network_in_half_precision_and_ignores_autocast():
    predicted, truth = faces(4)
    metric, other = IdentityScore(Tiny()), IdentityScore(Tiny().bfloat16())
    metric.update(predicted, truth)
    other.update(predicted, truth)
    assert other.compute().item() == pytest.approx(metric.compute().item(), abs=2e-2)
    within = IdentityScore(Tiny())
    with torch.autocast("cpu", torch.bfloat16):
        within.update(predicted, truth)
    # with the network in bfloat16 it would be almost 1e-3 away
    assert within.compute().item() == pytest.approx(metric.compute().item(), abs=1e-6)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(seed=st.integers(0, 1000), scale=st.floats(0.01, 100), count=st.integers(1, 6))
def test_is_symmetric_blind_to_length_and_bounded(seed, scale, count):
    x, y = torch.randn(2, count, 4, generator=torch.Generator().manual_seed(seed))
    score = identity_score(x, y)
    torch.testing.assert_close(identity_score(y, x), score)
    torch.testing.assert_close(identity_score(x * scale, y), score)
    assert -1 <= score <= 1
    assert identity_score(x, x).item() == pytest.approx(1)
