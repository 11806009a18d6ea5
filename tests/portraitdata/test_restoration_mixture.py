from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portraitdata.loading.sampler import SeededSequence
from portraitdata.restoration.index.synthetic_index import write_synthetic_portrait_index
from portraitdata.restoration.mixture import BLOCK, STAGE_ONE, STAGE_TWO, Mixture, MixtureOrder
from portraitdata.restoration.training_pairs import RestorationPairs

WEIGHTS = st.lists(st.floats(0.02, 1), min_size=1, max_size=5)


@settings(deadline=None, max_examples=10)
@given(WEIGHTS, st.integers(0, 2**20), st.integers(0, 5))
def test_every_block_has_its_shares(weights, block, seed):
    order = MixtureOrder([10] * len(weights), weights, seed)
    counts = Counter(order.at(serial)[0] for serial in range(block * BLOCK, (block + 1) * BLOCK))
    for dataset, weight in enumerate(weights):
        assert abs(counts[dataset] - BLOCK * weight / sum(weights)) < 2


@settings(deadline=None, max_examples=8)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(0, 3))
def test_every_item_comes_once_before_any_comes_again(lengths, seed):
    order = MixtureOrder(lengths, [1.0, 2.0, 3.0, 4.0][: len(lengths)], seed)
    drawn: dict[int, list[int]] = {}
    for dataset, item in map(order.at, range(1500)):
        drawn.setdefault(dataset, []).append(item)
    for dataset, length in enumerate(lengths):
        whole = len(drawn[dataset]) // length * length
        for start in range(0, whole, length):
            assert sorted(drawn[dataset][start : start + length]) == list(range(length))


@pytest.mark.parametrize(
    ("stage", "wanted"),
    [
        (STAGE_ONE, [0.15 / 2.2, 0.05 / 2.2, 1.7 / 2.2, 0.3 / 2.2]),
        (STAGE_TWO, [1.5 / 4, 0.5 / 4, 1.7 / 4, 0.3 / 4]),
    ],
)
def test_stages_of_the_paper(stage, wanted):
    order = MixtureOrder([27_000, 10_000, 84_991, 800], list(stage.values()))
    counts = Counter(order.at(serial)[0] for serial in range(5 * BLOCK))
    assert [counts[dataset] / (5 * BLOCK) for dataset in range(4)] == pytest.approx(wanted, abs=4e-4)


def test_the_order_is_a_draw():
    """No rhythm: what comes after an item of the first data set does not depend on it; a seed gives another order."""
    one, other = (MixtureOrder([50, 50], [1.0, 1.0], seed) for seed in (0, 1))
    first = np.array([one.at(serial)[0] for serial in range(5 * BLOCK)])
    second = np.array([other.at(serial)[0] for serial in range(5 * BLOCK)])
    assert np.mean(first[1:] == first[:-1]) == pytest.approx(0.5, abs=0.03)
    assert np.mean(first == second) == pytest.approx(0.5, abs=0.03)
    assert [one.at(serial) for serial in (7, 3, 7)] == [one.at(7), one.at(3), one.at(7)]


@pytest.mark.parametrize(
    ("lengths", "weights", "sentence"),
    [
        ([3], [1.0, 2.0], "1 data sets and 2 weights were given"),
        ([3, 0], [1.0, 2.0], "Data sets of a mixture are not empty"),
        ([3, 3], [1.0, 0.0], "Weights of a mixture are positive numbers"),
        ([3, 3], [1.0, float("nan")], "Weights of a mixture are positive numbers"),
        ([3, 3], [1.0, 1e-5], "less than one in 1024 of a mixture"),
        ([], [], "Data sets of a mixture are not empty"),
    ],
)
def test_what_is_no_mixture(lengths, weights, sentence):
    with pytest.raises(ValueError, match=sentence):
        MixtureOrder(lengths, weights)


def test_mixture_of_data_sets(tmp_path):
    index = write_synthetic_portrait_index(tmp_path, people=4, portraits=2, size=64)
    large, small = (RestorationPairs(index, size=size, references=False) for size in (64, 32))
    mixture = Mixture([large, small], [3.0, 1.0])
    assert len(mixture) == 12
    sequence = list(SeededSequence(len(mixture), batch_size=2))
    items = [mixture[key] for key in sequence]
    for (serial, _), item in zip(sequence, items, strict=True):
        dataset, number = mixture.order.at(serial)
        assert item.hq.equal((large, small)[dataset][serial, number].hq)
    assert mixture[5, 0].hq.equal(mixture[5].hq)
    assert mixture.corrupt_photographs == []
    assert len(Mixture([large], [1.0], samples=100)) == 100
    with pytest.raises(ValueError, match="An epoch has at least one item, got samples 0"):
        Mixture([large], [1.0], samples=0)
