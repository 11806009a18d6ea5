"""Networks of files that spandrel knows: Real-ESRGAN, SwinIR, GFPGAN, CodeFormer and many more.

Files are read by `portraitdata.networks.safe_loading`, which executes nothing; spandrel tells the architecture by the
names and shapes of the tensors.
"""

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from headsup.restoring.public_restorers.public_files import check_spandrel
from headsup.restoring.public_restorers.public_restorer import Maker, PublicRestorer
from portraitdata.networks.safe_loading import UNREADABLE, load_safely

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor

FACE_SIDE = 512
"""Side in pixels of the aligned faces that GFPGAN, RestoreFormer and CodeFormer were trained on."""

SYMMETRIC = ("GFPGAN", "CodeFormer")
"""Face networks whose authors give them RGB in [-1, 1]; spandrel passes [0, 1] on as it is, which looks washed out."""

RESTRICTED = "spandrel_extra_arches"
"""Package of spandrel with the architectures whose licences are restrictive."""


class SpandrelNetwork(nn.Module):
    """A network of spandrel's as a module, RGB in [0, 1] in and out."""

    def __init__(self, descriptor: "ImageModelDescriptor") -> None:
        super().__init__()
        self.model = descriptor.model
        self._descriptor = descriptor

    def forward(self, image: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "1 3 sh sw"]:
        """Restore; sides that the network does not take are filled up and cut off again."""
        return self._descriptor(image)


class SymmetricFaceNetwork(nn.Module):
    """A face network that knows RGB in [-1, 1], RGB in [0, 1] in and out."""

    def __init__(self, descriptor: "ImageModelDescriptor") -> None:
        super().__init__()
        self.model = descriptor.model
        self._is_noisy = descriptor.architecture.id == "GFPGAN"

    def forward(self, image: Float[Tensor, "1 3 512 512"]) -> Float[Tensor, "1 3 512 512"]:
        """Restore an aligned face."""
        symmetric = image * 2 - 1
        # the noise of the file instead of another one each time: the same face gives the same result
        made = self.model(symmetric, randomize_noise=False) if self._is_noisy else self.model(symmetric)
        return (made[0] + 1) / 2


def load_spandrel(path: Path, device: torch.device) -> PublicRestorer:
    """Restorer of a file that spandrel knows.

    Raises:
        MissingPackageError: If spandrel is not installed.
        ValueError: If the file cannot be read safely, or holds no restorer of colour pictures that spandrel knows.
    """
    check_spandrel()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of spandrel's networks, about what torch will change
        descriptor = described(load_safely(path), path)
    name = str(descriptor.architecture.id)
    is_face = descriptor.purpose == "FaceSR"
    network = SymmetricFaceNetwork(descriptor) if name in SYMMETRIC else SpandrelNetwork(descriptor)
    maker = Maker(name, descriptor.scale, FACE_SIDE if is_face else None, licence_note(name, path))
    return PublicRestorer(network, maker, device)


def described(tensors: object, path: Path) -> "ImageModelDescriptor":
    """Network with the tensors of a file, and what spandrel knows of it.

    Raises:
        ValueError: If spandrel knows no network for them, or it is not one from colour picture to colour picture.
    """
    from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError, canonicalize_state_dict

    if find_spec(RESTRICTED) is not None:
        import spandrel_extra_arches

        spandrel_extra_arches.install(ignore_duplicates=True)
    try:
        found = ModelLoader().load_from_state_dict(canonicalize_state_dict(tensors))
    except (UnsupportedModelError, *UNREADABLE) as error:
        raise ValueError(
            f"{path} holds no restorer that spandrel knows, or a damaged one. CodeFormer and others with restrictive "
            "licences are known after pip install './packages/headsup[public-restricted]'."
        ) from error
    if not isinstance(found, ImageModelDescriptor) or (found.input_channels, found.output_channels) != (3, 3):
        raise ValueError(
            f"{path} is {found.architecture.id}, which does not make colour pictures of colour pictures alone; a "
            "restorer is wanted, such as Real-ESRGAN, SwinIR or GFPGAN."
        )
    return found


def licence_note(architecture: str, path: Path) -> str | None:
    """Sentence on the licence of an architecture; None where spandrel itself has it, under a permissive one."""
    if find_spec(RESTRICTED) is None:
        return None
    from spandrel_extra_arches import EXTRA_REGISTRY

    if architecture == "CodeFormer":
        return f"{path.name} is CodeFormer, whose S-Lab License 1.0 permits non-commercial use only."
    if architecture in EXTRA_REGISTRY:
        return f"{path.name} is {architecture}, whose licence is restrictive; read it before the results are used."
    return None
