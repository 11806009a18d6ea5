"""Text encoders: what turns prompts into the embeddings that a denoiser attends to."""

import hashlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from faceops.progress.verbosity import say
from faceops.weights.reading import check_finite
from headsup.model.backbone import RANDOM, MissingBackboneError, description, missing, place_of

NEGATIVE = (
    "painting, oil painting, illustration, drawing, art, sketch, cartoon, CG Style, 3D render, unreal engine, "
    "blurring, dirty, messy, worst quality, low quality, frames, watermark, signature, jpeg artifacts, deformed, "
    "lowres, over-smooth"
)
"""Negative prompt (HeadsUp, Appendix B); it serves the teacher's guidance alone."""

EMBEDDINGS_FILE = "prompts.safetensors"
"""File in a model's folder with the embeddings ``positive`` and ``negative``, where there is no text encoder."""

TOKENS = 77
"""Tokens of a prompt; the context of CLIP."""


@runtime_checkable
class TextEncoder(Protocol):
    """Embeds prompts."""

    def __call__(self, texts: Sequence[str]) -> Float[Tensor, "b n d"]:
        """Embeddings of the tokens of every text, on the device that it was put on; the CPU at first."""

    def to(self, device: torch.device) -> None:
        """Embed on a device from now on."""


class ClipTextEncoder:
    """Text encoder of a Stable Diffusion in diffusers' layout.

    Args:
        source: Folder or hub id.
        dtype: Type of its weights and of the embeddings.

    Raises:
        MissingBackboneError: If it is not there and cannot be fetched.
    """

    def __init__(self, source: str, dtype: torch.dtype = torch.float32) -> None:
        from transformers import CLIPTextModel, CLIPTokenizer

        local = Path(source).is_dir()
        try:
            self.tokenizer = CLIPTokenizer.from_pretrained(source, subfolder="tokenizer", local_files_only=local)
            self.model = CLIPTextModel.from_pretrained(source, subfolder="text_encoder", local_files_only=local)
        except OSError as error:
            if not local:
                raise MissingBackboneError(missing(source, local)) from error
            raise MissingBackboneError(
                f"{source} has neither a text encoder (folders tokenizer and text_encoder) nor {EMBEDDINGS_FILE} with "
                "the embeddings `positive` and `negative`; one of them is needed for the prompt."
            ) from error
        self.model.requires_grad_(False).eval().to(dtype)

    @torch.no_grad()
    def __call__(self, texts: Sequence[str]) -> Float[Tensor, "b n d"]:
        """Embeddings of the last layer; texts that are longer than the context are cut."""
        tokens = self.tokenizer(
            list(texts), padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
        )
        device = self.model.device
        with torch.autocast(device.type, enabled=False):  # a remembered embedding is the same in and out of a training
            embeddings: Tensor = self.model(tokens.input_ids.to(device)).last_hidden_state
        return embeddings

    def to(self, device: torch.device) -> None:
        """Put the weights on a device."""
        self.model.to(device)


class KnownEmbeddings:
    """Base of what computes nothing, and so is the same on every device."""

    def to(self, device: torch.device) -> None:
        """Do nothing."""


class TwoEmbeddings(KnownEmbeddings):
    """Stands for a text encoder where a denoiser knows no texts, only good pictures and bad ones.

    Args:
        positive: Embedding of every text but the negative prompt.
    """

    def __init__(self, positive: Float[Tensor, "n d"], negative: Float[Tensor, "n d"]) -> None:
        self.positive, self.negative = positive, negative

    @classmethod
    def from_file(cls, path: Path) -> "TwoEmbeddings":
        """Read `EMBEDDINGS_FILE`; ValueError if it does not hold the two embeddings, or they are not finite."""
        try:
            tensors = load_file(path)
            check_finite(tensors, path)
            return cls(tensors["positive"].float(), tensors["negative"].float())
        except (SafetensorError, KeyError) as error:
            raise ValueError(f"{path} must hold the embeddings `positive` and `negative`; it is damaged.") from error

    def __call__(self, texts: Sequence[str]) -> Float[Tensor, "b n d"]:
        """One of the two embeddings for every text."""
        return torch.stack([self.negative if text == NEGATIVE else self.positive for text in texts])


class RandomTextEncoder(KnownEmbeddings):
    """Embeddings that depend on nothing but the text: for architectures with random weights."""

    def __init__(self, width: int) -> None:
        self.width = width

    def __call__(self, texts: Sequence[str]) -> Float[Tensor, "b n d"]:
        """Normally distributed numbers, the same ones for the same text."""
        return torch.stack([self._embed(text) for text in texts])

    def _embed(self, text: str) -> Tensor:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
        return torch.randn(TOKENS, self.width, generator=torch.Generator().manual_seed(seed))


def has_text_encoder(source: str) -> bool:
    """Tell whether texts mean anything to a diffusion model; of one on the hub it is taken for granted.

    Args:
        source: As for `headsup.model.backbone.load_backbone`.

    Example:
        >>> has_text_encoder("random:tiny"), has_text_encoder("tiny")
        (False, False)
    """
    return not (source.startswith(RANDOM) or source == "tiny" or (Path(source) / EMBEDDINGS_FILE).is_file())


def say_of_texts(weights: object, base: str, texts: Sequence[str]) -> None:
    """Say that texts do nothing, where the base model has no text encoder.

    Args:
        weights: Whose base model it is.
        base: As for `headsup.model.backbone.load_backbone`.
        texts: What the texts are to the reader, such as ``"prompt"``; there may be none.
    """
    if texts and not has_text_encoder(base):
        useless = " and ".join(f"the {name}" for name in texts)
        verb = "is" if len(texts) == 1 else "are"
        say(f"The base model of {weights}, {base}, has no text encoder, so {useless} {verb} of no use.")


def load_text_encoder(source: str, dtype: torch.dtype = torch.float32, fetch: bool = True) -> TextEncoder:
    """Text encoder that belongs to a diffusion model.

    Args:
        source: As for `headsup.model.backbone.load_backbone`.
        dtype: Type of its weights; those of known embeddings are float32 always.
        fetch: Likewise.

    Raises:
        MissingBackboneError: If it is not there and cannot or may not be fetched.
        ValueError: If its file of embeddings is damaged.
    """
    if source.startswith(RANDOM):
        return RandomTextEncoder(description(source.removeprefix(RANDOM), "unet")["cross_attention_dim"])
    if source == "tiny":
        with resources.as_file(resources.files("headsup") / "weights" / "tiny_base" / EMBEDDINGS_FILE) as path:
            return TwoEmbeddings.from_file(path)
    place = place_of(source, fetch)
    embeddings = Path(place) / EMBEDDINGS_FILE
    return TwoEmbeddings.from_file(embeddings) if embeddings.is_file() else ClipTextEncoder(place, dtype)
