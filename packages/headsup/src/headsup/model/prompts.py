"""Prompts: which text conditions the denoiser (T of HeadsUp, Section 2.4)."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from headsup.model.text_encoder import NEGATIVE, TextEncoder, TwoEmbeddings, load_text_encoder

REMEMBERED = 4096
"""Embeddings of texts that are kept, so that a text is encoded once."""


class Prompts(ABC):
    """Gives the embedded prompts of a batch."""

    @abstractmethod
    def prepare(self, source: str, dtype: torch.dtype = torch.float32, fetch: bool = True) -> None:
        """Load what is needed for a diffusion model; called once, before anything else.

        Args:
            source: The model, as for `headsup.model.backbone.load_backbone`.
            dtype: Type of its frozen weights.
            fetch: Whether a text encoder that is not on this machine may be fetched.
        """

    @abstractmethod
    def __call__(self, lq: Float[Tensor, "b 3 h w"], texts: Sequence[str]) -> Float[Tensor, "b n d"]:
        """Embeddings of the prompts, on the device of the images; called once for a batch.

        Args:
            lq: Inputs, enlarged to the size wanted as the restorer sees them, RGB in [0, 1].
            texts: What the index says of the photographs.
        """

    @abstractmethod
    def negative(self) -> Float[Tensor, "1 n d"]:
        """Embedding of the negative prompt, on the CPU."""


def text_encoder_for(source: str, dtype: torch.dtype, fetch: bool, negative_text: str) -> TextEncoder:
    """Text encoder of a diffusion model that can embed a negative prompt.

    Args:
        source: As for `headsup.model.backbone.load_backbone`, as are the next two.

    Raises:
        ValueError: If the model has learnt its one negative prompt and another is wanted, or its file is damaged.
        MissingBackboneError: See `headsup.model.text_encoder.load_text_encoder`.
    """
    encoder = load_text_encoder(source, dtype, fetch)
    if isinstance(encoder, TwoEmbeddings) and negative_text != NEGATIVE:
        raise ValueError(
            f"The base model {source} has no text encoder and knows one negative prompt, which it was trained with; "
            f'leave negative_text as it is, got "{negative_text}".'
        )
    return encoder


class ConstantPrompt(Prompts):
    """The same text for every image; the text encoder is gone once it is embedded.

    What PiSA-SR does (with an empty text), and how a tagger of 0.48 and a text encoder of 0.34 billion parameters are
    saved; HeadsUp extracts a text from every input.
    """

    def __init__(self, text: str = "", negative_text: str = NEGATIVE) -> None:
        self.text, self.negative_text = text, negative_text
        self.embedded: Tensor | None = None

    @classmethod
    def embedded_as(cls, positive: Float[Tensor, "n d"], negative: Float[Tensor, "n d"]) -> "ConstantPrompt":
        """Prompt whose embedding, and that of the negative prompt, is known already."""
        prompt = cls()
        prompt.embedded = torch.stack([positive, negative])
        return prompt

    def prepare(self, source: str, dtype: torch.dtype = torch.float32, fetch: bool = True) -> None:
        """Embed the two texts."""
        if self.embedded is None:
            encoder = text_encoder_for(source, dtype, fetch, self.negative_text)
            self.embedded = encoder([self.text, self.negative_text]).to(dtype)

    def __call__(self, lq: Float[Tensor, "b 3 h w"], texts: Sequence[str]) -> Float[Tensor, "b n d"]:
        """The embedding of the text, once for each image."""
        return self._prepared()[:1].to(lq.device).expand(len(lq), -1, -1)

    def negative(self) -> Float[Tensor, "1 n d"]:
        """Embedding of the negative prompt."""
        return self._prepared()[1:]

    def _prepared(self) -> Tensor:
        if self.embedded is None:
            raise RuntimeError("Prompts are prepared for a diffusion model before they are used.")
        return self.embedded


class IndexPrompts(Prompts):
    """The text of every photograph in its index: a prompt, or tags with commas between.

    The text encoder stays in the memory of the device that the images are on, in the type of the base model's frozen
    weights. What a batch has of new texts is encoded together; the last 4096 texts are not encoded again.

    Args:
        otherwise: Text of photographs that have none.
    """

    def __init__(self, otherwise: str = "", negative_text: str = NEGATIVE) -> None:
        self.otherwise, self.negative_text = otherwise, negative_text
        self.encoder: TextEncoder | None = None
        self.known: OrderedDict[str, Tensor] = OrderedDict()

    def prepare(self, source: str, dtype: torch.dtype = torch.float32, fetch: bool = True) -> None:
        """Load the text encoder."""
        if self.encoder is None:
            self.encoder = text_encoder_for(source, dtype, fetch, self.negative_text)

    def __call__(self, lq: Float[Tensor, "b 3 h w"], texts: Sequence[str]) -> Float[Tensor, "b n d"]:
        """Embeddings of the texts."""
        if self.encoder is not None:
            self.encoder.to(lq.device)
        return self._embedded([text or self.otherwise for text in texts]).to(lq.device)

    def negative(self) -> Float[Tensor, "1 n d"]:
        """Embedding of the negative prompt."""
        return self._embedded([self.negative_text])

    def _embedded(self, texts: Sequence[str]) -> Float[Tensor, "b n d"]:
        """Embeddings on the CPU, where thousands of them have room; made where the encoder is."""
        if self.encoder is None:
            raise RuntimeError("Prompts are prepared for a diffusion model before they are used.")
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        if new:
            self.known.update(zip(new, self.encoder(new).cpu(), strict=True))
        for text in texts:
            self.known.move_to_end(text)
        found = torch.stack([self.known[text] for text in texts])
        while len(self.known) > REMEMBERED:
            self.known.popitem(last=False)
        return found


@runtime_checkable
class Tagger(Protocol):
    """Says what is on pictures, as the DAPE module does that HeadsUp uses (Section 4.1)."""

    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> list[str]:
        """A text for each image, RGB in [0, 1]: the inputs, enlarged to the size wanted."""


class TaggedPrompts(IndexPrompts):
    """Texts that a tagger finds in the inputs, as in the paper.

    Args:
        tagger: Any callable from images to texts, as `headsup.model.taggers.ram.DapeTagger`, the paper's.
        otherwise: Text of photographs in which it finds nothing.
        negative_text: Negative prompt.
        added: Text that follows what it finds.
    """

    def __init__(self, tagger: Tagger, otherwise: str = "", negative_text: str = NEGATIVE, added: str = "") -> None:
        super().__init__(otherwise, negative_text)
        self.tagger, self.added = tagger, added

    def __call__(self, lq: Float[Tensor, "b 3 h w"], texts: Sequence[str]) -> Float[Tensor, "b n d"]:
        """Embeddings of what the tagger says; the index's texts are not used."""
        found = self.tagger(lq)
        return super().__call__(lq, [", ".join(filter(None, (text, self.added))) for text in found])
