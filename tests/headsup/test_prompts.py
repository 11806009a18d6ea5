"""Prompts, and the text encoders behind them."""

import gc
import weakref

import huggingface_hub.constants
import pytest
import torch

import headsup.model.prompts
from headsup.model.backbone import MissingBackboneError
from headsup.model.prompts import ConstantPrompt, IndexPrompts, TaggedPrompts
from headsup.model.text_encoder import (
    NEGATIVE,
    TOKENS,
    ClipTextEncoder,
    RandomTextEncoder,
    TwoEmbeddings,
    load_text_encoder,
)
from headsup.weights.diffusers_folder import save_embeddings
from tests.support.small_sd21 import write_small_clip

LQ = torch.rand(3, 3, 8, 8)


class Counting:
    """Embeds a text as its length, and notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.calls = 0
        self.places: list[torch.device] = []

    def __call__(self, texts):
        self.asked += texts
        self.calls += 1
        return torch.stack([torch.full((2, 4), float(len(text))) for text in texts])

    def to(self, device):
        self.places.append(device)


@pytest.fixture
def encoder(monkeypatch) -> Counting:
    found = Counting()
    monkeypatch.setattr(
        headsup.model.prompts, "load_text_encoder", lambda source, dtype=torch.float32, fetch=True: found
    )
    return found


def test_a_constant_prompt_is_embedded_once(encoder):
    prompt = ConstantPrompt("a face")
    prompt.prepare("any")
    prompt.prepare("any")
    assert encoder.asked == ["a face", NEGATIVE]
    assert prompt(LQ, ["x", "y", "z"]).equal(torch.full((3, 2, 4), 6.0))
    assert prompt.negative().equal(torch.full((1, 2, 4), float(len(NEGATIVE))))


def test_a_constant_prompt_does_not_keep_the_text_encoder(monkeypatch):
    made = []

    def load(source, dtype, fetch):
        found = Counting()
        made.append(weakref.ref(found))
        return found

    monkeypatch.setattr(headsup.model.prompts, "load_text_encoder", load)
    prompt = ConstantPrompt()
    prompt.prepare("any")
    gc.collect()
    assert made[0]() is None
    assert prompt(LQ, ["", "", ""]).shape == (3, 2, 4)


def test_texts_of_the_index_are_encoded_once(encoder):
    prompts = IndexPrompts(otherwise="nobody")
    prompts.prepare("any")
    found = prompts(LQ, ["one", "", "four"])
    assert found[:, 0, 0].tolist() == [3, 6, 4]
    again = prompts(LQ[:2], ["four", "one"])
    assert again[:, 0, 0].tolist() == [4, 3]
    assert encoder.asked == ["one", "nobody", "four"]
    assert encoder.calls == 1  # a batch at once
    assert prompts.negative()[0, 0, 0] == len(NEGATIVE)


def test_the_text_encoder_is_where_the_images_are(encoder):
    """Also for the negative prompt, which has no images to tell where."""
    prompts = IndexPrompts()
    prompts.prepare("any")
    assert prompts(torch.empty(1, 3, 8, 8, device="meta"), ["one"]).device.type == "meta"
    prompts.negative()
    assert [place.type for place in encoder.places] == ["meta"]


def test_a_batch_of_more_new_texts_than_are_remembered(encoder, monkeypatch):
    monkeypatch.setattr(headsup.model.prompts, "REMEMBERED", 2)
    prompts = IndexPrompts()
    prompts.prepare("any")
    assert prompts(LQ, ["a", "bb", "ccc"])[:, 0, 0].tolist() == [1, 2, 3]
    assert list(prompts.known) == ["bb", "ccc"]


def test_the_oldest_text_is_forgotten(encoder, monkeypatch):
    monkeypatch.setattr(headsup.model.prompts, "REMEMBERED", 2)
    prompts = IndexPrompts()
    prompts.prepare("any")
    prompts(LQ, ["a", "bb", "a"])
    prompts(LQ[:1], ["ccc"])  # bb goes, a was used later
    prompts(LQ[:2], ["a", "bb"])
    assert encoder.asked == ["a", "bb", "ccc", "bb"]


def test_a_tagger_says_what_is_in_the_inputs(encoder):
    class Brightness:
        def __call__(self, images):
            return ["light" if image.mean() > 0.5 else "" for image in images]

    prompts = TaggedPrompts(Brightness(), otherwise="dark night")
    prompts.prepare("any")
    lq = torch.stack([torch.ones(3, 8, 8), torch.zeros(3, 8, 8)])
    assert prompts(lq, ["ignored", "ignored"])[:, 0, 0].tolist() == [5, 10]
    prompts = TaggedPrompts(Brightness(), added="photo")
    prompts.prepare("any")
    prompts(lq, ["", ""])
    assert encoder.asked[-2:] == ["light, photo", "photo"]


@pytest.mark.parametrize("prompts", [ConstantPrompt(), IndexPrompts()])
def test_prompts_must_be_prepared(prompts):
    with pytest.raises(RuntimeError, match="Prompts are prepared for a diffusion model before they are used"):
        prompts(LQ, ["a", "b", "c"])


def test_random_architectures_have_random_embeddings():
    encoder = load_text_encoder("random:tiny")
    assert isinstance(encoder, RandomTextEncoder)
    first, second, again = encoder(["one", "two", "one"])
    assert first.shape == (TOKENS, 64)
    assert first.equal(again)
    assert not first.equal(second)
    assert load_text_encoder("random:sd21").width == 1024


def test_two_embeddings_stand_for_good_and_bad(tmp_path):
    good, bad = torch.randn(2, 4, 8)
    save_embeddings(good, bad, tmp_path)
    encoder = load_text_encoder(str(tmp_path))
    assert isinstance(encoder, TwoEmbeddings)
    assert encoder(["anything", NEGATIVE, ""]).equal(torch.stack([good, bad, good]))
    (tmp_path / "prompts.safetensors").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="must hold the embeddings `positive` and `negative`; it is damaged"):
        load_text_encoder(str(tmp_path))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A folder with a CLIP of three characters, of random weights."""
    folder = tmp_path_factory.mktemp("clip")
    write_small_clip(folder)
    return folder


