"""Win rates and their intervals."""

import numpy as np
import pytest

from portraitdata.study.answers import Answer
from portraitdata.study.win_rates import two_way_interval, wilson_interval, win_rates


@pytest.mark.parametrize(
    ("wins", "answers", "low", "high"),
    # Newcombe (1998), "Two-sided confidence intervals for the single proportion", Table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_published(wins, answers, low, high):
    assert wilson_interval(wins, answers) == pytest.approx((low, high), abs=6e-5)
    mirrored = wilson_interval(answers - wins, answers)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=6e-5)


def test_wilson_by_hand_at_another_confidence():
    # The bounds solve (rate - p)^2 = z^2 p (1 - p) / n; z = 1.644854 for 90%.
    for bound in wilson_interval(3, 8, confidence=0.9):
        assert (3 / 8 - bound) ** 2 == pytest.approx(1.644854**2 * bound * (1 - bound) / 8, rel=1e-5)


def test_wilson_refuses_what_is_no_share():
    for wins, answers in ((0, 0), (3, 2), (-1, 2)):
        with pytest.raises(ValueError, match=f"at least one answer, and not above one; got {wins} of {answers}"):
            wilson_interval(wins, answers)


def answers_of(table: str) -> list[Answer]:
    """One row a participant, one letter a picture; "." is no answer."""
    return [
        Answer(f"p{row}", "similarity", f"picture{column}", letter)
        for row, letters in enumerate(table.split())
        for column, letter in enumerate(letters)
        if letter != "."
    ]


def test_rates_by_hand():
    a, b, c = win_rates(answers_of("aab. abb."), ["a", "b", "c"])
    assert [(rate.method, rate.wins, rate.answers) for rate in (a, b, c)] == [("a", 3, 6), ("b", 3, 6), ("c", 0, 6)]
    assert (a.rate, b.rate, c.rate) == (0.5, 0.5, 0.0)
    # Wilson with z^2 = 3.841459: (0.5 * 6 ± ...) by hand: middle 0.5, reach sqrt(z^2 (z^2 + 6)) / (2 (6 + z^2))
    reach = (3.841459 * (3.841459 + 6)) ** 0.5 / (2 * (6 + 3.841459))
    assert a.by_answers == pytest.approx((0.5 - reach, 0.5 + reach), abs=1e-6)
    assert c.by_answers == pytest.approx((0.0, 3.841459 / (6 + 3.841459)), abs=1e-6)
    assert c.by_people_and_pictures == (0.0, 0.0)


def test_nobody_is_one_of_many():
    (one, _) = win_rates(answers_of("aab"), ["a", "b"])
    assert one.by_people_and_pictures is None
    with pytest.raises(ValueError, match="There are no answers"):
        win_rates([], ["a", "b"])


def test_answers_of_one_person_are_no_answers_of_many():
    """Of 16 people half always choose a: the rate in a sample is Binomial(16, 1/2) / 16, between 4 and 12 of 16."""
    won = np.zeros((16, 30), np.int64)
    won[:8] = 1
    assert two_way_interval(won, np.ones_like(won)) == (0.25, 0.75)
    assert two_way_interval(won.T, np.ones_like(won).T) == (0.25, 0.75)  # nor are those on one picture
    low, high = wilson_interval(int(won.sum()), won.size)
    assert 0.44 < low < high < 0.56


def test_samples_without_answers_are_left_out():
    """Two people saw a picture each. Samples with both have both rates, the others one; some have no answer."""
    won, total = np.array([[1, 0], [0, 0]]), np.array([[1, 0], [0, 1]])
    assert two_way_interval(won, total) == (0.0, 1.0)


def test_intervals_hold_the_true_rate_as_often_as_they_say():
    """Participants and pictures with tastes of their own: Wilson is far too sure, the bootstrap is not."""
    generator = np.random.default_rng(0)

    def chosen(people: int, pictures: int) -> np.ndarray:
        tastes = generator.normal(0, 0.5, (people, 1, 3)) + generator.normal(0, 0.5, (1, pictures, 3))
        merits = np.array([0.8, 0.2, 0.0]) + tastes + generator.gumbel(size=(people, pictures, 3))
        return (merits.argmax(axis=2) == 0).astype(np.int64)

    truth = chosen(1000, 1000).mean()
    held = {"wilson": 0, "two-way": 0}
    for _ in range(100):
        won = chosen(10, 20)
        for name, (low, high) in {
            "wilson": wilson_interval(int(won.sum()), won.size),
            "two-way": two_way_interval(won, np.ones_like(won)),
        }.items():
            held[name] += low <= truth <= high
    assert held["wilson"] < 85
    assert held["two-way"] >= 95
