import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faceops.metrics.landmark_distance import landmark_distances


def landmarks(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 200 * torch.rand(2, count, 5, 2, generator=generator, dtype=torch.float64)


def test_is_the_mean_error_by_the_distance_of_the_true_eyes():
    predicted, truth = (part.numpy() for part in landmarks(6))
    pixels = np.hypot(*(predicted - truth).transpose(2, 0, 1)).mean(axis=1)
    eyes = np.hypot(*(truth[:, 1] - truth[:, 0]).T)
    tensors = torch.from_numpy(predicted), torch.from_numpy(truth)
    np.testing.assert_allclose(landmark_distances(*tensors).numpy(), pixels / eyes, rtol=1e-5)


def test_convention_the_eyes_are_the_first_two_and_of_the_true_face():
    truth = torch.tensor([[[0.0, 0.0], [3.0, 4.0], [100.0, 0.0]]])
    predicted = truth.clone()
    predicted[0, 1] = torch.tensor([6.0, 8.0])  # twice the distance of the true eyes
    assert landmark_distances(predicted, truth).item() == pytest.approx(5 / 3 / 5)
    assert landmark_distances(truth, predicted).item() == pytest.approx(5 / 3 / 10)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(seed=st.integers(0, 1000), factor=st.floats(0.1, 10), angle=st.floats(-3, 3), move=st.floats(-50, 50))
def test_is_the_same_in_an_image_that_is_turned_moved_and_scaled(seed, factor, angle, move):
    predicted, truth = landmarks(3, seed)
    turn = factor * torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]).double()
    moved = landmark_distances(predicted @ turn + move, truth @ turn + move)
    torch.testing.assert_close(moved, landmark_distances(predicted, truth), rtol=1e-3, atol=1e-4)


def test_takes_half_precision_landmarks():
    predicted, truth = landmarks(4)
    found = landmark_distances(predicted.half(), truth.half())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, landmark_distances(predicted, truth), rtol=1e-2, atol=0)


def test_a_long_way_does_not_overflow_in_half_precision():
    predicted, truth = (
        torch.tensor([[[0.0, 0.0], [60000.0, 0.0]]]),
        torch.tensor([[[0.0, 60000.0], [60000.0, 60000.0]]]),
    )
    assert landmark_distances(predicted.half(), truth.half()).item() == pytest.approx(1, rel=1e-3)


def test_says_which_face_has_its_eyes_at_one_place():
    truth = torch.tensor([[[0.0, 0.0], [1.0, 0.0]], [[2.0, 2.0], [2.0, 2.0]]])
    with pytest.raises(ValueError, match=r"both at one place in face 1\. Leave it out"):
        landmark_distances(truth, truth)
