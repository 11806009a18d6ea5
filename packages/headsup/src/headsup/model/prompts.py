"""Prompts: which text conditions the denoiser (T of HeadsUp, Section 2.4)."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from headsup.model.text_encoder import NEGATIVE, TextEncoder, load_text_encoder

REMEMBERED = 4096
"""Embeddings of texts that are kept, so that a text is encoded once."""


class Prompts(ABC):
    """Gives the embedded prompts of a batch."""

    @abstractmethod
    def prepare(self, source: str) -> None:
        """Load what is needed for a diffusion model; called once, before anything else."""

    @abstractmethod
    def __call__(self, lq: Float[Tensor, "b 3 h w"], texts: Sequence[str]) -> Float[Tensor, "b n d"]:
        """Embeddings of the prompts, on the device of the images.

        Args:
            texts: What the index says of the photographs.
        """

    @abstractmethod
    def negative(self) -> Float[Tensor, "1 n d"]:
        """Embedding of the negative prompt, on the CPU."""


class ConstantPrompt(Prompts):
    """The same text for every image; the text encoder is gone once it is embedded.

    What PiSA-SR does (with an empty text), and how a tagger of 0.48 and a text encoder of 0.34 billion parameters are
    saved; HeadsUp extracts a text from every input.
    """

    def __init__(self, text: str = "", negative_text: str = NEGATIVE) -> None:
        self.text, self.negative_text = text, negative_text
        self.embedded: Tensor | None = None

    def prepare(self, source: str, fetch: bool = True) -> None:
        """Embed the two texts."""
        if self.embedded is None:
            self.embedded = load_text_encoder(source, fetch)([self.text, self.negative_text])

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

    The text encoder stays in memory; texts that come again are not encoded again.

    Args:
        otherwise: Text of photographs that have none.
    """

    def __init__(self, otherwise: str = "", negative_text: str = NEGATIVE) -> None:
        self.otherwise, self.negative_text = otherwise, negative_text
        self.encoder: TextEncoder | None = None
        self.known: OrderedDict[str, Tensor] = OrderedDict()

    def prepare(self, source: str) -> None:
        """Load the text encoder."""
        if self.encoder is None:
            self.encoder = load_text_encoder(source)

    def __call__(self, lq: Float[Tensor, "b 3 h w"], texts: Sequence[str]) -> Float[Tensor, "b n d"]:
        """Embeddings of the texts."""
        return torch.stack([self._embedded(text or self.otherwise) for text in texts]).to(lq.device)

    def negative(self) -> Float[Tensor, "1 n d"]:
        """Embedding of the negative prompt."""
        return self._embedded(self.negative_text).unsqueeze(0)

    def _embedded(self, text: str) -> Tensor:
        if self.encoder is None:
            raise RuntimeError("Prompts are prepared for a diffusion model before they are used.")
        if text not in self.known:
            self.known[text] = self.encoder([text])[0]
            if len(self.known) > REMEMBERED:
                self.known.popitem(last=False)
        self.known.move_to_end(text)
        return self.known[text]


@runtime_checkable
class Tagger(Protocol):
    """Says what is on pictures, as the DAPE module does that HeadsUp uses (Section 4.1)."""

    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> list[str]:
        """A text for each image, RGB in [0, 1]."""


class TaggedPrompts(IndexPrompts):
    """Texts that a tagger finds in the inputs, as in the paper.

    Args:
        tagger: Any callable from images to texts; none is included.
        otherwise: Text of photographs in which it finds nothing.
        negative_text: Negative prompt.
    """

    def __init__(self, tagger: Tagger, otherwise: str = "", negative_text: str = NEGATIVE) -> None:
        super().__init__(otherwise, negative_text)
        self.tagger = tagger

    def __call__(self, lq: Float[Tensor, "b 3 h w"], texts: Sequence[str]) -> Float[Tensor, "b n d"]:
        """Embeddings of what the tagger says; the index's texts are not used."""
        return super().__call__(lq, self.tagger(lq))
