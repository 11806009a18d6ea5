import math
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from faceops.geometry.alignment import ffhq_to_arcface
from faceops.geometry.landmarks import ARCFACE_112, FFHQ_512, Template
from headsup.losses.face_identity import FaceIdentity, face_identity, identity_loss


def images(size=96, count=2, seed=0):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


class Recogniser(nn.Module):
    """Linear features of an aligned face; counts the faces that it has seen."""

    input_template: Template = ARCFACE_112
    input_size = 112

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(3 * 14 * 14, 16, generator=generator))
        self.seen = 0

    def forward(self, aligned):
        assert aligned.shape[1:] == (3, 112, 112)
        assert aligned.dtype == torch.float32
        self.seen += len(aligned)
        return F.normalize((F.avg_pool2d(aligned, 8).flatten(1) - 0.5) @ self.weight, dim=1)


@dataclass(frozen=True)
class Sample:
    restored: torch.Tensor
    truth: torch.Tensor
    reference: torch.Tensor
    present: torch.Tensor


def sample(count=3, size=64, present=(True, False, True)):
    crops = [images(size, count, seed) for seed in (1, 2, 3)]
    return Sample(*crops, torch.tensor(present[:count], dtype=torch.bool))


def at(*degrees, dtype=torch.float64):
    angles = torch.tensor(degrees, dtype=dtype).deg2rad()
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def phi(degrees):
    return math.cos(math.radians(degrees))


def test_identity_by_hand():
    # restored at 60 degrees from the truth and 90 from the reference, which are 30 degrees apart
    expected = -math.log((phi(60) + 1) / 2) - math.log((phi(90) + 1) / 2) * phi(30)
    assert expected == pytest.approx(0.2877 + 0.6931 * 0.8660, abs=1e-3)
    assert face_identity(at(60), at(0), at(-30)).item() == pytest.approx(expected)
    assert face_identity(3 * at(60), at(0), 0.5 * at(-30)).item() == pytest.approx(expected)


def test_without_a_reference_only_the_truth_counts():
    first, second = -math.log((phi(60) + 1) / 2), -math.log((phi(20) + 1) / 2)
    restored, truth, reference = at(60, 20), at(0, 0), at(-30, -30)
    assert face_identity(restored, truth).item() == pytest.approx((first + second) / 2)
    assert face_identity(restored, truth, reference, torch.tensor([False, False])).item() == pytest.approx(
        (first + second) / 2
    )
    one = first - math.log((phi(90) + 1) / 2) * phi(30)
    found = face_identity(restored, truth, reference, torch.tensor([True, False]))
    assert found.item() == pytest.approx((one + second) / 2)


def test_what_stands_in_an_absent_reference_does_not_matter():
    restored = at(60, 20).requires_grad_()
    reference = at(-30, -30)
    reference[1] = float("nan")
    loss = face_identity(restored, at(0, 0), reference, torch.tensor([True, False]))
    loss.backward()
    assert loss.isfinite()
    assert restored.grad.isfinite().all()


def test_an_unlike_reference_has_a_negative_weight():
    expected = -math.log((phi(60) + 1) / 2) - math.log((phi(60) + 1) / 2) * phi(120)
    assert face_identity(at(60), at(0), at(120)).item() == pytest.approx(expected)
    assert expected < -math.log((phi(60) + 1) / 2)


def test_an_equal_face_costs_nothing():
    assert face_identity(at(10, 20), at(10, 20), at(10, 20)).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_opposite_face_is_no_infinity(dtype):
    restored = at(180, 179.9, dtype=dtype).requires_grad_()
    loss = face_identity(restored, at(0, 0, dtype=dtype), at(0, 0, dtype=dtype))
    loss.backward()
    assert loss.isfinite()
    assert loss > 10
    assert restored.grad.isfinite().all()


def test_identity_gradients():
    restored, truth, reference = torch.randn(3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    present = torch.tensor([True, False, True, True])
    restored.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: face_identity(x, truth, reference, present), restored)


def test_identity_has_no_gradient_to_truth_and_reference():
    restored, truth, reference = (at(angle).requires_grad_() for angle in (60, 0, -30))
    face_identity(restored, truth, reference).backward()
    assert restored.grad.any()
    assert truth.grad is None
    assert reference.grad is None


