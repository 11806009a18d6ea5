"""Warped copies of the target as references, by curriculum."""

import numpy as np
import pytest

from portraitdata.exemplars.self_exemplars import SelfExemplars, Warp
from portraitdata.exemplars.sets import TrainingExemplarSets
from portraitdata.exemplars.synthetic_portraits import write_synthetic_index


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (3, 17, 17), dtype=np.uint8)


def test_copies_are_exact_at_first_and_warped_later(image) -> None:
    curriculum = SelfExemplars(ramp=100)
    random = np.random.default_rng(0)
    start = [warp for _ in range(200) for warp in curriculum.draw(0, 3, random)]
    late = [warp for _ in range(200) for warp in curriculum.draw(500, 3, random)]
    assert 0.4 < sum(warp is not None for warp in start) / 600 < 0.6
    assert 0.05 < sum(warp is not None for warp in late) / 600 < 0.15
    assert all(np.array_equal(warp(image), image) for warp in start if warp is not None)
    assert not any(np.array_equal(warp(image), image) for warp in late if warp is not None)


def test_convention_right_then_down_and_anticlockwise(image) -> None:
    moved = Warp(right=2 / 17, down=-1 / 17)(image)
    np.testing.assert_array_equal(moved[:, 3:10, 5:10], image[:, 4:11, 3:8])
    np.testing.assert_array_equal(Warp(turn=90.0)(image), np.rot90(image, axes=(1, 2)))


def test_light_is_clamped() -> None:
    grey = np.full((3, 4, 4), 200, np.uint8)
    assert Warp(gain=1.1, bias=-20.0)(grey).max() == 200
    assert Warp(gain=1.2, bias=20.0)(grey).min() == 255


@pytest.mark.parametrize("shares", [{"first": 0.2, "last": 0.4}, {"first": 1.5}, {"last": -0.1}])
def test_impossible_shares_are_refused(shares) -> None:
    with pytest.raises(ValueError, match="fall from `first` to `last`"):
        SelfExemplars(**shares)
    with pytest.raises(ValueError, match="at least one set, got 0"):
        SelfExemplars(ramp=0)


def test_sets_with_copies_are_functions_of_their_key(tmp_path) -> None:
    index = write_synthetic_index(tmp_path, people=4, portraits=4, size=32)
    copies = SelfExemplars(ramp=10**9, first=1.0, last=1.0)
    sets, plain = (TrainingExemplarSets(index, 32, self_exemplars=chosen, seed=3) for chosen in (copies, None))
    images = sets[5, 2].images
    assert images.equal(sets[5, 2].images)
    assert all(images[place].equal(images[0]) for place in (1, 2, 3))
    assert not plain[5, 2].images[1].equal(plain[5, 2].images[0])
