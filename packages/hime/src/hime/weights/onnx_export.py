"""HIME as an ONNX graph, for runtimes without PyTorch."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from faceops.atomic_files import replacing
from hime.blocks.deformable import DeformableConv2d, deform_conv2d_by_sampling
from hime.network import HIME

OPSET = 20
"""First operator set whose GridSample takes the names PyTorch exports."""


class SampledDeformableConv2d(DeformableConv2d):
    """Deformable convolution for every number of images at once.

    The one for the CPU takes a few images at a time, and how often would be fixed in the graph.
    """

    def forward(
        self, x: Float[Tensor, "b c h w"], offset: Float[Tensor, "b yx h w"], mask: Float[Tensor, "b gk h w"]
    ) -> Float[Tensor, "b o h w"]:
        """Sample `x` at the displaced taps and convolve."""
        return deform_conv2d_by_sampling(x, offset, mask, self.weight, self.bias)


class OnnxHIME(nn.Module):
    """HIME with tensors out, as an exporter wants it."""

    def __init__(self, network: HIME) -> None:
        super().__init__()
        self.network = HIME(*network.arguments)
        self.network.load_state_dict(network.state_dict())
        for name, module in list(self.network.named_modules()):
            if isinstance(module, DeformableConv2d):
                outputs, inputs, kernel_size, _ = module.weight.shape
                sampled = SampledDeformableConv2d(inputs, outputs, kernel_size)
                sampled.load_state_dict(module.state_dict())
                self.network.set_submodule(name, sampled)

    def forward(self, lr: Tensor, references: Tensor | None = None) -> tuple[Tensor, ...]:
        """The image, and as far as there are any the similarities and weights."""
        result = self.network.explain(lr, references)
        return tuple(out for out in (result.image, result.similarity, result.weight) if out is not None)


def output_names(network: HIME, references: bool) -> list[str]:
    """Names of the graph's outputs."""
    if not references or network.arguments.alignment == "none":
        return ["image"]
    return ["image", "similarity", "weight"] if network.arguments.aggregation == "cofa" else ["image", "weight"]


def stable_operators() -> dict[Callable, Callable]:
    """Operators that the exporter would translate into something that is not a number where PyTorch's is.

    Raises:
        ValueError: If the packages of the extra ``onnx`` are missing.
    """
    try:
        from onnxscript import opset20
    except ImportError as error:
        raise ValueError("Exporting to ONNX needs two more packages: pip install onnx onnxscript.") from error

    def log_sigmoid(self: Any) -> Any:  # noqa: ANN401
        # Exported as the logarithm of a sigmoid it is -inf below -88, and CoFA's softmax not a number. PyTorch 2.7
        # takes this function only if its parameter is called as in the operator's schema.
        return opset20.Neg(opset20.Softplus(opset20.Neg(self)))

    return {torch.ops.aten.log_sigmoid.default: log_sigmoid}


def export_onnx(network: HIME, path: Path, lr_size: int, references: bool = True) -> None:
    """Write a network as one ONNX file of operator set 20.

    Inputs are ``lr`` (batch, 3, h, w) and ``references`` (batch, n, 3, s * h, s * w), RGB in [0, 1]. The batch and n,
    from one on, may change from run to run; h and w may not, because the bicubic matrices depend on them. The image is
    not clamped.

    Args:
        network: Network to export, on the CPU.
        path: File to write; an existing one is replaced.
        lr_size: Height and width of the input in pixels.
        references: Whether the graph takes references; without, it has only the input ``lr``.

    Raises:
        ValueError: If the size is smaller than one pixel, or the packages of the extra ``onnx`` are missing.
    """
    if lr_size < 1:
        raise ValueError(f"The input of the graph needs at least one pixel, got a side of {lr_size}.")
    operators = stable_operators()
    references = references and network.arguments.alignment != "none"
    batch = torch.export.Dim("batch", min=1)
    inputs = [torch.zeros(2, 3, lr_size, lr_size)]
    shapes: list[dict[int, Any]] = [{0: batch}]
    if references:
        # Lengths of the example other than one, which the exporter would take for constants.
        inputs.append(torch.zeros(2, 3, 3, lr_size * network.scale, lr_size * network.scale))
        shapes.append({0: batch, 1: torch.export.Dim("references", min=1)})
    exported = OnnxHIME(network).eval()
    with torch.no_grad():
        # Bicubic matrices are cached. First asked for while tracing they would be tensors without values, for everyone.
        exported(*inputs)
    with warnings.catch_warnings(), replacing(path) as temporary:
        # About names of axes and internals of the exporter, nothing a user could act on.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            exported,
            tuple(inputs),
            dynamo=True,
            opset_version=OPSET,
            input_names=["lr", "references"][: len(inputs)],
            output_names=output_names(network, references),
            dynamic_shapes=tuple(shapes),
            custom_translation_table=operators,
            verbose=False,
        )
        assert program is not None
        program.save(temporary, external_data=False)