def test_identity_of_half_precision_is_computed_in_float32():
    restored, truth = at(30, dtype=torch.bfloat16), at(31, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        loss = face_identity(restored, truth)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(face_identity(restored.float(), truth.float()).item())


def test_identity_of_crops_is_that_of_their_embeddings():
    network, data = Recogniser(), sample()
    r, t, x = (network(ffhq_to_arcface(crops)) for crops in (data.restored, data.truth, data.reference))
    expected = face_identity(r, t, x, data.present)
    found = FaceIdentity(network)(data.restored, data.truth, data.reference, data.present)
    torch.testing.assert_close(found, expected)


def test_only_present_references_are_embedded():
    network, data = Recogniser(), sample()
    loss = FaceIdentity(network)
    loss(data.restored, data.truth, data.reference, data.present)
    assert network.seen == 3 + 3 + 2
    loss(data.restored, data.truth, data.reference, torch.zeros(3, dtype=torch.bool))
    assert network.seen == 8 + 6


def test_a_network_of_another_window_gets_its_own():
    class Whole(Recogniser):
        input_template = FFHQ_512.scaled(112)

    data, network = sample(size=112), Whole()
    found = FaceIdentity(network).embed(data.truth)
    torch.testing.assert_close(found, network(data.truth), rtol=1e-4, atol=1e-5)


def test_gradient_flows_to_the_restored_faces_only():
    data, network = sample(), Recogniser()
    crops = [x.clone().requires_grad_() for x in (data.restored, data.truth, data.reference)]
    FaceIdentity(network)(*crops, data.present).backward()
    assert crops[0].grad.isfinite().all()
    assert all(crops[0].grad[i].any() for i in range(3))
    assert crops[1].grad is None
    assert crops[2].grad is None
    assert network.weight.grad is None


def test_identity_is_the_same_inside_autocast():
    data, loss = sample(), FaceIdentity(Recogniser())
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(data.restored, data.truth, data.reference, data.present)
    assert found.equal(loss(data.restored, data.truth, data.reference, data.present))


def test_the_network_is_no_part_of_the_loss_but_moves_with_it():
    network = Recogniser()
    loss = FaceIdentity(network).train().bfloat16()
    assert not list(loss.parameters())
    assert not loss.state_dict()
    assert not network.training
    assert not network.weight.requires_grad
    assert network.weight.dtype == torch.float32
    assert loss.to("meta").network.weight.device.type == "meta"


def test_descent_brings_the_identity_closer():
    data, loss = sample(1, present=(True,)), FaceIdentity(Recogniser())
    restored = data.restored.clone().requires_grad_()
    optimizer = torch.optim.Adam([restored], lr=0.02)
    values = []
    for _ in range(30):
        optimizer.zero_grad()
        value = loss(restored, data.truth, data.truth, data.present)
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.3 * values[0]


@pytest.mark.assets
def test_identity_of_real_faces(assets):
    from faceops.recognition.identity import build_identity

    loss = FaceIdentity(build_identity(assets / "weights/identity/edgeface_xxs_dequant_fp16.safetensors"))
    data = sample()
    restored = data.restored.clone().requires_grad_()
    found = loss(restored, data.truth, data.reference, data.present)
    found.backward()
    assert found.isfinite()
    assert restored.grad.isfinite().all()
    same = loss(data.truth, data.truth, data.reference, torch.zeros(3, dtype=torch.bool))
    assert same.item() == pytest.approx(0, abs=1e-5)


def test_without_faces_it_is_zero_and_part_of_the_graph():
    network, data = Recogniser(), sample(0)
    restored = data.restored.requires_grad_()
    loss = FaceIdentity(network)(restored, data.truth, data.reference, data.present)
    assert loss.item() == 0
    loss.backward()
    assert restored.grad is not None
    assert network.seen == 0
    assert face_identity(torch.zeros(0, 4), torch.zeros(0, 4)).item() == 0


def test_loss_is_the_papers_formula():
    pt, pr, tr = torch.tensor([0.5, -0.2]), torch.tensor([0.3, 0.1]), torch.tensor([0.6, -0.1])
    expected = [
        -math.log((a + 1) / 2) - math.log((b + 1) / 2) * c
        for a, b, c in zip(*(v.tolist() for v in (pt, pr, tr)), strict=True)
    ]
    assert identity_loss(pt, pr, tr).tolist() == pytest.approx(expected)


def test_without_reference_the_loss_has_the_true_face_only():
    pt, none = torch.tensor([0.5, -0.2]), torch.zeros(2)
    torch.testing.assert_close(identity_loss(pt, none, none), identity_loss(pt))


def test_loss_and_its_gradient_are_finite_where_the_logarithm_is_not():
    worst = torch.tensor([-1.0, 1.0, 0.0], requires_grad=True)
    loss = identity_loss(worst, worst, torch.ones(3))
    loss.sum().backward()
    assert loss.isfinite().all()
    assert worst.grad.isfinite().all()


def test_gradient_of_the_loss_in_double_precision():
    similarities = (torch.rand(3, 4, dtype=torch.float64) * 1.8 - 0.9).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: identity_loss(*s), similarities)


def test_says_that_a_reference_has_two_similarities():
    with pytest.raises(ValueError, match=r"got one of them\. Give both, or none"):
        identity_loss(torch.ones(1), torch.ones(1))
