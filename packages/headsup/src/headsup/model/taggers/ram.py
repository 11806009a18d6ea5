"""Taggers that are callables from images to texts: RAM, and DAPE, which is RAM adapted to degraded images."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from faceops.weights.cache import find_weights
from headsup.model.taggers.ram_checkpoint import merged, ram_from, read_dape, read_ram
from headsup.model.taggers.ram_network import RamNetwork, RamSettings
from headsup.model.taggers.tag_list import TagList, read_tag_list

RAM_WEIGHTS = "ram-swin-large"
DAPE_WEIGHTS = "dape"
"""Names in the table of `faceops.weights`."""


class NetworkTagger:
    """Tagger from a network of logits and a list of tags; it computes where the images are.

    Args:
        network: Logits of the tags.
        tags: Their names and thresholds.
    """

    def __init__(self, network: RamNetwork, tags: TagList) -> None:
        self.network, self.tags = network, tags

    @property
    def side(self) -> int:
        """Side in pixels of the square that images are squeezed into."""
        return self.network.settings.side

    @torch.no_grad()
    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> list[str]:
        """Tags of each image with commas between, as OSEDiff passes them on; RGB in [0, 1]."""
        # thresholds are for exact numbers, and tags those that `portraitdata tag` finds
        with torch.autocast(images.device.type, enabled=False):
            probabilities = self.network.to(images.device)(images.float()).sigmoid()
        return [", ".join(found) for found in self.tags.chosen(probabilities)]


class RamTagger(NetworkTagger):
    """RAM with Swin-L at 384 pixels, for sharp images.

    Args:
        weights: ``ram_swin_large_14m.pth``, or a name of `faceops.weights.table.WEIGHTS`.

    Raises:
        MissingWeightsError: If the weights are not there and cannot be fetched.
        ValueError: If the file holds others.
    """

    def __init__(self, weights: Path | str = RAM_WEIGHTS) -> None:
        super().__init__(ram_from(read_ram(find_weights(weights)), RamSettings()), read_tag_list())


class DapeTagger(NetworkTagger):
    """RAM with the adapters that SeeSR trained for degraded images; HeadsUp's and OSEDiff's tagger.

    Args:
        weights: ``ram_swin_large_14m.pth``, or a name of `faceops.weights.table.WEIGHTS`.
        adapters: ``DAPE.pth``, or such a name.

    Raises:
        MissingWeightsError: If weights are not there and cannot be fetched.
        ValueError: If a file holds others.
    """

    def __init__(self, weights: Path | str = RAM_WEIGHTS, adapters: Path | str = DAPE_WEIGHTS) -> None:
        # the adapters first: whoever lacks them need not wait for the large file
        dape = read_dape(find_weights(adapters))
        ram = read_ram(find_weights(weights))
        super().__init__(ram_from(merged(ram, dape), RamSettings()), read_tag_list())
