import pytest
import torch

from faceops.geometry.landmarks import ARCFACE_112, FFHQ_512


@pytest.mark.parametrize("template", [FFHQ_512, ARCFACE_112])
def test_convention_left_and_right_are_those_of_the_image_and_y_points_down(template):
    left_eye, right_eye, nose, left_mouth, right_mouth = template.points
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < nose[0] < right_mouth[0]
    assert left_eye[1] < nose[1] < left_mouth[1]


def test_ffhq_template_is_that_of_facexlib():
    # facexlib.utils.face_restoration_helper, FaceRestoreHelper.face_template
    assert FFHQ_512.points[0] == (192.98138, 239.94708)
    assert FFHQ_512.points[4] == (313.08905, 371.15118)
    assert FFHQ_512.eye_distance() == pytest.approx(125.92, abs=0.005)


def test_arcface_template_is_that_of_insightface():
    # insightface.utils.face_align.arcface_dst
    assert ARCFACE_112.points[1] == (73.5318, 51.5014)
    assert ARCFACE_112.points[3] == (41.5493, 92.3655)


def test_convention_scaling_keeps_the_corners_not_the_origin():
    double = FFHQ_512.scaled(1024)
    assert double.size == 1024
    # twice the coordinates, as facexlib does, would be half a pixel less
    assert double.points[0] == pytest.approx((2 * 192.98138 + 0.5, 2 * 239.94708 + 0.5))


def test_scaling_there_and_back_changes_nothing():
    back = FFHQ_512.scaled(100).scaled(512)
    torch.testing.assert_close(back.tensor(), FFHQ_512.tensor())
    assert FFHQ_512.scaled(512) is FFHQ_512


def test_a_size_must_be_positive():
    with pytest.raises(ValueError, match="at least one pixel, got 0"):
        FFHQ_512.scaled(0)
