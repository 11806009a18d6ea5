"""Mean scores of a validation, over batches and processes; needs torchmetrics."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchmetrics.aggregation import MeanMetric


class MeanScores(nn.Module):
    """Means of scores by name; what is added is one number for every image, or for every face.

    Nothing of it is in a state dict.
    """

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__()
        # by default values that are no number would be left out: the mean of a network that fails would look good
        self.means = nn.ModuleDict({name: MeanMetric(nan_strategy="disable") for name in names})
        self.reset()

    def add(self, name: str, values: Float[Tensor, " n"]) -> None:
        """Add values to a mean."""
        self.means[name].update(values)  # type: ignore[operator]

    def compute(self) -> dict[str, Tensor]:
        """Means over everything added since the last `reset`, over all processes.

        NaN where nothing was added, or a NaN among the values.
        """
        return {name: mean.compute() for name, mean in self.means.items()}  # type: ignore[operator]

    def reset(self) -> None:
        """Forget everything added."""
        for mean in self.means.values():
            mean.reset()  # type: ignore[operator]
            mean.update(torch.zeros(0))  # type: ignore[operator] # or the mean of nothing would warn
