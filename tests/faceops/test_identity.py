import hashlib
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faceops.geometry.alignment import align
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import ARCFACE_112, FFHQ_512
from faceops.recognition.identity import (
    THRESHOLDS,
    IdentityNetwork,
    build_identity,
    embed,
    encoder_from,
    reference_similarity,
    similarity,
)
from faceops.recognition.identity_networks.encoder import FaceEncoder, InputConvention
from faceops.recognition.identity_networks.ir import IR
from faceops.recognition.identity_networks.mobilefacenet import KEYS, MobileFaceNet
from faceops.weights import cache
from faceops.weights.cache import find_entry


class Corner(torch.nn.Module):
    """Its embedding is the prepared top left pixel: shows what a network is given."""

    def forward(self, x):
        return x[:, :, 0, 0]


def colours(size=112):
    image = torch.zeros(1, 3, size, size)
    image[0, :, 0, 0] = torch.tensor([1.0, 0.5, 0.25])
    return image


def test_convention_red_green_blue_in_0_1_become_minus_1_1():
    assert InputConvention().prepare(colours())[0, :, 0, 0].tolist() == [1.0, 0.0, -0.5]
    assert InputConvention(channels="bgr").prepare(colours())[0, :, 0, 0].tolist() == [-0.5, 0.0, 1.0]


def test_convention_mean_and_deviation_are_in_the_order_red_green_blue_even_for_bgr():
    convention = InputConvention(mean=(1.0, 0.5, 0.25), std=(1.0, 2.0, 4.0), channels="bgr")
    assert convention.prepare(colours())[0, :, 0, 0].tolist() == [0.0, 0.0, 0.0]
    white = torch.ones(1, 3, 112, 112)
    assert convention.prepare(white)[0, :, 0, 0].tolist() == [0.1875, 0.25, 0.0]


def test_convention_grey_weighs_red_by_three_tenths():
    grey = InputConvention(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), channels="grey").prepare(colours())
    assert grey.shape == (1, 1, 112, 112)
    assert grey[0, 0, 0, 0].item() == pytest.approx(0.2989 * 1.0 + 0.587 * 0.5 + 0.114 * 0.25)


def test_an_encoder_gives_unit_vectors_and_is_an_identity_network():
    encoder = FaceEncoder(Corner(), InputConvention(), "corner")
    out = encoder(colours())
    assert isinstance(encoder, IdentityNetwork)
    assert out.norm().item() == pytest.approx(1.0)
    assert (encoder.input_size, encoder.input_template) == (112, ARCFACE_112)


def test_a_face_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"aligned to arcface in RGB at 112 x 112 pixels, got \(1, 3, 96, 96\)"):
        FaceEncoder(Corner(), InputConvention(), "corner")(colours(96))


def test_an_encoder_stays_in_evaluation_mode():
    encoder = FaceEncoder(torch.nn.BatchNorm2d(3), InputConvention(), "statistics")
    torch.nn.Sequential(encoder).train()
    assert not encoder.training
    assert not encoder.network.training


def test_embed_aligns_to_what_the_network_wants():
    images = torch.rand(2, 3, 100, 100, generator=torch.Generator().manual_seed(0))
    points = ARCFACE_112.scaled(60).tensor().float() + 20
    faces = Faces(torch.tensor([1]), torch.zeros(1, 4), points.unsqueeze(0), torch.ones(1))
    convention = InputConvention(template=FFHQ_512.scaled(32))
    encoder = FaceEncoder(Corner(), convention, "corner")
    expected = encoder(align(images, faces, 32, FFHQ_512).crops)
    torch.testing.assert_close(embed(encoder, images, faces), expected)


def test_built_networks_are_frozen_but_let_gradients_through_to_the_pixels():
    network = IR((1, 1, 1, 1), channels=4, dimensions=8)
    tensors = published(network)
    encoder = encoder_from(tensors, "test")
    assert encoder.name == "ir of 4 blocks"
    faces = torch.rand(2, 3, 112, 112, requires_grad=True)
    embeddings = encoder.requires_grad_(False)(faces)
    (gradient,) = torch.autograd.grad(embeddings[:, 0].sum(), faces)
    assert gradient.abs().sum() > 0
    assert not any(weight.requires_grad for weight in encoder.parameters())


