"""Other expressions: the picture goes where its landmarks go, mouths most of all."""

import numpy as np
import pytest

from portraitdata.face_finding.expressions import LARGEST_MOVE, another_expression, drawn_moves, pulled
from portraitdata.face_finding.views import View

POINTS = np.array([[70.0, 80.0], [130.0, 80.0], [100.0, 110.0], [76.0, 140.0], [124.0, 140.0]])
EYES = 60.0


def dotted(points: np.ndarray, size: int = 220) -> np.ndarray:
    """A soft dot in each place on black."""
    ys, xs = np.mgrid[:size, :size]
    dots = [np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / 8) for x, y in points]
    return np.repeat((255 * np.clip(sum(dots), 0, 1)).astype(np.uint8)[..., None], 3, axis=2)


def dot_near(image: np.ndarray, x: float, y: float) -> np.ndarray:
    """Middle of mass of what is bright within 10 pixels."""
    ys, xs = np.mgrid[: image.shape[0], : image.shape[1]]
    weight = image[..., 0].astype(float) * ((xs - x) ** 2 + (ys - y) ** 2 < 100)
    return np.array([(xs * weight).sum(), (ys * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("seed", range(5))
def test_the_picture_goes_with_its_landmarks(seed: int) -> None:
    moves = drawn_moves(POINTS, np.random.default_rng(seed))
    image = pulled(dotted(POINTS), POINTS, moves)
    for point in POINTS + moves:
        np.testing.assert_allclose(dot_near(image, *point), point, atol=0.7)


def test_what_is_far_away_stays() -> None:
    image = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    moves = np.zeros((5, 2))
    moves[4] = [10.0, -6.0]
    out = pulled(image, POINTS, moves)
    assert not np.array_equal(out[60:160, 60:160], image[60:160, 60:160])
    assert np.array_equal(out[:, 280:], image[:, 280:])
    assert np.array_equal(out[280:], image[280:])


def test_mouths_move_most_and_nothing_too_far() -> None:
    rng = np.random.default_rng(1)
    moves = np.stack([drawn_moves(POINTS, rng) for _ in range(500)]) / EYES
    far = np.hypot(*np.moveaxis(moves, -1, 0))
    assert far.max() <= LARGEST_MOVE + 1e-9
    spread = far.mean(axis=0)
    assert spread[3:].min() > 2 * spread[:2].max()
    # the corners move outwards and up together
    width, height = moves[:, 4, 0] - moves[:, 3, 0], -moves[:, 3:, 1].mean(axis=1)
    assert np.corrcoef(width, height)[0, 1] > 0.2


def test_the_largest_sure_face_is_altered_and_small_ones_are_not() -> None:
    image = dotted(POINTS)
    landmarks = np.stack([POINTS / 10, POINTS, POINTS * 1.2])
    view = View(image, np.zeros((3, 4)), landmarks, np.array([True, True, False]))
    out = another_expression(view, np.random.default_rng(2))
    assert [np.array_equal(a, b) for a, b in zip(out.landmarks, landmarks, strict=True)] == [True, False, True]
    assert not np.array_equal(out.image, image)
    assert np.array_equal(view.landmarks[1], POINTS)
    small = view._replace(sure=np.array([True, False, False]))
    assert another_expression(small, np.random.default_rng(2)) is small
    nobody = View(image, np.zeros((0, 4)), np.zeros((0, 5, 2)), np.zeros(0, bool))
    assert another_expression(nobody, np.random.default_rng(2)) is nobody
