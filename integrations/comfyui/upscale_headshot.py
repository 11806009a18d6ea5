"""Node: upscale a headshot with any number of photographs of the same person."""

from functools import lru_cache
from typing import Any

from jaxtyping import Float
from torch import Tensor

from faceops.device import DeviceName, select_device
from hime.network import HIME
from hime.upscaling.exemplars import Exemplar
from hime.upscaling.files import AlignMode, exemplar_detector
from hime.upscaling.headshots import upscale_headshot
from hime.weights.files import load_network
from hime.weights.model_card import read_header
from hime.weights.shipped import find_weights, shipped_name, shipped_weights

from .images import batch_of, photograph_inputs, photographs_of, pictures_of
from .weight_files import offered, weight_file

FOLDER = "hime"
"""Folder of ComfyUI's models for files of `hime export`."""


class UpscaleHeadshot:
    """Upscales every image of a batch with the same exemplars."""

    CATEGORY = "image/portrait"
    DESCRIPTION = "Enlarges small headshots; other photographs of the same person add the detail that is missing."
    FUNCTION = "upscale"
    RETURN_TYPES = ("IMAGE", "STRING")
    RETURN_NAMES = ("image", "notes")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:  # noqa: N802 - ComfyUI's name
        """Inputs in ComfyUI's form."""
        return {
            "required": {
                "image": ("IMAGE",),
                "weights": (offered(FOLDER, shipped_weights()), {"default": shipped_name(4)}),
                "align": (
                    ["faces", "middle"],
                    {"tooltip": "Where the face of the exemplar goes: to that of the image, or its middle"},
                ),
                "device": (["auto", "cpu", "cuda", "mps"],),
            },
            "optional": photograph_inputs("exemplar", "Photographs of the same person"),
        }

    def upscale(
        self,
        image: Float[Tensor, "b h w c"],
        weights: str,
        align: AlignMode,
        device: DeviceName,
        **exemplars: Float[Tensor, "b h w c"] | None,
    ) -> tuple[Float[Tensor, "b sh sw c"], str]:
        """Upscale a batch; the second output says what is to be checked.

        Raises:
            ValueError: If an image is too small or too large.
            OSError: If weights are missing and cannot be fetched.
        """
        file = weight_file(FOLDER, weights, shipped_weights())
        network, trained = loaded(file, device), read_header(find_weights(file)).card.lr_size
        photographs = photographs_of(list(exemplars.values()))
        detector = exemplar_detector(align) if photographs else None
        known = [Exemplar.seen_by(detector, photograph.pixels) for photograph in photographs]
        made = [upscale_headshot(network, low, known, trained, detector) for low in pictures_of(image)]
        notes = dict.fromkeys(note for each in made for note in each.notes)
        return batch_of([each.picture for each in made]), "\n".join(notes)


@lru_cache(maxsize=1)
def loaded(weights: str, device: DeviceName) -> HIME:
    """The network, kept until another is asked for."""
    return load_network(weights, select_device(device))
