"""Identity: embeddings of aligned faces, and how alike two are (HeadsUp, Eq. 4)."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from faceops.geometry.alignment import Estimator, align
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import Template
from faceops.recognition.identity_networks.arcface_gray import CONVENTION as GREY
from faceops.recognition.identity_networks.arcface_gray import arcface_gray_from
from faceops.recognition.identity_networks.checkpoint import read_checkpoint
from faceops.recognition.identity_networks.edgeface import VARIANTS, edgeface_from
from faceops.recognition.identity_networks.encoder import FaceEncoder, InputConvention
from faceops.recognition.identity_networks.insightface_onnx import OnnxRecogniser
from faceops.recognition.identity_networks.ir import IR, ir_from, ir_name
from faceops.recognition.identity_networks.kprpe import kprpe_from
from faceops.recognition.identity_networks.mobilefacenet import CONVENTION as IMAGENET
from faceops.recognition.identity_networks.mobilefacenet import mobilefacenet_from
from faceops.weights.cache import find_entry, find_weights, is_right

DEFAULT_NETWORK = "mobilefacenet"
"""Small, free to use, and fetched by name."""

THRESHOLDS = {"mobilefacenet": 0.337, "edgeface-xxs": 0.284, "edgeface-xs": 0.263}
"""Cosine similarity that one in a thousand pairs of different people reaches, by the name of the encoder.

Measured on all 7 million pairs of 3,729 photographs of 570 people in Labeled Faces in the Wild; of the pairs of one
person 98.0 %, 99.0 % and 99.3 % reach it. ``python -m benchmarks face_verification`` repeats it.
"""


@runtime_checkable
class IdentityNetwork(Protocol):
    """Interface of recognition networks for losses and metrics; `FaceEncoder` has it, any nn.Module may."""

    @property
    def input_template(self) -> Template:
        """Landmarks of the faces it takes."""

    @property
    def input_size(self) -> int:
        """Side of the faces it takes, in pixels."""

    def __call__(self, aligned: Tensor) -> Tensor:
        """Unit vectors (n, d) of aligned faces (n, 3, s, s), RGB in [0, 1]."""


def similarity(a: Float[Tensor, "*n d"], b: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
    """Cosine of the angle between embeddings: phi of HeadsUp, Eq. 4; in [-1, 1].

    An embedding of zeros stands for a face that is absent and is alike to nothing: phi(x, 0) = 0.

    Example:
        >>> similarity(torch.tensor([[0.0, 4.0], [1.0, 0.0]]), torch.tensor([[0.0, -3.0], [0.0, 0.0]])).tolist()
        [-1.0, 0.0]
    """
    return (F.normalize(a, dim=-1) * F.normalize(b, dim=-1)).sum(dim=-1).clamp(-1, 1)


def reference_similarity(
    a: Float[Tensor, "n d"], reference: Float[Tensor, "n d"] | None, present: Bool[Tensor, " n"] | None = None
) -> Float[Tensor, " n"]:
    """Cosine of `similarity`, with the no-reference case of HeadsUp, Section 2.3: phi(x, 0) = 0.

    Args:
        reference: Embeddings of the references; None if there is none at all.
        present: Which references are there; what stands in the rows of the others does not matter. None means all.

    Example:
        >>> a = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
        >>> reference_similarity(a, a, torch.tensor([True, False])).tolist(), reference_similarity(a, None).tolist()
        ([1.0, 0.0], [0.0, 0.0])
    """
    if reference is None:
        return a.new_zeros(len(a))
    if present is not None:
        # before the product, so that nothing of an absent row, not even a NaN, comes into the gradient
        reference = torch.where(present.unsqueeze(1), reference, 0.0)
    return similarity(a, reference)


def embed(
    network: IdentityNetwork, images: Float[Tensor, "b 3 h w"], faces: Faces, estimator: Estimator = "least_squares"
) -> Float[Tensor, "n d"]:
    """Embeddings of the faces in a batch of images, each aligned as the network wants it.

    Args:
        network: Recognition network.
        images: RGB in [0, 1].
        faces: Whose embeddings.
        estimator: See `align`.
    """
    return network(align(images, faces, network.input_size, network.input_template, estimator).crops)


def build_identity(
    name_or_path: str | Path = DEFAULT_NETWORK, channels: Literal["rgb", "bgr"] | None = None
) -> FaceEncoder:
    """Recognition network with published weights, frozen: gradients reach the pixels and stop there.

    The architecture is told by the names of the weights: IR-18 to IR-101 and the KP-RPE
    transformer of AdaFace and CVLFace, MobileFaceNet, EdgeFace, GFPGAN's grey ArcFace; or an ONNX file of insightface.

    It has a threshold if one was measured with this very file; other weights of the same architecture have another.

    Args:
        name_or_path: Name of a `WEIGHTS` entry, or a file: .safetensors, .pt, .pth, .ckpt or .onnx.
        channels: Order in which an IR network was trained to see the channels, which its weights do not say. None means
            RGB, as CVLFace's on WebFace; AdaFace's original checkpoints and those on MS1MV2 want BGR.

    Raises:
        MissingWeightsError: If there are no such weights.
        ValueError: If the file holds none that are known.
    """
    path = find_weights(name_or_path)
    if path.suffix == ".onnx":
        encoder = FaceEncoder(OnnxRecogniser(path), InputConvention(channels=channels or "rgb"), path.stem)
    else:
        encoder = encoder_from(read_checkpoint(path), str(path), channels)
    if encoder.name in THRESHOLDS and is_right(find_entry(encoder.name), path):
        encoder.threshold = THRESHOLDS[encoder.name]
    return encoder.requires_grad_(False)


def encoder_from(
    tensors: Mapping[str, Tensor], source: str, channels: Literal["rgb", "bgr"] | None = None
) -> FaceEncoder:
    """Network that weights by published name belong to.

    Args:
        tensors: From `read_checkpoint`.
        source: What an error calls them.
        channels: See `build_identity`.

    Raises:
        ValueError: If they are of no known network, or do not fit it.
    """
    convention = InputConvention(channels=channels or "rgb")
    known: dict[str, Callable[[], FaceEncoder]] = {
        "input_layer.0.weight": lambda: _ir(tensors, convention),
        "keypoint_linear.weight": lambda: FaceEncoder(kprpe_from(tensors), convention, "kprpe-vit"),
        "gdconv.depthwise.weight": lambda: FaceEncoder(mobilefacenet_from(tensors), IMAGENET, "mobilefacenet"),
        "stages.0.blocks.0.conv_dw.weight": lambda: _edgeface(tensors),
        "fc5.weight": lambda: FaceEncoder(arcface_gray_from(tensors), GREY, "arcface-grey18"),
    }
    for key, build in known.items():
        if key in tensors:
            return build()
    first = ", ".join(sorted(tensors)[:3]) or "nothing"
    raise ValueError(
        f"{source} is of no recognition network that is known (IR-18 to IR-101 and the KP-RPE transformer "
        f"of AdaFace and CVLFace, MobileFaceNet, EdgeFace, GFPGAN's grey ArcFace); it begins with {first}."
    )


def _ir(tensors: Mapping[str, Tensor], convention: InputConvention) -> FaceEncoder:
    network: IR = ir_from(tensors)
    return FaceEncoder(network, convention, ir_name(network))


def _edgeface(tensors: Mapping[str, Tensor]) -> FaceEncoder:
    network: nn.Module = edgeface_from(tensors)
    channels = tensors["stages.0.blocks.0.gamma"].shape[0]
    return FaceEncoder(network, InputConvention(), VARIANTS.get(channels, "edgeface"))
