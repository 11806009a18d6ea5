"""Decoder of Query2Label (Liu et al., 2021), as RAM uses it: labels ask the image whether they are in it."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

EPSILON = 1e-12
"""Of the layer normalisations; BERT's."""


class QueryLayer(nn.Module):
    """Layer of BERT without self-attention: cross-attention to the image, then a perceptron; each normalised after.

    Args:
        width: Channels of the queries.
        image_width: Channels of the image's features.
        heads: Heads of the attention.
        hidden: Channels inside the perceptron.
    """

    def __init__(self, width: int, image_width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, kdim=image_width, vdim=image_width, batch_first=True)
        self.attention_norm = nn.LayerNorm(width, EPSILON)
        self.enlarge = nn.Linear(width, hidden)
        self.reduce = nn.Linear(hidden, width)
        self.perceptron_norm = nn.LayerNorm(width, EPSILON)

    def forward(self, queries: Float[Tensor, "b t c"], image: Float[Tensor, "b n d"]) -> Float[Tensor, "b t c"]:
        """Queries that have looked at the image."""
        attended, _ = self.attention(queries, image, image, need_weights=False)
        queries = self.attention_norm(queries + attended)
        return self.perceptron_norm(queries + self.reduce(F.gelu(self.enlarge(queries))))


class QueryDecoder(nn.Module):
    """Logit of each label.

    Args:
        labels: Number of labels.
        label_width: Channels of their embeddings, and of the image's features.
        width: Channels of the queries.
        heads: Heads of the attention.
        hidden: Channels inside the perceptrons.
        depth: Layers.
    """

    def __init__(self, labels: int, label_width: int, width: int, heads: int, hidden: int, depth: int) -> None:
        super().__init__()
        self.labels = nn.Embedding(labels, label_width)
        self.project = nn.Linear(label_width, width)
        self.layers = nn.ModuleList(QueryLayer(width, label_width, heads, hidden) for _ in range(depth))
        self.score = nn.Linear(width, 1)

    def forward(self, image: Float[Tensor, "b n d"]) -> Float[Tensor, "b t"]:
        """Logits of the labels for features of images."""
        queries = F.relu(self.project(self.labels.weight)).expand(len(image), -1, -1)
        for layer in self.layers:
            queries = layer(queries, image)
        return self.score(queries).squeeze(-1)
