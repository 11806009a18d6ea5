"""The two embedded prompts of a restorer as a part of a diffusers pipeline."""

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from torch import Tensor, nn


class PromptEmbeddings(ModelMixin, ConfigMixin):
    """Embeddings that stand for a text encoder: of the prompt, and of the negative prompt.

    Args:
        tokens: Tokens of a prompt.
        channels: Channels of a token's embedding.
    """

    @register_to_config
    def __init__(self, tokens: int, channels: int) -> None:
        super().__init__()
        self.positive = nn.Parameter(torch.zeros(tokens, channels), requires_grad=False)
        self.negative = nn.Parameter(torch.zeros(tokens, channels), requires_grad=False)

    @classmethod
    def of(cls, positive: Float[Tensor, "n d"], negative: Float[Tensor, "n d"]) -> "PromptEmbeddings":
        """The two embeddings."""
        embeddings = cls(*positive.shape)
        embeddings.positive.data, embeddings.negative.data = positive.contiguous(), negative.contiguous()
        return embeddings
