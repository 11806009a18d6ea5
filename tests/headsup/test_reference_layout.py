"""Reference faces on pictures of the input's size."""

import pytest
import torch
from jaxtyping import config

from faceops.geometry.alignment import align, alignment_matrix
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import FFHQ_512
from headsup.model.reference_layout import lay_out


def smooth(count: int, side: int, seed: int = 0) -> torch.Tensor:
    """Pictures without detail, which interpolation leaves as they are."""
    coarse = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic", align_corners=False).clamp(0, 1)


def faces(*places: tuple[int, float, float, float]) -> Faces:
    """A face for each (image, side, left, top)."""
    points = [FFHQ_512.scaled(side).tensor().float() + torch.tensor([left, top]) for _, side, left, top in places]
    index = torch.tensor([place[0] for place in places])
    return Faces(index, torch.zeros(len(places), 4), torch.stack(points), torch.ones(len(places)))


def placed(references, found, size):
    matrix = alignment_matrix(found.landmarks, references.shape[-1])
    return lay_out(references, matrix, found.image_index, size, "placed")


def test_a_placed_face_lies_on_the_face():
    """Aligned again, the picture is the reference; its rim, 0.15 of the side, fades."""
    found = faces((1, 64, 20.0, 10.0))
    reference = smooth(1, 64)
    pictures = placed(reference, found, (3, 100, 120))
    assert pictures.shape == (3, 3, 100, 120)
    assert not pictures[0].any()
    assert not pictures[2].any()
    again = align(pictures, found, 64).crops
    torch.testing.assert_close(again[..., 11:-11, 11:-11], reference[..., 11:-11, 11:-11], rtol=0, atol=0.01)
    # FFHQ's template at 64 pixels is a square of 64 pixels at (20, 10); nothing lies beyond it
    inside = torch.zeros(100, 120, dtype=torch.bool)
    inside[9:75, 19:85] = True
    assert not pictures[1, :, ~inside].any()
    torch.testing.assert_close(pictures[1, :, 21:63, 31:73], reference[0, :, 11:53, 11:53], rtol=0, atol=0.01)
    # no edge at the rim: half a cosine from nothing to all over 0.15 of the side
    share = pictures[1, 0, 42, 20:31] / reference[0, 0, 32, :11]
    assert (share.diff() > 0).all()
    assert share[0] < 0.05
    assert abs(share[4] - 0.5) < 0.1


def test_a_turned_and_reduced_face_lies_on_the_face():
    found = faces((0, 48, 30.0, 20.0))
    angle = torch.tensor(0.4)
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    centre = found.landmarks.mean(dim=1, keepdim=True)
    found = Faces(found.image_index, found.boxes, (found.landmarks - centre) @ turn.T + centre, found.scores)
    reference = smooth(1, 256)
    again = align(placed(reference, found, (1, 96, 96)), found, 256).crops
    torch.testing.assert_close(again[..., 42:-42, 42:-42], reference[..., 42:-42, 42:-42], rtol=0, atol=0.03)


def test_several_people_in_one_picture():
    found = faces((0, 32, 2.0, 2.0), (1, 32, 5.0, 5.0), (0, 32, 60.0, 2.0), (0, 32, 2.0, 60.0))
    references = smooth(4, 32)
    pictures = placed(references, found, (2, 96, 96))
    again = align(pictures, found, 32).crops
    torch.testing.assert_close(again[..., 7:-7, 7:-7], references[..., 7:-7, 7:-7], rtol=0, atol=0.02)


def test_later_faces_lie_over_earlier_ones():
    found = faces((0, 32, 10.0, 10.0), (0, 32, 20.0, 10.0))
    references = torch.stack([torch.full((3, 32, 32), 0.25), torch.full((3, 32, 32), 0.75)])
    picture = placed(references, found, (1, 64, 64))[0]
    torch.testing.assert_close(picture[:, 16:36, 15:20], torch.full((3, 20, 5), 0.25))
    torch.testing.assert_close(picture[:, 16:36, 26:46], torch.full((3, 20, 20), 0.75))


def test_whole_covers_the_picture():
    found = faces((1, 32, 10.0, 10.0))
    reference = smooth(1, 64)
    matrix = alignment_matrix(found.landmarks, 64)
    pictures = lay_out(reference, matrix, found.image_index, (2, 64, 64), "whole")
    torch.testing.assert_close(pictures[1], reference[0])
    assert not pictures[0].any()
    stretched = lay_out(reference, matrix, found.image_index, (2, 32, 128), "whole")[1]
    assert stretched.shape == (3, 32, 128)
    assert abs(stretched.mean() - reference.mean()) < 0.01


@pytest.mark.parametrize("layout", ["placed", "whole"])
def test_without_references_there_is_nothing(layout):
    none = torch.zeros(0, dtype=torch.long)
    pictures = lay_out(torch.zeros(0, 3, 512, 512), torch.zeros(0, 2, 3), none, (2, 32, 48), layout)
    assert pictures.shape == (2, 3, 32, 48)
    assert not pictures.any()


def test_an_unknown_layout_is_refused():
    config.update("jaxtyping_disable", True)
    try:
        with pytest.raises(ValueError, match="layout of references is placed or whole, got 'tiled'"):
            lay_out(torch.zeros(0, 3, 8, 8), torch.zeros(0, 2, 3), torch.zeros(0).long(), (1, 8, 8), "tiled")
    finally:
        config.update("jaxtyping_disable", False)
