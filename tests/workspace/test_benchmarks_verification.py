import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.faces.verification_protocol import accuracy, best_threshold, threshold_at, verify


def pairs(count=400, distance=2.0, seed=0):
    rng = np.random.default_rng(seed)
    same = torch.arange(2 * count) < count
    return torch.from_numpy(rng.normal(0, 1, 2 * count) + distance * same.numpy()), same


def test_accuracy_of_two_normal_distributions_is_the_known_one():
    # scipy.stats.norm.cdf(1) = 0.8413: the best threshold is half-way between means two deviations apart
    result = verify(*pairs(20_000))
    assert result.accuracy == pytest.approx(0.8413, abs=0.006)
    # norm.isf(1e-3) = 3.0902, norm.sf(3.0902 - 2) = 0.1378
    assert result.threshold == pytest.approx(3.09, abs=0.12)
    assert result.true_accept_rate == pytest.approx(0.138, abs=0.03)


def test_what_cannot_be_told_apart_is_judged_by_chance():
    assert verify(torch.zeros(400), torch.arange(400) < 200).accuracy == pytest.approx(0.5)


def test_too_few_pairs_are_refused():
    with pytest.raises(ValueError, match="10 folds need at least as many pairs of one person and of two, got 5 and 5"):
        verify(torch.rand(10), torch.arange(10) < 5)


values = st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(values)
def test_the_best_threshold_is_as_good_as_any(drawn):
    similarity = torch.tensor([float(value) for value, _ in drawn])
    same = torch.tensor([kind for _, kind in drawn])
    tried = [accuracy(similarity, same, edge) for edge in np.arange(-5, 6) + 0.5]
    assert accuracy(similarity, same, best_threshold(similarity, same)) == pytest.approx(max(tried))


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.1, 0.5])
def test_the_threshold_is_the_lowest_that_keeps_the_rate(rate):
    different = torch.from_numpy(np.random.default_rng(0).normal(size=3000)).float()
    threshold = threshold_at(different, rate)
    assert (different >= threshold).double().mean() <= rate
    lower = np.nextafter(np.float32(threshold), np.float32(-10))
    assert (different >= float(lower)).double().mean() > rate
