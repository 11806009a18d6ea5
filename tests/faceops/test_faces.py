"""The ragged set of faces."""

import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import config

from faceops.geometry.faces import LANDMARKS, Faces


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Without the shape checks of the test run, which come before our own."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


def make_faces(images: list[int], sides: list[float], scores: list[float]) -> Faces:
    """Faces with square boxes at 10, 20."""
    corner = torch.tensor([10.0, 20.0])
    boxes = torch.stack([torch.cat([corner, corner + side]) for side in sides]) if sides else torch.zeros(0, 4)
    landmarks = torch.arange(10.0).reshape(1, 5, 2).repeat(len(images), 1, 1)
    return Faces(torch.tensor(images, dtype=torch.int64), boxes, landmarks, torch.tensor(scores))


@pytest.mark.usefixtures("unchecked")
def test_rows_must_agree() -> None:
    good = make_faces([0, 1], [3.0, 4.0], [0.5, 0.6])
    with pytest.raises(ValueError, match=r"The landmarks of 2 faces must have the shape \(2, 5, 2\), got \(1, 5, 2\)"):
        Faces(good.image_index, good.boxes, good.landmarks[:1], good.scores)
    with pytest.raises(ValueError, match=r"boxes of 2 faces must have the shape \(2, 4\), got \(2, 5\)"):
        Faces(good.image_index, torch.zeros(2, 5), good.landmarks, good.scores)
    with pytest.raises(ValueError, match=r"image_index must be whole numbers, got torch.float32"):
        Faces(good.scores, good.boxes, good.landmarks, good.scores)


def test_convention_landmarks_are_xy_and_as_seen_in_the_image() -> None:
    assert LANDMARKS[:2] == ("left eye", "right eye")
    faces = Faces(
        torch.tensor([0]),
        torch.tensor([[0.0, 0.0, 9.0, 9.0]]),
        torch.tensor([[[2.0, 3.0], [5.0, 7.0], [4.0, 6.0], [2.0, 8.0], [6.0, 9.0]]]),
        torch.tensor([0.9]),
    )
    assert faces.eye_distance().item() == pytest.approx(5.0)  # 3 across, 4 down
    assert abs(3.0) != faces.eye_distance().item()


def test_eye_distance_of_a_rotated_face_is_the_same() -> None:
    points = torch.tensor([[-30.0, 0.0], [30.0, 0.0], [0.0, 20.0], [-20.0, 50.0], [20.0, 50.0]])
    for degrees in (0, 37, 90):
        angle = math.radians(degrees)
        turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        turned = (points @ turn.T).unsqueeze(0)
        faces = Faces(torch.tensor([0]), torch.zeros(1, 4), turned, torch.ones(1))
        assert faces.eye_distance().item() == pytest.approx(60, abs=1e-4)


def test_of_keeps_the_image_index() -> None:
    faces = make_faces([2, 0, 2], [1.0, 2.0, 3.0], [0.1, 0.2, 0.3])
    assert faces.of(2).image_index.tolist() == [2, 2]
    assert faces.of(2).scores.tolist() == pytest.approx([0.1, 0.3])
    assert len(faces.of(1)) == 0


def test_largest_is_one_face_for_each_image_that_has_one() -> None:
    faces = make_faces([3, 0, 3, 0, 3], [1.0, 5.0, 4.0, 2.0, 4.0], [0.9, 0.1, 0.2, 0.8, 0.7])
    largest = faces.largest()
    assert largest.image_index.tolist() == [0, 3]
    assert largest.scores.tolist() == pytest.approx([0.1, 0.2])  # of two equal ones the first
    assert len(Faces.none().largest()) == 0


def test_likeliest_is_one_face_for_each_image_that_has_one() -> None:
    faces = make_faces([3, 0, 3, 0, 3], [1.0, 5.0, 4.0, 2.0, 4.0], [0.7, 0.1, 0.2, 0.8, 0.7])
    likeliest = faces.likeliest()
    assert likeliest.image_index.tolist() == [0, 3]
    assert likeliest.area().tolist() == [faces.area()[3], faces.area()[0]]  # of two equal ones the first
    assert len(Faces.none().likeliest()) == 0


def test_ordered_by_image_then_score_then_position() -> None:
    boxes = torch.tensor([[5.0, 1.0, 9.0, 9.0], [1.0, 1.0, 9.0, 9.0], [0.0, 2.0, 9.0, 9.0], [0.0, 0.0, 1.0, 1.0]])
    faces = Faces(torch.tensor([0, 0, 0, 0]), boxes, torch.zeros(4, 5, 2), torch.tensor([0.5, 0.5, 0.5, 0.9]))
    assert faces.ordered().boxes[:, :2].tolist() == [[0, 0], [1, 1], [5, 1], [0, 2]]
    both = Faces.concatenate([Faces(torch.full((4,), 1), faces.boxes, faces.landmarks, faces.scores), faces])
    assert both.ordered().image_index.tolist() == [0] * 4 + [1] * 4


@given(st.permutations(range(6)))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_the_order_does_not_depend_on_the_order_before(order: list[int]) -> None:
    faces = make_faces([0, 1, 0, 1, 0, 1], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0.5, 0.5, 0.7, 0.2, 0.1, 0.9])
    shuffled = faces.select(torch.tensor(order)).ordered()
    assert torch.equal(shuffled.scores, faces.ordered().scores)
    assert torch.equal(shuffled.boxes, faces.ordered().boxes)


@given(st.floats(0.1, 8))
@settings(max_examples=10, deadline=None, derandomize=True)
def test_rescaling_there_and_back(factor: float) -> None:
    faces = make_faces([0], [30.0], [0.5])
    back = faces.rescaled(factor).rescaled(1 / factor)
    torch.testing.assert_close(back.boxes, faces.boxes, atol=1e-3, rtol=1e-4)
    assert faces.rescaled(factor).eye_distance().item() == pytest.approx(faces.eye_distance().item() * factor, rel=1e-4)


def test_convention_rescaling_keeps_the_corners_of_the_image() -> None:
    # An image of 4 pixels spans [-0.5, 3.5]; of 8 pixels [-0.5, 7.5]. Scaling centres alone would give 7.0.
    whole = Faces(torch.tensor([0]), torch.tensor([[-0.5, -0.5, 3.5, 3.5]]), torch.zeros(1, 5, 2), torch.ones(1))
    assert whole.rescaled(2.0).boxes.tolist() == [[-0.5, -0.5, 7.5, 7.5]]


def test_select_concatenate_and_to() -> None:
    faces = make_faces([0, 1], [3.0, 4.0], [0.5, 0.6])
    twice = Faces.concatenate([faces, Faces.none(), faces])
    assert twice.image_index.tolist() == [0, 1, 0, 1]
    assert twice.select(twice.scores > 0.55).image_index.tolist() == [1, 1]
    assert twice.select(torch.tensor([3, 0])).image_index.tolist() == [1, 0]
    assert len(Faces.concatenate([])) == 0
    assert twice.to("cpu").boxes.device == torch.device("cpu")


def test_frozen() -> None:
    with pytest.raises(AttributeError, match="cannot assign"):
        Faces.none().scores = torch.zeros(0)  # type: ignore[misc]
