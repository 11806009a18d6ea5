import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faceops.geometry.landmarks import ARCFACE_112, FFHQ_512
from faceops.geometry.similarity import (
    apply,
    compose,
    invert,
    least_squares_similarity,
    lmeds_similarity,
    resized,
    scale_of,
)

FEW = settings(max_examples=25, deadline=None, derandomize=True)
angles = st.floats(-3.1, 3.1)
scales = st.floats(0.05, 20)
shifts = st.floats(-500, 500)


def similarity_matrix(angle, scale, right, down):
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return torch.tensor([[[c, -s, right], [s, c, down]]], dtype=torch.float64)


def noisy_faces(count, noise=3.0, seed=0):
    """Templates turned, scaled, shifted and disturbed."""
    rng = np.random.default_rng(seed)
    faces = []
    for _ in range(count):
        matrix = similarity_matrix(rng.uniform(-1, 1), rng.uniform(0.2, 3), *rng.uniform(-200, 200, 2))
        faces.append(apply(matrix, FFHQ_512.tensor().unsqueeze(0)) + torch.from_numpy(rng.normal(0, noise, (1, 5, 2))))
    return torch.cat(faces)


def umeyama(source, target):
    """Umeyama (1991) by singular values, in two dimensions with scale: an independent formulation."""
    s_mean, t_mean = source.mean(0), target.mean(0)
    u, d, vt = np.linalg.svd((target - t_mean).T @ (source - s_mean) / len(source))
    sign = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ np.diag(sign) @ vt
    scale = (d * sign).sum() / (source - s_mean).var(axis=0).sum()
    return np.hstack((scale * rotation, (t_mean - scale * rotation @ s_mean)[:, None]))


@pytest.mark.parametrize("noise", [0.0, 5.0, 200.0])
def test_least_squares_is_umeyama(noise):
    faces = noisy_faces(8, noise)
    expected = np.stack([umeyama(face, ARCFACE_112.tensor().numpy()) for face in faces.numpy()])
    torch.testing.assert_close(least_squares_similarity(faces, ARCFACE_112.tensor()), torch.from_numpy(expected))


def test_a_mirrored_face_is_not_mirrored_back():
    mirrored = FFHQ_512.tensor() * torch.tensor([-1.0, 1.0])
    matrix = least_squares_similarity(mirrored.unsqueeze(0), FFHQ_512.tensor())
    assert torch.linalg.det(matrix[0, :, :2]) > 0


def test_least_squares_takes_one_target_for_all_or_one_for_each():
    faces, targets = noisy_faces(3, seed=1), noisy_faces(3, seed=2)
    each = least_squares_similarity(faces, targets)
    for i in range(3):
        torch.testing.assert_close(each[i : i + 1], least_squares_similarity(faces[i : i + 1], targets[i]))


def test_least_squares_is_differentiable():
    source, target = noisy_faces(2).requires_grad_(), noisy_faces(2, seed=3).requires_grad_()
    assert torch.autograd.gradcheck(least_squares_similarity, (source, target))


def test_least_squares_in_float32_is_computed_in_float64():
    faces = noisy_faces(4).float() + 8000
    exact = least_squares_similarity(faces.double(), FFHQ_512.tensor())
    rounded = least_squares_similarity(faces, FFHQ_512.tensor().float())
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact.float(), rtol=0, atol=2e-3)


@pytest.mark.parametrize("bad", [0.0, float("nan")])
def test_landmarks_that_coincide_are_refused(bad):
    faces = torch.cat((noisy_faces(1), torch.full((1, 5, 2), bad, dtype=torch.float64)))
    with pytest.raises(ValueError, match="must be different, finite points; those of face 1"):
        least_squares_similarity(faces, FFHQ_512.tensor())


def test_lmeds_is_opencvs():
    faces = noisy_faces(6).float()
    target = FFHQ_512.tensor().float()
    expected = [
        cv2.estimateAffinePartial2D(face, target.numpy(), method=cv2.LMEDS)[0].astype(np.float32)
        for face in faces.numpy()
    ]
    assert torch.equal(lmeds_similarity(faces, target), torch.from_numpy(np.stack(expected)))


def test_lmeds_leaves_out_a_point_that_does_not_fit():
    faces = noisy_faces(1, noise=0.01)
    outlier = faces.clone()
    outlier[:, 2] += 60.0
    target = FFHQ_512.tensor()
    exact = least_squares_similarity(faces, target)
    assert (lmeds_similarity(outlier, target) - exact).abs().max() < 0.1
    assert (least_squares_similarity(outlier, target) - exact).abs().max() > 1


def test_lmeds_equals_least_squares_where_the_points_fit():
    faces = noisy_faces(4, noise=0.0)
    target = FFHQ_512.tensor()
    torch.testing.assert_close(
        lmeds_similarity(faces, target), least_squares_similarity(faces, target), rtol=1e-3, atol=1e-2
    )


