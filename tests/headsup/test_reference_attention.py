"""References that are looked at."""

import pytest
import torch

from headsup.model.reference_attention import (
    ReferenceAttention,
    References,
    canonical_places,
    mask_of,
    own_places,
    waves,
)
from headsup.model.settings import RestorerSettings

FACTOR = 8


@pytest.fixture(scope="module")
def attention() -> ReferenceAttention:
    torch.manual_seed(0)
    module = ReferenceAttention(4, width=16, heads=2, found=6)
    with torch.no_grad():
        module.nothing.normal_()
    return module.eval()


def references(person: list[int], image_index: list[int], side: int = 32) -> References:
    people = len(image_index)
    generator = torch.Generator().manual_seed(1)
    mask = torch.zeros(people, 1, 6, 8)
    mask[..., 1:5, 2:7] = 1
    return References(
        torch.rand(len(person), 3, side, side, generator=generator),
        torch.tensor(person, dtype=torch.long),
        torch.tensor(image_index, dtype=torch.long),
        torch.tensor([[[0.8, 0.1, 3.0], [-0.1, 0.8, 5.0]]]).expand(people, -1, -1),
        mask,
    )


def latents(count: int, height: int = 4, width: int = 4, seed: int = 2) -> torch.Tensor:
    return torch.randn(count, 4, height, width, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_it_is_softmax_over_all_references_and_nothing(attention):
    """Computed once more by plain products, for a person with two references."""
    two, z_l, z_r = references([0, 0], [1]), latents(2, 6, 8), latents(2, seed=3)
    found = attention(z_l, z_r, two, FACTOR)

    def features(encoder, z):
        return encoder(z).flatten(2).transpose(1, 2)

    def told(places):
        angles = torch.pi * (places[..., None] * torch.tensor([1.0, 2.0, 4.0, 8.0])).flatten(-2)
        return torch.cat([angles.sin(), angles.cos()], dim=-1)

    places = canonical_places(two.matrix, torch.Size((6, 8)), FACTOR, 32)
    query = attention.query(torch.cat([features(attention.look, z_l[1:]), told(places)], -1))[0]
    shown = features(attention.show, z_r).flatten(0, 1)
    key = attention.key(torch.cat([shown, told(own_places(4, 4)).repeat(2, 1)], -1))
    key, value = torch.cat([attention.nothing[:1], key]), torch.cat([attention.nothing[1:], attention.value(shown)])
    heads = []
    for part in (slice(0, 8), slice(8, 16)):
        weight = (query[:, part] @ key[:, part].T / 8**0.5).softmax(-1)
        heads.append(weight @ value[:, part])
    expected = attention.out(torch.cat(heads, -1)).T.reshape(6, 6, 8) * two.mask[0]
    torch.testing.assert_close(found[1], expected, rtol=1e-4, atol=1e-5)
    assert not found[0].any()


@torch.no_grad()
def test_the_order_of_references_does_not_matter_and_people_do_not_mix(attention):
    z_l, z_r = latents(2, 6, 8), latents(3, seed=3)
    mixed = references([0, 1, 0], [0, 1])
    found = attention(z_l, z_r, mixed, FACTOR)
    turned = attention(z_l, z_r[[2, 0, 1]], references([0, 0, 1], [0, 1]), FACTOR)
    torch.testing.assert_close(turned, found, rtol=0, atol=1e-5)
    alone = attention(z_l[:1], z_r[[0, 2]], references([0, 0], [0]), FACTOR)
    torch.testing.assert_close(alone[0], found[0], rtol=0, atol=1e-5)
    other = attention(z_l, torch.cat([z_r[:1], z_r[1:2] + 1, z_r[2:]]), mixed, FACTOR)
    torch.testing.assert_close(other[0], found[0], rtol=0, atol=1e-5)
    assert (other[1] - found[1]).abs().max() > 1e-3


@torch.no_grad()
def test_nothing_is_found_outside_of_faces_and_without_references(attention):
    z_l = latents(1, 6, 8)
    found = attention(z_l, latents(1), references([0], [0]), FACTOR)
    assert found[..., 1:5, 2:7].any()
    found[..., 1:5, 2:7] = 0
    assert not found.any()
    none = references([], [])
    assert not attention(z_l, latents(0), none, FACTOR).any()


def test_places_are_those_of_the_aligned_face():
    """A picture that is the aligned face twice as large: its latent pixels lie where the face's do, between them."""
    matrix = torch.tensor([[[0.5, 0.0, -0.25], [0.0, 0.5, -0.25]]])
    places = canonical_places(matrix, torch.Size((8, 8)), FACTOR, 32)[0].view(8, 8, 2)
    torch.testing.assert_close(places[:2, :2].mean(dim=(0, 1)), own_places(4, 4)[0])
    far = canonical_places(matrix, torch.Size((8, 100)), FACTOR, 32)
    assert float(far.max()) == 1.25


def test_places_are_exact_in_half_precision():
    matrix = torch.tensor([[[0.43, 0.1, -180.25], [-0.1, 0.43, 20.75]]])
    places = canonical_places(matrix, torch.Size((64, 128)), FACTOR, 512)
    with torch.autocast("cpu", torch.bfloat16):
        found = canonical_places(matrix, torch.Size((64, 128)), FACTOR, 512)
    torch.testing.assert_close(found, places, rtol=0, atol=0)


def test_masks_of_several_people_are_joined():
    two = references([0, 1], [0, 0])
    two.mask[1] = 0
    two.mask[1, :, 0, 0] = 1
    mask = mask_of(two, torch.zeros(2, 4, 6, 8))
    assert mask[0].sum() == two.mask.sum()
    assert not mask[1].any()


def test_at_first_a_place_looks_at_its_own_place():
    torch.manual_seed(3)
    attention = ReferenceAttention(channels=4)
    places = waves(own_places(32, 32))
    blank = torch.zeros(len(places), attention.query.in_features - places.shape[1])
    with torch.no_grad():
        queries, keys = (layer(torch.cat([blank, places], dim=1)) for layer in (attention.query, attention.key))
    queries, keys = (x.unflatten(1, (attention.heads, -1)).transpose(0, 1) for x in (queries, keys))
    shares = (queries @ keys.mT / queries.shape[-1] ** 0.5).softmax(dim=-1)
    distance = torch.cdist(own_places(32, 32), own_places(32, 32))
    # with the layers' random weights it is 0.52, as far as places are from one another
    assert (shares * distance).sum(dim=-1).mean() < 0.06


def test_at_first_references_change_nothing_and_then_they_do():
    restorer = RestorerSettings("random:tiny", rank=2, references="attention").build()
    picture, prompt = torch.rand(1, 3, 48, 64), torch.randn(1, 4, 64)
    known = references([0, 0], [0])
    with torch.no_grad():
        alone, led = restorer(picture, prompt).latents, restorer(picture, prompt, known).latents
        # the mask is a channel of the first convolution, which begins as zero for all that is new
        torch.testing.assert_close(led, alone, rtol=0, atol=1e-4)
        restorer.unet.conv_in.get_parameter("own.base_layer.weight").add_(0.05)
        assert (restorer(picture, prompt, known).latents - restorer(picture, prompt).latents).abs().max() > 1e-3


def test_gradients_reach_the_attention():
    restorer = RestorerSettings("random:tiny", trained="all", references="attention").build()
    with torch.no_grad():
        restorer.unet.conv_in.own.weight.add_(0.05)
    restorer(torch.rand(1, 3, 48, 64), torch.randn(1, 4, 64), references([0], [0])).latents.square().mean().backward()
    assert restorer.attention is not None
    for name, parameter in restorer.attention.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_the_encoder_learns_from_the_inputs_alone():
    restorer = RestorerSettings("random:tiny", trained="all", references="attention").build()
    z_l = torch.randn(1, 16, 6, 8, generator=torch.Generator().manual_seed(0))
    restorer.find(z_l, references([0], [0]), "placed").square().mean().backward()
    assert restorer.attention is not None
    assert restorer.attention.out.weight.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in restorer.vae.parameters())
    restorer.encode(torch.rand(1, 3, 48, 64)).square().mean().backward()
    assert restorer.vae.encoder.conv_in.weight.grad.abs().max() > 0
