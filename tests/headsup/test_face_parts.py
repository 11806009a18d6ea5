"""The loss of eyes and mouth."""

import pytest
import torch

from faceops.geometry.landmarks import FFHQ_512
from headsup.losses.face_parts import PARTS, FaceParts, face_parts


def test_parts_hold_eyes_and_corners_of_the_mouth():
    points = torch.tensor(FFHQ_512.points) / 512
    for part, inside in zip(PARTS, ([0], [1], [3, 4]), strict=True):
        left, top, right, bottom = part
        for x, y in points[inside].tolist():
            assert left < x < right
            assert top < y < bottom


def test_only_eyes_and_mouth_count():
    truth = torch.zeros(2, 3, 64, 64)
    changed = truth.clone()
    changed[..., :24, :] = 1  # above the eyes
    assert face_parts(changed, truth, None).item() == 0
    changed[..., 41:53, 22:42] = 1  # the mouth
    assert face_parts(changed, truth, None).item() > 0.2


class Distance(torch.nn.Module):
    """Ten times the mean absolute difference, in the place of LPIPS."""

    def forward(self, images, targets):
        return 10 * (images - targets).abs().mean(dim=(1, 2, 3))


def test_parts_by_hand():
    truth = torch.zeros(2, 3, 100, 100)
    restored = truth.clone()
    restored[0, :, 63:84, 33:67] = 0.5  # the mouth of the first face, and its left eye
    restored[0, :, 39:55, 26:50] = 0.25
    # means of two faces and three parts: errors 0.5 and 0.25, distances 5 and 2.5
    assert face_parts(restored, truth, None).item() == pytest.approx(0.75 / 6)
    assert FaceParts(Distance())(restored, truth).item() == pytest.approx((0.75 + 7.5) / 6)


def test_without_faces_it_is_zero_and_part_of_the_graph():
    nothing = torch.zeros(0, 3, 64, 64, requires_grad=True)
    loss = face_parts(nothing, nothing, None)
    loss.backward()
    assert loss.item() == 0


def test_gradients_flow_to_the_restored_faces_alone():
    restored, truth = (torch.rand(1, 3, 64, 64, requires_grad=True) for _ in range(2))
    face_parts(restored, truth, None).backward()
    assert restored.grad is not None
    assert restored.grad.any()
    assert truth.grad is None
