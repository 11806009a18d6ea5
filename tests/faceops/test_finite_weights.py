"""Weights that are not finite are refused when they are read."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from faceops.recognition.identity_networks.checkpoint import read_checkpoint
from faceops.weights.reading import check_finite


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_checkpoint_is_refused_by_its_name(tmp_path: Path, value: float, suffix: str) -> None:
    path = tmp_path / f"face{suffix}"
    weight = torch.ones(3, 2, dtype=torch.float16)
    weight[1, 1] = value
    tensors = {"stem.weight": torch.ones(2), "stem.bias": weight, "tail": weight.clone()}
    (save_file if suffix == ".safetensors" else torch.save)(tensors, path)
    with pytest.raises(ValueError, match=rf"face{suffix} holds weights that are not finite, in stem.bias and 1 more"):
        read_checkpoint(path)


def test_finite_ones_pass() -> None:
    check_finite({"a": torch.tensor([3e38, -3e38]), "b": torch.tensor([1, 2]), "c": "no tensor"}, "x")
