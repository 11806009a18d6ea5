"""The tags of RAM and the probability from which each is believed."""

import json
from dataclasses import dataclass
from importlib import resources

import torch
from jaxtyping import Float
from torch import Tensor

TAGS_FILE = "ram_tags.json"
"""Tags of Recognize Anything with their thresholds; Apache-2.0, as the file itself says."""


@dataclass(frozen=True, eq=False)
class TagList:
    """Tags in the order of a network's outputs."""

    names: tuple[str, ...]
    thresholds: Float[Tensor, " t"]
    """Probability that a tag must exceed."""

    def __post_init__(self) -> None:
        if len(self.names) != len(self.thresholds):
            raise ValueError(
                f"Each tag has one threshold; got {len(self.names)} tags, {len(self.thresholds)} thresholds."
            )

    def chosen(self, probabilities: Float[Tensor, "b t"]) -> list[list[str]]:
        """Names of the tags whose probability exceeds their threshold, image by image.

        Example:
            >>> tags = TagList(("dog", "man"), torch.tensor([0.5, 0.8]))
            >>> tags.chosen(torch.tensor([[0.6, 0.8], [0.1, 0.9]]))
            [['dog'], ['man']]
        """
        above = probabilities.float().cpu() > self.thresholds
        return [[self.names[tag] for tag in row.nonzero().flatten().tolist()] for row in above]


def read_tag_list() -> TagList:
    """The 4585 tags of RAM."""
    stored = json.loads(resources.files("headsup.model.taggers").joinpath(TAGS_FILE).read_text(encoding="utf-8"))
    thresholds: dict[str, float] = stored["thresholds"]
    return TagList(tuple(thresholds), torch.tensor(list(thresholds.values())))
