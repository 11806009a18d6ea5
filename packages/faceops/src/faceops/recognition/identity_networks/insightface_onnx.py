"""Recognition networks in insightface's ONNX files, through onnxruntime (extra ``insightface``): no gradients."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn


class OnnxRecogniser(nn.Module):
    """An ONNX file that makes features of faces in [-1, 1]; computed on the CPU.

    The weights that insightface publishes are for non-commercial research only.

    Args:
        path: File with one input (n, 3, 112, 112).

    Raises:
        ModuleNotFoundError: If onnxruntime is not installed.
        ValueError: If the file is no such network.
    """

    def __init__(self, path: Path | str) -> None:
        super().__init__()
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "ONNX recognition networks need onnxruntime: pip install onnxruntime, or give weights in safetensors."
            ) from error
        try:
            self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises types of its own for each kind of damage
            raise ValueError(f"{path} is no ONNX network that onnxruntime can read.") from error
        inputs = self.session.get_inputs()
        if len(inputs) != 1 or list(inputs[0].shape[1:]) != [3, 112, 112]:
            shapes = [entry.shape for entry in inputs]
            raise ValueError(f"{path} is no face recogniser: one input (n, 3, 112, 112) was wanted, it has {shapes}.")
        self.input_name = inputs[0].name

    def forward(self, x: Float[Tensor, "n 3 112 112"]) -> Float[Tensor, "n d"]:
        """Features of faces in [-1, 1]; ValueError if gradients are wanted, which ONNX cannot give."""
        if x.requires_grad and torch.is_grad_enabled():
            raise ValueError(
                "An ONNX network gives no gradients: take weights in safetensors for a loss, or no_grad for a score."
            )
        # one by one, because some of the published files fix the batch at one
        rows = [self.session.run(None, {self.input_name: face[None]})[0] for face in x.detach().float().cpu().numpy()]
        return torch.from_numpy(np.concatenate(rows)).to(x.device) if rows else x.new_zeros(0, 512)
