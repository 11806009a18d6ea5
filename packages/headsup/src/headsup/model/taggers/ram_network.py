"""Recognize Anything (RAM; Zhang et al., 2023): a Swin transformer whose features a query decoder asks for tags."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models import SwinTransformer

from headsup.model.taggers.query_decoder import QueryDecoder

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class RamSettings:
    """Sizes of a RAM; the defaults are those of ``ram_swin_large_14m.pth``."""

    tags: int = 4585
    side: int = 384
    """Of the square image, in pixels."""
    channels: int = 192
    """Of the first stage of the Swin transformer; each further stage has twice as many."""
    depths: tuple[int, ...] = (2, 2, 18, 2)
    heads: tuple[int, ...] = (6, 12, 24, 48)
    window: int = 12
    label_width: int = 512
    width: int = 768
    """Channels of the decoder's queries."""
    decoder_heads: int = 4
    decoder_hidden: int = 3072
    decoder_depth: int = 2


class RamNetwork(nn.Module):
    """Logits of tags for images; of its training only what tagging needs, without the encoder and decoder of captions.

    Args:
        settings: Sizes.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, settings: RamSettings) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = SwinTransformer(
            [4, 4],
            settings.channels,
            list(settings.depths),
            list(settings.heads),
            [settings.window] * 2,
            stochastic_depth_prob=0.0,
            num_classes=1,
        )
        self.encoder.head = nn.Identity()
        self.project = nn.Linear(settings.channels << len(settings.depths) - 1, settings.label_width)
        self.decoder = QueryDecoder(
            settings.tags,
            settings.label_width,
            settings.width,
            settings.decoder_heads,
            settings.decoder_hidden,
            settings.decoder_depth,
        )
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(IMAGENET_DEVIATION).view(3, 1, 1), persistent=False)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b t"]:
        """Logits of the tags.

        Args:
            images: RGB in [0, 1]; squeezed into the square that the network knows, as RAM does.
        """
        side = self.settings.side
        if images.shape[2:] != (side, side):
            images = F.interpolate(images, size=(side, side), mode="bilinear", antialias=True)
        seen = (images - self.mean) / self.deviation
        places = self.encoder.norm(self.encoder.features(seen.to(self.project.weight.dtype))).flatten(1, 2)
        # the mean over all places stands before them, as a token of the whole image
        return self.decoder(self.project(torch.cat([places.mean(dim=1, keepdim=True), places], dim=1)))
