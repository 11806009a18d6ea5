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


def test_copies_take_the_places_of_photographs_that_a_person_does_not_have(tmp_path) -> None:
    index = write_synthetic_index(tmp_path, people=4, portraits=2, size=32)
    never = {"ramp": 10**9, "first": 0.0, "last": 0.0}
    filled, plain = (
        TrainingExemplarSets(index, 32, self_exemplars=SelfExemplars(**never, fill=fill), seed=3)
        for fill in (True, False)
    )
    images, present, _ = filled[5, 2]
    assert present.tolist() == [True, True, True]
    assert plain[5, 2].present.tolist() == [True, False, False]
    assert images[1].equal(plain[5, 2].images[1])
    assert not images[1].equal(images[0])
    assert all(images[place].equal(images[0]) for place in (2, 3))


def test_a_bend_moves_what_lies_at_its_knots(image) -> None:
    everywhere = np.stack([np.full((5, 5), 2 / 17), np.full((5, 5), -1 / 17)])
    np.testing.assert_array_equal(Warp(bend=everywhere)(image), Warp(right=2 / 17, down=-1 / 17)(image))
    in_the_middle = np.zeros((2, 5, 5))
    in_the_middle[0, 2, 2] = 2 / 17
    moved = Warp(bend=in_the_middle)(image)
    np.testing.assert_array_equal(moved[:, 8, 8], image[:, 8, 6])
    np.testing.assert_array_equal(moved[:, :, :2], image[:, :, :2])


def test_a_curriculum_without_bends_draws_what_it_drew_before() -> None:
    draws = [SelfExemplars(first=1.0, bend=bend).draw(10**6, 3, np.random.default_rng(2), 3) for bend in (0.0, 0.02)]
    for plain, bent in zip(*draws, strict=True):
        assert plain is None or (plain.bend is None and bent is not None and bent.bend.shape == (2, 5, 5))
        assert plain is None or (plain.turn, plain.bias) == (bent.turn, bent.bias)