def published(network):
    from faceops.recognition.identity_networks.ir import KEYS

    return {
        KEYS.theirs(name): value for name, value in network.state_dict().items() if "num_batches_tracked" not in name
    }


def test_building_by_path_tells_the_architecture_by_the_keys(tmp_path):
    from safetensors.torch import save_file

    network = IR((2, 2, 2, 2), channels=4, dimensions=16).eval()
    file = tmp_path / "weights.safetensors"
    save_file({f"model.net.{name}": value.contiguous() for name, value in published(network).items()}, file)
    faces = torch.rand(1, 3, 112, 112)
    rgb, bgr = build_identity(file), build_identity(file, channels="bgr")
    assert rgb.name == "ir-18"
    assert rgb.threshold is None
    torch.testing.assert_close(rgb(faces), torch.nn.functional.normalize(network(2 * faces - 1)))
    torch.testing.assert_close(bgr(faces), rgb(faces.flip(1)))


def test_a_threshold_is_that_of_the_published_file(tmp_path, monkeypatch):
    weights = MobileFaceNet().state_dict().items()
    torch.save({KEYS.theirs(name): value for name, value in weights if "tracked" not in name}, tmp_path / "mine.pt")
    mine = build_identity(tmp_path / "mine.pt")
    assert (mine.name, mine.threshold) == ("mobilefacenet", None)
    entry = replace(find_entry("mobilefacenet"), sha256=hashlib.sha256((tmp_path / "mine.pt").read_bytes()).hexdigest())
    monkeypatch.setattr(cache, "WEIGHTS", (entry,))
    assert build_identity(tmp_path / "mine.pt").threshold == THRESHOLDS["mobilefacenet"]


def test_unknown_weights_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"of no recognition network that is known.*begins with a, b"):
        encoder_from({"b": torch.zeros(1), "a": torch.zeros(1)}, "x.pt")
    text = tmp_path / "x.pt"
    text.write_text("no weights")
    with pytest.raises(ValueError, match="holds no weights that can be read safely"):
        build_identity(text)
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(ValueError, match="must hold weights by name, got list"):
        build_identity(tmp_path / "list.pt")


vectors = st.lists(st.floats(-5, 5), min_size=8, max_size=8).map(lambda v: torch.tensor(v, dtype=torch.float64)[None])
few = settings(max_examples=30, deadline=None, derandomize=True)


@few
@given(vectors, vectors, st.floats(0.1, 10))
def test_similarity_is_a_cosine(a, b, factor):
    value = similarity(a, b)
    assert -1 <= value.item() <= 1
    torch.testing.assert_close(value, similarity(b, a))
    torch.testing.assert_close(value, similarity(factor * a, b))
    torch.testing.assert_close(similarity(-a, b), -value)
    if a.norm() > 1e-3:
        torch.testing.assert_close(similarity(a, a), torch.ones(1, dtype=torch.float64))


def test_similarity_is_eq_4():
    # numpy: a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a = [1, 2, 3], b = [-4, 5, 1]
    a, b = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[-4.0, 5.0, 1.0]])
    assert similarity(a, b).item() == pytest.approx(0.37115374, abs=1e-6)


def test_an_absent_reference_is_alike_to_nothing_and_has_no_gradient():
    a = torch.rand(3, 4, dtype=torch.float64).requires_grad_()
    reference = torch.rand(3, 4, dtype=torch.float64)
    reference[1] = float("nan")
    value = reference_similarity(a, reference, torch.tensor([True, False, True]))
    (gradient,) = torch.autograd.grad(value.sum(), a)
    torch.testing.assert_close(value[[0, 2]], similarity(a, reference)[[0, 2]])
    assert value[1] == 0
    assert gradient.isfinite().all()
    assert gradient[1].abs().max() == 0
    assert reference_similarity(a, None).tolist() == [0.0, 0.0, 0.0]


def test_similarity_is_differentiable():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.rand(2, 5, dtype=torch.float64, generator=generator).requires_grad_() for _ in range(2))
    assert torch.autograd.gradcheck(similarity, (a, b))
