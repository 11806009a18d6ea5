"""Q-Align (Wu et al., 2023) through pyiqa, what HeadsUp filtered its images with."""

from importlib import import_module
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor


class QAlign:
    """Scores from 1 (bad) to 5 (excellent) of a vision-language model of eight thousand million parameters.

    pyiqa fetches the weights; in half precision they take about 15 GB of a GPU.

    Raises:
        ImportError: If pyiqa is not installed.
    """

    def __init__(self, task: Literal["quality", "aesthetic"] = "quality", device: str = "cuda") -> None:
        try:
            pyiqa = import_module("pyiqa")
        except ImportError as error:
            raise ImportError(
                "Q-Align comes with pyiqa, which is not installed; `pip install 'portraitdata[pyiqa]'` installs it, "
                "for non-commercial use. Any other class can be named as the judge of a scorer."
            ) from error
        self._metric = pyiqa.create_metric("qalign", device=torch.device(device))
        self._task, self._device = task, device

    def __call__(self, image: Float[Tensor, "1 3 h w"]) -> float:
        """Judge an image."""
        return float(self._metric(image.to(self._device), task_=self._task))
