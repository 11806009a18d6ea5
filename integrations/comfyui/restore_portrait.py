"""Node: restore a portrait in one diffusion step, with photographs of the people in it."""

from functools import lru_cache
from typing import Any

from jaxtyping import Float
from torch import Tensor

from faceops.device import DeviceName
from headsup.restoring.files import RestorerSource
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.restoring.photographs import restore_photograph
from headsup.restoring.pillow_images import as_image, encoded
from headsup.restoring.references.reference_errors import UnusedReferencesError
from headsup.weights.shipped import DEFAULT_WEIGHTS, shipped_weights

from .images import batch_of, photograph_inputs, photographs_of, pictures_of
from .weight_files import offered, weight_file

FOLDER = "headsup"
"""Folder of ComfyUI's models for files of `headsup export`."""

AUTOMATIC_SCALE = "Magnification; 0 is four times, or less for large images"

ADVICE = "Disconnect the references, or set force if you know that they show the person."


class RestorePortrait:
    """Restores every image of a batch with the same references."""

    CATEGORY = "image/portrait"
    DESCRIPTION = "Restores and enlarges photographs of people; sharp photographs of the same people guide their faces."
    FUNCTION = "restore"
    RETURN_TYPES = ("IMAGE", "STRING")
    RETURN_NAMES = ("image", "notes")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:  # noqa: N802 - ComfyUI's name
        """Inputs in ComfyUI's form."""
        slider = {"min": 0.0, "max": 1.0, "step": 0.05}
        return {
            "required": {
                "image": ("IMAGE",),
                "weights": (offered(FOLDER, shipped_weights()), {"default": DEFAULT_WEIGHTS}),
                "scale": ("FLOAT", {"default": 0.0, "min": 0.0, "max": 16.0, "step": 0.25, "tooltip": AUTOMATIC_SCALE}),
                "fidelity": ("FLOAT", {"default": 0.0, **slider, "tooltip": "1: damage removed, nothing invented"}),
                "colour": (["wavelet", "adain", "none"],),
                "reference_strength": ("FLOAT", {"default": 1.0, **slider}),
                "confine_references": ("BOOLEAN", {"default": True, "tooltip": "keep their effect to the faces"}),
                "force": ("BOOLEAN", {"default": False, "tooltip": "use references that resemble nobody"}),
                "device": (["auto", "cpu", "cuda", "mps"],),
            },
            "optional": {
                **photograph_inputs("reference", "Sharp photographs of people in the image"),
                "base": ("STRING", {"default": "", "tooltip": "base model, if not where the weights say"}),
                "prompt": ("STRING", {"default": "", "multiline": True, "tooltip": "for bases with a text encoder"}),
            },
        }

    def restore(
        self,
        image: Float[Tensor, "b h w c"],
        weights: str,
        scale: float,
        fidelity: float,
        colour: Any,  # noqa: ANN401 - one of the words above; ComfyUI has checked it
        reference_strength: float,
        confine_references: bool,
        force: bool,
        device: DeviceName,
        base: str = "",
        prompt: str = "",
        **references: Float[Tensor, "b h w c"] | None,
    ) -> tuple[Float[Tensor, "b sh sw c"], str]:
        """Restore a batch; the second output says what is to be checked.

        Raises:
            ValueError: If the references fit no face and it is not forced, or something else does not fit.
            OSError: If weights are missing and cannot be fetched.
        """
        restorer = loaded(weight_file(FOLDER, weights, shipped_weights()), base or None, prompt, device)
        options = RestoreOptions(
            scale=scale or None,
            fidelity=fidelity,
            colour=colour,
            confine_references=confine_references,
            reference_strength=reference_strength,
        )
        files = [encoded(as_image(photograph)) for photograph in photographs_of(list(references.values()))]
        results, notes = [], dict[str, None]()
        for picture in pictures_of(image):
            try:
                found = restore_photograph(restorer, picture, files, options, force)
            except UnusedReferencesError as error:
                raise ValueError(f"{error} {ADVICE}") from error
            results.append(found.restored.picture)
            notes |= dict.fromkeys(found.notes)
        return batch_of(results), "\n".join(notes)


@lru_cache(maxsize=1)
def loaded(weights: str, base: str | None, prompt: str, device: DeviceName) -> PhotoRestorer:
    """The restorer, kept until another is asked for."""
    return RestorerSource(weights, base, prompt, device).load()
