import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faceops.geometry.alignment import align, alignment_matrix, crop_faces, ffhq_to_arcface, template_matrix
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import ARCFACE_112, FFHQ_512
from faceops.geometry.similarity import apply, compose, invert, lmeds_similarity, resized, scale_of

FIXED_POINT = int(cv2.__version__.split(".")[0]) < 5


def photographs(count=2, height=90, width=120, dtype=torch.float32):
    """Smooth random images, so that a position error of a hundredth of a pixel is no rounding error."""
    generator = torch.Generator().manual_seed(0)
    rough = torch.rand(count, 3, height // 6, width // 6, generator=generator, dtype=torch.float64)
    return torch.nn.functional.interpolate(rough, (height, width), mode="bicubic").clamp(0, 1).to(dtype)


def faces_at(places, index, noise=1.0, seed=0):
    """Faces of the FFHQ shape, the eyes `scale` x 126 pixels apart, turned by `angle` about (x, y)."""
    rng = np.random.default_rng(seed)
    landmarks = []
    for x, y, scale, angle in places:
        c, s = scale * np.cos(angle), scale * np.sin(angle)
        points = (FFHQ_512.tensor().numpy() - 256) @ np.array([[c, s], [-s, c]]) + (x, y)
        landmarks.append(points + rng.normal(0, noise, (5, 2)))
    points = torch.from_numpy(np.array(landmarks)).float()
    boxes = torch.cat((points.amin(dim=1), points.amax(dim=1)), dim=1)
    return Faces(torch.tensor(index), boxes, points, torch.ones(len(index)))


THREE = faces_at([(60, 45, 0.14, 0.3), (40, 50, 0.1, -0.2), (80, 40, 0.16, 0.0)], [1, 0, 1])


def umeyama(source, target):
    """Umeyama (1991), Eq. 40-42, for two dimensions: what skimage's SimilarityTransform.estimate computes."""
    s_mean, t_mean = source.mean(0), target.mean(0)
    u, d, vt = np.linalg.svd((target - t_mean).T @ (source - s_mean) / len(source))
    sign = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ np.diag(sign) @ vt
    scale = (d * sign).sum() / (source - s_mean).var(axis=0).sum()
    return np.hstack((scale * rotation, (t_mean - scale * rotation @ s_mean)[:, None]))


def test_it_is_insightfaces_norm_crop():
    # insightface.utils.face_align.norm_crop: estimate on arcface_dst, cv2.warpAffine(img, M, (112, 112), borderValue=0)
    images = photographs(2, 240, 250)
    faces = faces_at([(120, 110, 0.45, 0.3), (60, 150, 0.4, -0.4), (200, 90, 0.5, 0.1)], [1, 0, 1])
    ours = align(images, faces, 112, ARCFACE_112, antialias=False).crops
    for crop, points, image in zip(ours, faces.landmarks.double().numpy(), faces.image_index.tolist(), strict=True):
        matrix = umeyama(points, ARCFACE_112.tensor().numpy())
        picture = images[image].permute(1, 2, 0).numpy()
        theirs = torch.from_numpy(cv2.warpAffine(picture, matrix, (112, 112), borderValue=0)).permute(2, 0, 1)
        assert (crop - theirs).abs().max() * 255 < (6 if FIXED_POINT else 0.05)


def test_it_is_the_papers_alignment_with_lmeds():
    images = photographs()
    aligned = align(images, THREE, 64, estimator="lmeds")
    target = FFHQ_512.scaled(64).tensor().float()
    for i, image in enumerate(THREE.image_index.tolist()):
        matrix, _ = cv2.estimateAffinePartial2D(THREE.landmarks[i].numpy(), target.numpy(), method=cv2.LMEDS)
        picture = images[image].permute(1, 2, 0).numpy()
        theirs = torch.from_numpy(cv2.warpAffine(picture, matrix, (64, 64))).permute(2, 0, 1)
        assert (aligned.crops[i] - theirs).abs().max() * 255 < (4 if FIXED_POINT else 0.1)


def test_convention_landmarks_arrive_at_the_template():
    # asymmetric: the mouth corners of the template are not mirror images of each other
    faces = faces_at([(60, 45, 0.14, 0.3)], [0], noise=0.0)
    aligned = align(photographs(1), faces, 64)
    torch.testing.assert_close(
        apply(aligned.matrix, faces.landmarks)[0].double(), FFHQ_512.scaled(64).tensor(), rtol=0, atol=1e-3
    )
    dots = torch.zeros(1, 3, 90, 120)
    x, y = faces.landmarks[0, 1].round().long().tolist()
    dots[0, :, y, x] = 1
    crop = align(dots, faces, 64).crops[0, 0]
    row, column = divmod(int(crop.argmax()), 64)
    assert (column, row) == pytest.approx(FFHQ_512.scaled(64).points[1], abs=1.0)


def test_faces_come_in_the_order_they_were_given_with_their_images():
    images = photographs()
    aligned = align(images, THREE, 32)
    assert aligned.image_index.tolist() == [1, 0, 1]
    assert len(aligned) == 3
    for i in range(3):
        one = align(images, THREE.select(torch.tensor([i])), 32)
        torch.testing.assert_close(aligned.crops[i : i + 1], one.crops)


def test_known_matrices_give_the_same_crops():
    images = photographs()
    aligned = align(images, THREE, 32)
    again = crop_faces(images, alignment_matrix(THREE.landmarks, 32), THREE.image_index, 32)
    assert torch.equal(aligned.crops, again.crops)
    torch.testing.assert_close(crop_faces(images, aligned.matrix[:2], None, 32).crops[1], crop_of(images, aligned, 1))


def crop_of(images, aligned, image):
    return crop_faces(images[image : image + 1], aligned.matrix[1:2], None, 32).crops[0]


def test_no_face_gives_no_crop():
    aligned = align(photographs(), Faces.none(), 32)
    assert aligned.crops.shape == (0, 3, 32, 32)
    assert aligned.matrix.shape == (0, 2, 3)


def test_a_face_cut_by_the_border_is_black_beyond_it():
    faces = faces_at([(2, 45, 0.14, 0.0)], [0], noise=0.0)
    crop = align(torch.ones(1, 3, 90, 120), faces, 64).crops[0, 0]
    assert crop[32, 0] == 0
    assert crop[32, -1] == 1


def test_forty_faces():
    faces = faces_at([(20 + 2 * i, 40 + i % 7, 0.1, 0.02 * i) for i in range(40)], [i % 2 for i in range(40)])
    assert align(photographs(), faces, 16).crops.shape == (40, 3, 16, 16)


def test_gradients_reach_images_and_landmarks():
    images = photographs(2, 12, 12, torch.float64).requires_grad_()
    landmarks = (THREE.landmarks.double() / 9).requires_grad_()

    def crops(images, landmarks):
        faces = Faces(THREE.image_index, THREE.boxes, landmarks, THREE.scores)
        return align(images, faces, 3, antialias=False).crops

    # positions of samples lie between pixels, where bilinear interpolation is smooth
    assert torch.autograd.gradcheck(crops, (images, landmarks), atol=1e-4)


def test_faces_found_on_a_copy_of_another_size_give_the_same_crop():
    large = photographs(1, 180, 240)
    small = torch.nn.functional.avg_pool2d(large, 2)
    faces = faces_at([(60, 45, 0.14, 0.3)], [0])
    from_small, from_large = align(small, faces, 64), align(large, faces.rescaled(2.0), 64)
    torch.testing.assert_close(
        from_large.matrix, compose(from_small.matrix, resized(0.5)).float(), rtol=1e-4, atol=1e-3
    )
    assert (from_small.crops - from_large.crops).abs().mean() < 0.01


def test_crops_of_two_sizes_show_the_same_window():
    images = torch.nn.functional.avg_pool2d(photographs(), 9, 1, padding=4)
    large, small = align(images, THREE, 128), align(images, THREE, 64)
    reduced = torch.nn.functional.avg_pool2d(large.crops, 2)
    apart = (reduced - small.crops).abs().mean()
    # twice the template, as facexlib takes it, moves the window by half a pixel of the large crop
    moved = compose(torch.tensor([[[1.0, 0.0, -0.5], [0.0, 1.0, -0.5]]]), large.matrix)
    shifted = crop_faces(images, moved, THREE.image_index, 128).crops
    assert apart < 0.2 * (torch.nn.functional.avg_pool2d(shifted, 2) - small.crops).abs().mean()


@pytest.mark.parametrize("size", [512, 1024, 128])
def test_the_recognition_crop_of_a_restoration_crop(size):
    # the landmarks residual of the two templates is 1 to 2.5 pixels at 112
    matrix = template_matrix(FFHQ_512.scaled(size), ARCFACE_112)
    moved = apply(matrix, FFHQ_512.scaled(size).tensor().unsqueeze(0))[0]
    residual = (moved - ARCFACE_112.tensor()).norm(dim=1)
    assert 0.9 < residual.min() < residual.max() < 2.6
    assert scale_of(matrix).item() == pytest.approx(0.29209 * 512 / size, rel=1e-4)
    corners = apply(invert(matrix), torch.tensor([[[-0.5, -0.5], [111.5, 111.5]]], dtype=torch.float64))[0]
    expected = torch.tensor([[63.1, 59.5], [446.5, 443.0]], dtype=torch.float64)
    assert ((corners + 0.5) * 512 / size - 0.5 - expected).abs().max() < 1.0


def test_recognition_crops_are_low_passed_and_differentiable():
    crops = photographs(2, 96, 96, torch.float64).requires_grad_()
    out = ffhq_to_arcface(crops)
    assert out.shape == (2, 3, 112, 112)
    assert torch.autograd.grad(out.square().sum(), crops)[0].isfinite().all()
    stripes = (torch.arange(512) % 2).float().expand(1, 3, 512, 512)
    assert ffhq_to_arcface(stripes).std() < 0.02
    assert ffhq_to_arcface(stripes, antialias=False).std() > 0.1


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.floats(0.05, 4), st.floats(-3, 3), st.sampled_from([64, 112, 512]))
def test_alignment_undoes_any_similarity(scale, angle, size):
    faces = faces_at([(500, 400, scale, angle)], [0], noise=0.0)
    matrix = alignment_matrix(faces.landmarks, size)
    target = FFHQ_512.scaled(size).tensor().float().unsqueeze(0)
    torch.testing.assert_close(apply(matrix, faces.landmarks), target, rtol=0, atol=0.02)
    torch.testing.assert_close(lmeds_similarity(faces.landmarks, target[0]), matrix, rtol=1e-2, atol=0.3)


def test_what_is_wrong_is_said():
    bare = getattr(alignment_matrix, "__wrapped__", alignment_matrix)  # without the type checks of the test run
    with pytest.raises(ValueError, match="must be one of least_squares, lmeds, got 'ransac'"):
        bare(THREE.landmarks, 512, FFHQ_512, "ransac")
    with pytest.raises(ValueError, match="must name images 0 to 0, got 0 to 1"):
        align(photographs(1), THREE, 32)


@pytest.mark.gpu
def test_a_gpu_gives_the_same_crops_and_gradients():
    gradients = []
    for device in ("cpu", "cuda"):
        images = photographs().to(device).requires_grad_()
        crops = align(images, THREE.to(device), 32).crops
        small = ffhq_to_arcface(crops)
        gradients.append(torch.autograd.grad(small.square().sum(), images)[0].cpu())
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-4)