def test_lmeds_says_which_face_has_no_transform():
    with pytest.raises(ValueError, match="no similarity transform for face 0"):
        lmeds_similarity(torch.full((1, 5, 2), 4.0), FFHQ_512.tensor().float())


def test_convention_the_matrix_maps_source_to_output_x_before_y():
    # a quarter turn that takes right (x) to down (y): the inverse or a transposed one would give (-1, 3) or (1, 3)
    source = torch.tensor([[[0.0, 0.0], [2.0, 0.0], [0.0, 4.0]]])
    target = torch.tensor([[5.0, 5.0], [5.0, 7.0], [1.0, 5.0]])
    matrix = least_squares_similarity(source, target)
    torch.testing.assert_close(matrix, torch.tensor([[[0.0, -1.0, 5.0], [1.0, 0.0, 5.0]]]))
    torch.testing.assert_close(apply(matrix, torch.tensor([[[2.0, 4.0]]])), torch.tensor([[[1.0, 7.0]]]))


def test_the_way_from_ffhq_to_arcface_is_the_known_constant():
    matrix = least_squares_similarity(FFHQ_512.tensor().unsqueeze(0), ARCFACE_112.tensor())[0]
    # numpy: umeyama(FFHQ_512, ARCFACE_112), scale 0.29209, -0.009 degrees
    assert matrix[:, 2].tolist() == pytest.approx([-18.9301, -17.8600], abs=1e-4)
    assert scale_of(matrix.unsqueeze(0)).item() == pytest.approx(0.29209, abs=5e-6)
    assert torch.rad2deg(torch.atan2(matrix[1, 0], matrix[0, 0])).item() == pytest.approx(-0.009, abs=5e-4)


@FEW
@given(angles, scales, shifts, shifts)
def test_inverse_leads_back(angle, scale, right, down):
    matrix = similarity_matrix(angle, scale, right, down)
    points = FFHQ_512.tensor().unsqueeze(0)
    torch.testing.assert_close(apply(invert(matrix), apply(matrix, points)), points, rtol=0, atol=1e-6)
    torch.testing.assert_close(invert(invert(matrix)), matrix, rtol=1e-9, atol=1e-6)


@FEW
@given(angles, scales, shifts, angles, scales, shifts)
def test_composition_is_one_after_the_other(angle1, scale1, right1, angle2, scale2, right2):
    first, second = similarity_matrix(angle1, scale1, right1, 3.0), similarity_matrix(angle2, scale2, right2, -7.0)
    points = FFHQ_512.tensor().unsqueeze(0)
    torch.testing.assert_close(
        apply(compose(second, first), points), apply(second, apply(first, points)), rtol=1e-9, atol=1e-6
    )
    torch.testing.assert_close(scale_of(compose(second, first)), scale_of(first) * scale_of(second))


@FEW
@given(angles, scales, shifts, shifts)
def test_estimates_find_the_transform_that_was_applied(angle, scale, right, down):
    matrix = similarity_matrix(angle, scale, right, down)
    points = FFHQ_512.tensor().unsqueeze(0)
    torch.testing.assert_close(least_squares_similarity(points, apply(matrix, points)), matrix, rtol=1e-7, atol=1e-6)


def test_convention_resizing_keeps_the_corners_of_the_image():
    # the right edge of an image of 10 pixels is at 9.5; of one of 40 pixels at 39.5; a factor alone would say 38
    assert apply(resized(4.0), torch.tensor([[[9.5, -0.5]]])).tolist() == [[[39.5, -0.5]]]
    torch.testing.assert_close(compose(resized(0.25), resized(4.0)), resized(1.0))


def test_magnification_of_a_mirror_image_is_no_nan():
    mirrored = torch.tensor([[[-3.0, 0.0, 7.0], [0.0, 3.0, 1.0]]])
    assert scale_of(mirrored).tolist() == [3.0]


def test_a_factor_must_be_positive():
    with pytest.raises(ValueError, match="positive factor only, got -1"):
        resized(-1.0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_lmeds_refuses_what_is_not_finite(bad):
    faces = noisy_faces(2)
    faces[1, 2, 0] = bad
    with pytest.raises(ValueError, match="must be finite; those of face 1"):
        lmeds_similarity(faces, FFHQ_512.tensor())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_lmeds_takes_small_floats(dtype):
    faces = noisy_faces(2).to(dtype)
    matrix = lmeds_similarity(faces, FFHQ_512.tensor().to(dtype))
    assert matrix.dtype == dtype
    wanted = lmeds_similarity(faces.float(), FFHQ_512.tensor().to(dtype).float())
    torch.testing.assert_close(matrix, wanted.to(dtype))
