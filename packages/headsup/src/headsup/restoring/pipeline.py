"""HeadsUp as a diffusers pipeline: image and references in, image out, as `headsup restore` does it.

pipeline = HeadsUpPipeline.from_pretrained("merged")
image = pipeline(load_image("grandmother.jpg"), [load_image("anna.jpg")]).images[0]
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast, get_args

from diffusers import AutoencoderKL, DDPMScheduler, DiffusionPipeline, UNet2DConditionModel
from diffusers.utils import BaseOutput
from PIL import Image

from faceops.images.files import decode_picture
from headsup.model.backbone import Backbone
from headsup.model.merged_restorer import MergedRestorer
from headsup.model.prompt_embeddings import PromptEmbeddings
from headsup.model.prompts import ConstantPrompt
from headsup.model.reference_layout import ReferenceLayout
from headsup.model.schedule import NoiseSchedule
from headsup.restoring.options import DEFAULT_OPTIONS, RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.restoring.photographs import NAME, restore_photograph
from headsup.restoring.pillow_images import as_image, encoded


@dataclass
class RestoredImages(BaseOutput):
    """Output of the pipeline."""

    images: list[Image.Image]
    """The restored image, in sRGB; with transparency if the input has it."""
    notes: list[str]
    """Sentences on the references, for a person."""


class HeadsUpPipeline(DiffusionPipeline):
    """Pipeline of a folder that `headsup merge` has written.

    Args:
        vae: Autoencoder with the encoder's adapters merged.
        unet: Denoiser of 2C + 1 channels: input, reference and mask.
        scheduler: Its noise schedule.
        prompts: Embeddings of the prompt.
        timestep: t of the single step.
        layout: Where a reference lies, see `headsup.model.reference_layout`.

    Raises:
        ValueError: If there is no such layout.
    """

    def __init__(
        self,
        vae: AutoencoderKL,
        unet: UNet2DConditionModel,
        scheduler: DDPMScheduler,
        prompts: PromptEmbeddings,
        timestep: int = 999,
        layout: str = "whole",
    ) -> None:
        super().__init__()
        if layout not in get_args(ReferenceLayout):
            raise ValueError(f"The layout must be {' or '.join(get_args(ReferenceLayout))}, got {layout!r}.")
        self.register_modules(vae=vae, unet=unet, scheduler=scheduler, prompts=prompts)
        self.register_to_config(timestep=timestep, layout=layout)

    def __call__(
        self,
        image: Image.Image,
        references: Sequence[Image.Image] = (),
        options: RestoreOptions = DEFAULT_OPTIONS,
        force: bool = False,
    ) -> RestoredImages:
        """Restore an image.

        Args:
            image: Image of any size.
            references: Photographs of the people in it. The networks that find and recognise faces are then fetched;
                where the latter cannot be, the faces get the references from left to right, in their order.
            options: Scale, fidelity, colour and so on.
            force: Use references that seem to show someone else, and continue where no face is detected.

        Raises:
            UnusedReferencesError: If the references fit none of its faces, and it is not forced.
            ValueError: If the result would be too large, the memory is too small, or an image is of floating-point
                numbers or of whole ones beyond 16 bits.
            MissingWeightsError: If there are references and the network that finds faces cannot be fetched.
        """
        picture = decode_picture(encoded(image), NAME)
        found = restore_photograph(self.restorer(), picture, [encoded(each) for each in references], options, force)
        return RestoredImages(images=[as_image(found.restored.picture)], notes=[*found.notes])

    def restorer(self) -> PhotoRestorer:
        """Restorer of the pipeline's parts, on its device; their weights are shared."""
        schedule = NoiseSchedule.from_config(self.scheduler.config)
        merged = Backbone(self.vae, self.unet, schedule, str(self.config.get("_name_or_path") or "the pipeline"))
        prompts = ConstantPrompt.embedded_as(self.prompts.positive, self.prompts.negative)
        layout = cast(ReferenceLayout, self.config.layout)
        return PhotoRestorer(MergedRestorer(merged, self.config.timestep), layout, prompts, self.device)
