"""A detector on copies of an image, each half as large, of a stand-in."""

import pytest
import torch
from torch import Tensor

from faceops.detection.pyramid_search import PyramidSearch, parts_of_faces
from faceops.geometry.faces import Faces
from tests.faceops.test_yunet import Blob, square


def test_copies_are_halved_down_to_the_smallest() -> None:
    blob = Blob()
    PyramidSearch(blob)(square(1500, 2000, 400, 610, 90))
    assert blob.sizes == [(768, 1024), (384, 512), (192, 256), (96, 128)]
    blob.sizes.clear()
    PyramidSearch(blob, tiny=True)(square(120, 100, 40, 61, 30))
    assert blob.sizes == [(240, 200), (120, 100)]


def test_a_face_is_exact_to_a_pixel_whatever_its_size() -> None:
    for side in (30, 90, 300, 1000):
        image = square(1500, 2000, 400, 210, side)
        faces = PyramidSearch(Blob(largest=150))(image)
        assert len(faces) == 1
        edges = torch.tensor([399.5, 209.5, 399.5 + side, 209.5 + side])
        torch.testing.assert_close(faces.boxes[0], edges, atol=side / 20, rtol=0)
        torch.testing.assert_close(PyramidSearch(Blob(largest=150))(image.half()).boxes, faces.boxes)


def test_a_margin_helps_where_nothing_is_found() -> None:
    images = torch.ones(2, 3, 128, 128)
    images[0] = 0.0
    faces = PyramidSearch(Blob(largest=70))(images)
    assert faces.image_index.tolist() == [1]
    torch.testing.assert_close(faces.boxes[0], torch.tensor([-0.5, -0.5, 127.5, 127.5]), atol=1.0, rtol=0)


def test_the_likeliest_of_the_copies_counts() -> None:
    class Smaller(Blob):
        """Likes a face the better, the smaller the copy is."""

        def __call__(self, images: Tensor) -> Faces:
            seen = super().__call__(images)
            score = 1 - images.shape[-1] / 2000
            return Faces(seen.image_index, seen.boxes + 0.25, seen.landmarks, torch.full_like(seen.scores, score))

    (face,) = PyramidSearch(Smaller())(square(512, 512, 100, 100, 200)).boxes
    assert face[0].item() == pytest.approx(100 + 0.25 * 4 - 0.5, abs=0.6), "a copy of 128 pixels"


def test_parts_of_a_face() -> None:
    boxes = torch.tensor([[0.0, 0, 100, 100], [10, 10, 60, 60], [10, 10, 30, 30], [80, 0, 140, 60], [10, 50, 90, 95]])
    scores = torch.tensor([0.8, 0.6, 0.6, 0.6, 0.9])
    faces = Faces(torch.zeros(5, dtype=torch.int64), boxes, torch.zeros(5, 5, 2), scores)
    assert parts_of_faces(faces).tolist() == [False, True, False, False, False], "small, outside, likelier: no parts"
    elsewhere = Faces(torch.arange(5), boxes, torch.zeros(5, 5, 2), scores)
    assert not parts_of_faces(elsewhere).any()


def test_a_working_side_that_is_too_small() -> None:
    with pytest.raises(ValueError, match="128 pixels at least, got 100"):
        PyramidSearch(Blob(), working_side=100)
