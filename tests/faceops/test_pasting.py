import pytest
import torch

from faceops.geometry.alignment import align
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import FFHQ_512
from faceops.geometry.pasting import covered_window, feathered_mask, paste
from faceops.geometry.similarity import compose, resized


def smooth(count=1, height=80, width=100):
    y, x = torch.meshgrid(torch.linspace(0, 5, height), torch.linspace(0, 6, width), indexing="ij")
    image = torch.stack((torch.sin(x) * torch.cos(y), torch.cos(x + y), torch.sin(2 * y))) * 0.4 + 0.5
    return torch.stack([image.roll(5 * i, dims=-1) for i in range(count)])


def face_at(x, y, scale, image=0, angle=0.3):
    c, s = scale * torch.cos(torch.tensor(angle)), scale * torch.sin(torch.tensor(angle))
    points = (FFHQ_512.tensor().float() - 256) @ torch.tensor([[c, s], [-s, c]]) + torch.tensor([x, y])
    return Faces(torch.tensor([image]), torch.zeros(1, 4), points.unsqueeze(0), torch.ones(1))


@pytest.mark.parametrize("scale", [0.1, 0.05, 0.3])
def test_an_aligned_face_put_back_is_the_photograph(scale):
    image = smooth()
    aligned = align(image, face_at(50.0, 40.0, scale), 128)
    out = paste(image, aligned.crops, aligned.matrix, aligned.image_index)
    # a face that reaches beyond the photograph brings its black surroundings back to the outermost pixels
    assert (out - image)[..., 3:-3, 3:-3].abs().max() < 0.02


def test_beyond_the_face_nothing_is_touched_and_the_input_never():
    image = smooth()
    kept = image.clone()
    aligned = align(image, face_at(50.0, 40.0, 0.05), 64)
    out = paste(image, torch.zeros_like(aligned.crops), aligned.matrix, aligned.image_index)
    assert torch.equal(image, kept)
    assert out[0, :, 40, 50].abs().max() < 1e-5
    changed = (out != image).any(dim=1)[0].nonzero()
    assert (changed - torch.tensor([40, 50])).abs().max() < 0.05 * 512
    assert torch.equal(out[..., :10, :], image[..., :10, :])


def test_faces_go_to_their_own_images_the_last_on_top():
    images = torch.zeros(3, 3, 40, 40)
    matrix = torch.tensor([[[1.0, 0.0, -8.0], [0.0, 1.0, -8.0]]]).repeat(3, 1, 1)
    crops = torch.stack([torch.full((3, 16, 16), value) for value in (0.2, 0.5, 0.9)])
    out = paste(images, crops, matrix, torch.tensor([2, 0, 2]), torch.ones(1, 16, 16))
    assert out[2, 0, 16, 16] == pytest.approx(0.9)
    assert out[0, 0, 16, 16] == pytest.approx(0.5)
    assert out[1].abs().max() == 0


def test_a_hard_edge_has_no_dark_fringe():
    image = torch.full((1, 3, 60, 60), 0.5)
    aligned = align(image, face_at(30.0, 30.0, 0.06, angle=0.5), 64)
    white = torch.full_like(aligned.crops, 0.5)
    out = paste(image, white, aligned.matrix, aligned.image_index, torch.ones(1, 64, 64))
    torch.testing.assert_close(out, image)


def test_convention_a_magnified_image_takes_a_magnified_matrix():
    image = smooth()
    aligned = align(image, face_at(50.0, 40.0, 0.1), 256)
    large = torch.nn.functional.interpolate(image, scale_factor=2, mode="bilinear")
    exact = paste(large, aligned.crops, compose(aligned.matrix, resized(0.5)).float(), aligned.image_index)
    # facexlib multiplies the inverse by 2 and adds 1 to its shift, where 0.5 is right
    off = compose(aligned.matrix, torch.tensor([[[0.5, 0.0, -0.5], [0.0, 0.5, -0.5]]]))
    shifted = paste(large, aligned.crops, off, aligned.image_index)
    inside = (..., slice(60, 100), slice(80, 120))
    assert (exact - large)[inside].abs().mean() < 0.3 * (shifted - large)[inside].abs().mean()


def test_gradients_reach_the_face_the_mask_and_the_photograph():
    image = smooth(1, 6, 7).double().requires_grad_()
    matrix = torch.tensor([[[0.9, -0.2, -1.3], [0.2, 0.9, -1.1]]], dtype=torch.float64)
    crops = torch.rand(1, 3, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    mask = feathered_mask(3).double().requires_grad_()
    index = torch.tensor([0])
    assert torch.autograd.gradcheck(lambda i, c, m: paste(i, c, matrix, index, m), (image, crops, mask))


def test_no_face_and_a_face_outside_change_nothing():
    image = smooth()
    none = paste(image, torch.zeros(0, 3, 8, 8), torch.zeros(0, 2, 3), torch.zeros(0, dtype=torch.int64))
    assert torch.equal(none, image)
    far = torch.tensor([[[1.0, 0.0, -1000.0], [0.0, 1.0, 0.0]]])
    assert torch.equal(paste(image, torch.ones(1, 3, 8, 8), far, torch.tensor([0])), image)


def test_the_window_holds_every_pixel_of_a_turned_crop():
    matrix = torch.tensor([[0.8, -0.6, 3.0], [0.6, 0.8, -20.0]])
    left, top, right, bottom = covered_window(matrix, 16, 200, 200)
    whole = paste(
        torch.zeros(1, 3, 200, 200), torch.ones(1, 3, 16, 16), matrix[None], torch.tensor([0]), torch.ones(1, 16, 16)
    )
    touched = whole[0, 0].nonzero()
    assert touched[:, 0].min() >= top
    assert touched[:, 0].max() < bottom
    assert touched[:, 1].min() >= left
    assert touched[:, 1].max() < right
    assert (right - left) * (bottom - top) < 30 * 30


def test_the_mask_is_symmetric_and_falls_off():
    mask = feathered_mask(100)[0]
    assert torch.equal(mask, mask.T)
    assert torch.equal(mask, mask.flip(0))
    assert mask[50, :5].tolist() == [0.0] * 5
    assert mask[50, 15:85].min() == 1.0
    assert (mask[50, :50].diff() >= 0).all()


def test_what_does_not_fit_is_said():
    with pytest.raises(ValueError, match="opaque nowhere"):
        feathered_mask(10, margin=0.3, feather=0.3)
    with pytest.raises(ValueError, match="must name images 0 to 0, got 4"):
        paste(smooth(), torch.ones(1, 3, 8, 8), torch.eye(2, 3)[None], torch.tensor([4]))