@pytest.mark.parametrize("prompts", [ConstantPrompt, IndexPrompts])
def test_a_negative_prompt_of_ones_own_needs_a_text_encoder(prompts):
    with pytest.raises(ValueError, match="has no text encoder and knows one negative prompt"):
        prompts(negative_text="blurry").prepare("tiny")
    prompts(negative_text="blurry").prepare("random:tiny")


def test_clip_embeds_its_tokens(clip):
    encoder = load_text_encoder(str(clip))
    assert isinstance(encoder, ClipTextEncoder)
    assert not any(p.requires_grad for p in encoder.model.parameters())
    found = encoder(["ab c", "", "c " * 100])
    assert found.shape == (3, TOKENS, 16)
    tokens = torch.full((3, TOKENS), 8)  # begin, text, end, and ends up to the full length
    tokens[:, 0] = 7
    tokens[0, 1:3] = torch.tensor([6, 5])
    tokens[2, 1:-1] = 5
    with torch.no_grad():
        expected = encoder.model(tokens).last_hidden_state
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    prompts = IndexPrompts()
    prompts.prepare(str(clip))
    torch.testing.assert_close(prompts(LQ[:1], ["ab c"])[0], expected[0], rtol=0, atol=1e-5)


def test_clip_is_kept_in_the_type_of_the_base(clip):
    """Its embeddings are computed in it, too, and the same in and out of autocast: they are remembered."""
    prompts = IndexPrompts()
    prompts.prepare(str(clip), torch.bfloat16)
    assert {parameter.dtype for parameter in prompts.encoder.model.parameters()} == {torch.bfloat16}
    found = prompts(LQ[:1], ["ab c"])
    assert found.dtype == torch.bfloat16
    exact = load_text_encoder(str(clip))
    torch.testing.assert_close(found.float(), exact(["ab c"]), rtol=0, atol=0.1)
    with torch.autocast("cpu", torch.bfloat16):
        assert exact(["ab c"]).equal(load_text_encoder(str(clip))(["ab c"]))
        assert exact(["ab c"]).dtype == torch.float32


@pytest.mark.gpu
def test_clip_embeds_on_the_gpu_of_the_images(clip):
    prompts = IndexPrompts()
    prompts.prepare(str(clip), torch.bfloat16)
    found = prompts(LQ[:1].cuda(), ["ab c"])
    assert (found.device.type, found.dtype) == ("cuda", torch.bfloat16)
    assert prompts.encoder.model.device.type == "cuda"
    expected = load_text_encoder(str(clip))(["ab c"])
    torch.testing.assert_close(found.float().cpu(), expected, rtol=0, atol=0.1)


def test_a_folder_without_a_text_encoder_is_refused(tmp_path):
    with pytest.raises(MissingBackboneError, match="has neither a text encoder"):
        load_text_encoder(str(tmp_path))


def test_a_text_encoder_that_cannot_be_fetched_is_named(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(MissingBackboneError, match="The diffusion model nobody/no-such-model is not on this machine"):
        load_text_encoder("nobody/no-such-model")
