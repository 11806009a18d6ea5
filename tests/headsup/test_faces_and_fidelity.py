"""Pairs of faces, and the loss of fidelity on them (HeadsUp, Eq. 3)."""

import pytest
import torch

from faceops.geometry.alignment import align, alignment_matrix
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import FFHQ_512
from headsup.losses.face_fidelity import FaceFidelity, face_fidelity
from headsup.losses.faces import FacePairs, face_pairs, reference_rows


def images(size=96, count=2, seed=0):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def faces(*places):
    """A face for each (image, side, left, top)."""
    points = [FFHQ_512.scaled(side).tensor().float() + torch.tensor([left, top]) for _, side, left, top in places]
    count = len(places)
    index = torch.tensor([place[0] for place in places])
    return Faces(index, torch.zeros(count, 4), torch.stack(points), torch.ones(count))


def paired(restored, hq, found, reference, referenced, size) -> FacePairs:
    return face_pairs(restored, hq, found, alignment_matrix(found.landmarks, size), reference, referenced, size)


class Distance(torch.nn.Module):
    """Ten times the mean absolute difference, in the place of LPIPS."""

    def forward(self, images, targets):
        return 10 * (images - targets).abs().mean(dim=(1, 2, 3))


def test_both_images_are_cut_in_the_same_way():
    found = faces((1, 48, 10.0, 20.0), (0, 40, 5.0, 3.0), (1, 12, 60.0, 60.0))
    restored, hq = images(seed=1), images(seed=2)
    pairs = paired(restored, hq, found, images(512, seed=3), torch.tensor([-1, -1]), size=32)
    assert len(pairs) == 3
    torch.testing.assert_close(pairs.restored, align(restored, found, 32).crops)
    torch.testing.assert_close(pairs.truth, align(hq, found, 32).crops)
    assert not pairs.present.any()
    assert not pairs.reference.any()


def test_a_face_is_where_its_template_says():
    restored = images(seed=1)
    pairs = paired(restored, restored, faces((1, 32, 7.0, 5.0)), images(8), torch.tensor([-1, -1]), size=32)
    torch.testing.assert_close(pairs.restored[0], restored[1, :, 5:37, 7:39], rtol=0, atol=1e-4)


def test_references_go_to_the_faces_they_are_for():
    found = faces((0, 48, 10.0, 20.0), (1, 40, 5.0, 3.0), (1, 12, 60.0, 60.0), (2, 40, 1.0, 1.0))
    reference = images(8, count=3, seed=3)
    pairs = paired(images(count=3), images(count=3), found, reference, torch.tensor([-1, 2, 3]), size=16)
    assert pairs.present.tolist() == [False, False, True, True]
    assert pairs.reference[2:].equal(reference[1:])
    assert not pairs.reference[:2].any()


def test_a_reference_for_no_face_is_refused():
    with pytest.raises(ValueError, match="A reference is for face 1, but there are 1 faces"):
        reference_rows(torch.tensor([1]), 1)


def test_gradient_flows_to_the_restored_image_only():
    restored, hq, reference = (images(seed=s).requires_grad_() for s in (1, 2, 3))
    found = faces((0, 48, 10.0, 20.0))
    pairs = paired(restored, hq, found, reference.detach(), torch.tensor([0, -1]), size=32)
    face_fidelity(pairs.restored, pairs.truth, None).backward()
    assert restored.grad[0].count_nonzero() > 0
    assert not restored.grad[1].any()
    assert hq.grad is None


def test_faces_are_cut_in_float32_inside_autocast():
    restored, hq, found = images(seed=1), images(seed=2), faces((0, 48, 10.0, 20.0))
    none = torch.tensor([-1, -1])
    with torch.autocast("cpu", torch.bfloat16):
        pairs = paired(restored, hq, found, images(8), none, size=32)
    assert pairs.restored.equal(paired(restored, hq, found, images(8), none, size=32).restored)
    assert paired(restored.bfloat16(), hq, found, images(8), none, size=32).restored.dtype == torch.float32


def test_without_faces_fidelity_is_zero_and_part_of_the_graph():
    restored = images().requires_grad_()
    pairs = paired(restored, images(seed=1), Faces.none(), images(8), torch.tensor([-1, -1]), size=32)
    assert pairs.restored.shape == (0, 3, 32, 32)
    loss = FaceFidelity(Distance())(pairs.restored, pairs.truth)
    assert loss.item() == 0
    loss.backward()
    assert restored.grad is not None
    assert not restored.grad.any()


def test_without_faces_a_restored_image_that_is_no_number_does_no_harm():
    restored = torch.full((1, 3, 8, 8), float("nan"), requires_grad=True)
    pairs = paired(restored, images(8, 1), Faces.none(), images(8, 1), torch.tensor([-1]), size=32)
    assert FaceFidelity(Distance())(pairs.restored, pairs.truth).item() == 0


def test_fidelity_by_hand():
    truth = torch.zeros(2, 3, 4, 4)
    restored = torch.stack([torch.full((3, 4, 4), 0.5), torch.full((3, 4, 4), 0.1)])
    # of pixels in [-1, 1] squares 1 and 0.04, distances 5 and 1
    expected = (1 + 0.8 * 5 + 0.04 + 0.8 * 1) / 2
    assert FaceFidelity(Distance())(restored, truth).item() == pytest.approx(expected)
    assert face_fidelity(restored, truth, Distance(), 0.0).item() == pytest.approx(0.52)
    assert face_fidelity(restored, truth, None).item() == pytest.approx(0.52)
    assert face_fidelity(restored, truth, None, l2_weight=0.25).item() == pytest.approx(0.13)


def test_fidelity_has_no_gradient_to_the_truth():
    restored, truth = images(8, seed=1).requires_grad_(), images(8, seed=2).requires_grad_()
    face_fidelity(restored, truth, None).backward()
    torch.testing.assert_close(restored.grad, 8 * (restored - truth).detach() / restored.numel())
    assert truth.grad is None


def test_fidelity_of_half_precision_is_computed_in_float32():
    restored, truth = images(8, seed=1).bfloat16(), images(8, seed=2)
    expected = 4 * (restored.float() - truth).square().mean()
    torch.testing.assert_close(face_fidelity(restored, truth, None), expected)
