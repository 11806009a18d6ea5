"""Restoring one picture of any size: what `headsup restore` does, as Python.

restorer = PhotoRestorer.load()
photograph = load_picture("grandmother.jpg")
restored = restorer(photograph, RestoreOptions(scale=4))
save_picture(restored.picture, Path("grandmother-restored.png"))
"""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from faceops.geometry.alignment import alignment_matrix
from faceops.geometry.boxes import rescaled_boxes, rescaled_points
from faceops.images.files import Picture, greyed
from faceops.images.finite_values import check_finite_values
from faceops.images.memory_budget import SHARE, machine_memory
from faceops.images.opacity import without_hidden_colours
from headsup.model.autoencoder import latent_factor
from headsup.model.one_step import OneStepRestorer
from headsup.model.prompts import ConstantPrompt, Prompts, TaggedPrompts, Tagger
from headsup.model.reference_attention import References, mask_of
from headsup.model.reference_layout import ReferenceLayout
from headsup.restoring.back_projection import USUAL_SHARE, back_projected
from headsup.restoring.colour import correct_colour
from headsup.restoring.options import GRID, RestoreOptions
from headsup.restoring.references.reference_reach import at_latent_size, denoise_within, lay_out_reach
from headsup.restoring.stages import measured
from headsup.tiling.folded_upsampling import fold_upsampling
from headsup.tiling.latent_tiles import denoise_tiled
from headsup.tiling.memory import GB, fit_latent_tiles, weight_bytes
from headsup.tiling.tiled_autoencoder import decode, encode
from headsup.tiling.tiled_guidance import decode_guided
from headsup.weights.files import load_restorer
from headsup.weights.merging import merge_adapters
from headsup.weights.shipped import DEFAULT_WEIGHTS
from portraitdata.images.resampling import bicubic
from portraitdata.restoration.face_masks import at_latent_resolution, box_masks

LEAST_SIDE = 64
"""Pixels that a side has at least when it is restored; smaller results are cut out of it."""


@dataclass(frozen=True, eq=False)
class ReferenceFaces:
    """Faces of a picture that have references, one row each, in pixels of the picture."""

    boxes: Float[Tensor, "n 4"]
    """Left, top, right, bottom."""
    landmarks: Float[Tensor, "n 5 2"]
    references: Float[Tensor, "m 3 s s"]
    """The same people's faces in other photographs, aligned to FFHQ."""
    person: Int[Tensor, " m"] | None = None
    """Face that each reference is for; None if there is one for each, in their order."""

    def rescaled(self, across: float, down: float) -> "ReferenceFaces":
        """The same in a picture whose width is `across` times and whose height is `down` times as large."""
        boxes, landmarks = rescaled_boxes(self.boxes, across, down), rescaled_points(self.landmarks, across, down)
        return replace(self, boxes=boxes, landmarks=landmarks)

    def __len__(self) -> int:
        return len(self.boxes)


class Condition(NamedTuple):
    """Condition of the denoiser beside the input's latent, as maps of the same size."""

    found: Float[Tensor, "1 f lh lw"]
    """Maps of the references, see `headsup.model.one_step.OneStepRestorer.find`."""
    mask: Float[Tensor, "1 1 lh lw"]
    """Where the faces are that have a reference."""
    reach: Float[Tensor, "1 1 lh lw"]
    """Strength of the references at each place, 0 to 1."""


class Guiding(NamedTuple):
    """What a reference gives to a restoration."""

    condition: Condition
    """For the denoiser."""
    placed: Float[Tensor, "1 4 h w"] | None
    """For the guiding branch, see `headsup.model.one_step.OneStepRestorer.place`."""


@dataclass(frozen=True, eq=False)
class Restored:
    """A restored picture."""

    picture: Picture
    """With transparency, bit depth, colour profile and metadata of the input."""
    enlarged: Float[Tensor, "3 h w"]
    """The input, enlarged by a bicubic to the same size."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Time of each part."""
    faithful: Float[Tensor, "3 h w"] | None = None
    """The faithful picture, see `headsup.model.guidance`; None of restorers that have none."""


class PhotoRestorer:
    """A restorer on a device, ready for pictures of any size.

    Args:
        layout: Where its references lie.
        prompts: The prompt; it must fit the restorer's base.
        device: Where to compute.
    """

    def __init__(
        self, restorer: OneStepRestorer, layout: ReferenceLayout, prompts: Prompts, device: torch.device
    ) -> None:
        # convolutions are a fifth faster with channels last, on CPUs with vector units and on tensor cores
        self.restorer = restorer.to(device).to(memory_format=torch.channels_last).eval().requires_grad_(False)
        if device.type == "cpu":  # elsewhere it was not measured
            for network in (self.restorer.vae, self.restorer.unet):
                fold_upsampling(network)
        self.layout: ReferenceLayout = layout
        self.prompts, self.device = prompts, device
        self.factor = latent_factor(restorer.vae)

    @property
    def base(self) -> str:
        """Where the base model comes from."""
        return self.restorer.source

    @classmethod
    def load(
        cls,
        weights: str | Path = DEFAULT_WEIGHTS,
        base: str | None = None,
        prompt: str = "",
        device: str | torch.device = "cpu",
        bfloat16: bool = False,
        tagger: Tagger | None = None,
    ) -> "PhotoRestorer":
        """Restorer from trained weights, with its adapters merged into the weights they belong to.

        Args:
            weights: Name of shipped weights, or a .safetensors file of `headsup export`.
            base: Where the base model is, if not where the weights say; it is fetched only if it is named here.
            prompt: What is on the pictures, for bases that know texts.
            device: Where to compute.
            bfloat16: Compute in bfloat16, half the memory. The denoising step stays in float32.
            tagger: Says what is on each picture, before `prompt`.

        Raises:
            ValueError: If something does not fit.
            OSError: If something is missing.
        """
        restorer, settings = load_restorer(weights, base)
        merge_adapters(restorer)
        if bfloat16:
            restorer.to(torch.bfloat16)
        prompts = ConstantPrompt(prompt) if tagger is None else TaggedPrompts(tagger, added=prompt)
        prompts.prepare(settings.base, fetch=base is not None)
        return cls(restorer, settings.layout, prompts, torch.device(device))

    @torch.no_grad()
    def __call__(self, picture: Picture, options: RestoreOptions, references: ReferenceFaces | None = None) -> Restored:
        """Restore a picture.

        Args:
            picture: Picture of any size.
            options: How.
            references: Faces in it that have a reference.

        Raises:
            ValueError: If the memory is too small for anything, or a value of the picture or a reference is not finite.
        """
        check_finite_values("The picture", picture.pixels, picture.alpha)
        check_finite_values("A reference", None if references is None else references.references)
        picture = without_hidden_colours(picture)
        height, width = options.target(*picture.pixels.shape[-2:])
        enlarged = bicubic(picture.pixels.unsqueeze(0).to(self.device), height, width).clamp(0, 1)
        canvas = padded(enlarged, self.factor)
        seconds: dict[str, float] = {}
        stated = self._budget(options)
        budget = self._usual_budget() if stated is None else stated
        with measured(seconds, "encode"):
            z_l = encode(self.restorer.vae, canvas, budget)
            guiding = Guiding(self._no_condition(z_l), None)
            if references is not None and len(references) and options.reference_strength > 0:
                _, *sides = picture.pixels.shape
                placed = references.rescaled(width / sides[1], height / sides[0])
                guiding = self._guiding(z_l, placed, canvas.shape[-2:], options, budget)
        with measured(seconds, "denoise"):
            z_h = self._denoise(z_l, guiding.condition, self.prompts(enlarged, [""]), options, stated)
        with measured(seconds, "decode"):
            image, faithful = (x[..., :height, :width] for x in self._decode(z_h, canvas, guiding.placed, budget))
            faithful = faithful.clamp(0, 1)
        image = correct_colour(image, faithful, options.colour).clamp(0, 1).lerp(faithful, options.fidelity)
        image = back_projected(image, enlarged, width / picture.pixels.shape[-1], self._share(options))[0].cpu()
        alpha = None if picture.alpha is None else bicubic(picture.alpha, height, width).clamp(0, 1)
        own = None if self.restorer.guidance is None else faithful[0].cpu()
        if picture.grey:  # networks of colours give grey a tint
            image, own = greyed(image), None if own is None else greyed(own)
        result = replace(picture, pixels=image, alpha=alpha)
        return Restored(result, enlarged[0].cpu(), seconds, own)

    def _share(self, options: RestoreOptions) -> float:
        """How much of the input is given back."""
        usual = 0.0 if self.restorer.guidance is None else USUAL_SHARE
        return usual if options.give_back is None else options.give_back

    def _decode(
        self,
        z_h: Float[Tensor, "1 c lh lw"],
        canvas: Float[Tensor, "1 3 h w"],
        placed: Float[Tensor, "1 4 h w"] | None,
        budget: float | None,
    ) -> tuple[Float[Tensor, "1 3 h w"], Float[Tensor, "1 3 h w"]]:
        """Restored picture, and the faithful one: the branch's, or the enlarged input itself."""
        if self.restorer.guidance is None:
            return decode(self.restorer.vae, z_h, budget), canvas
        return decode_guided(self.restorer.vae, self.restorer.guidance, z_h, canvas, budget, placed)

    def _budget(self, options: RestoreOptions) -> float | None:
        """Bytes that are left beside the weights."""
        if options.memory is None:
            return None
        weights = weight_bytes(self.restorer)
        if options.memory * GB <= weights:
            raise ValueError(
                f"The weights alone take {weights / GB:.2f} GB, so {options.memory} GB of memory are too few."
            )
        return options.memory * GB - weights

    def _usual_budget(self) -> float | None:
        """Bytes for encoder and decoder, whose pieces change nothing, where none are stated; None for no limit.

        On the CPU it is the share of a picture of what the machine has beside the weights: the full resolution of a
        large picture in one piece takes more than most machines have. Other devices say themselves what they lack.
        """
        memory = machine_memory()
        if self.device.type != "cpu" or memory is None:
            return None
        return SHARE * max(memory - weight_bytes(self.restorer), 0)

    def _guiding(
        self,
        z_l: Float[Tensor, "1 c lh lw"],
        faces: ReferenceFaces,
        size: torch.Size,
        options: RestoreOptions,
        budget: float | None,
    ) -> Guiding:
        """What references give."""
        height, width = size
        where = torch.zeros(len(faces), dtype=torch.long)
        side = faces.references.shape[-1]
        matrix = alignment_matrix(faces.landmarks.cpu(), side)  # in float64, which some devices have not
        there = torch.ones(len(faces), dtype=torch.bool, device=self.device)
        boxes = box_masks(faces.boxes.to(self.device), there, height, width)
        masks = at_latent_resolution(boxes, self.factor)
        person = torch.arange(len(faces)) if faces.person is None else faces.person
        references = References(
            faces.references.to(self.device), person.to(self.device), where.to(self.device), matrix, masks
        )
        encoder = partial(encode, self.restorer.vae, memory=budget)
        z_r = self.restorer.find(z_l, references, self.layout, encoder)
        mask = mask_of(references, z_l)
        reach = z_l.new_full((1, 1, height, width), options.reference_strength)
        if options.confine_references:
            reach = reach * lay_out_reach(matrix, side, where, (1, height, width)).to(reach)
        placed = self.restorer.place(references, (1, height, width))
        condition = Condition(z_r, mask, at_latent_size(reach, self.factor))
        return Guiding(condition, None if placed is None else placed * reach)

    def _no_condition(self, z_l: Float[Tensor, "1 c lh lw"]) -> Condition:
        """Condition of the denoiser where there is no reference."""
        nowhere = z_l.new_zeros(1, 1, *z_l.shape[2:])
        return Condition(z_l.new_zeros(1, self.restorer.found_channels, *z_l.shape[2:]), nowhere, nowhere)

    def _denoise(
        self, z_l: Tensor, condition: Condition, prompt: Tensor, options: RestoreOptions, budget: float | None
    ) -> Tensor:
        def denoise(z: Tensor, found: Tensor, mask: Tensor, reach: Tensor) -> Tensor:
            step = partial(self.restorer.denoise, prompt=prompt.expand(len(z), -1, -1))
            return denoise_within(step, z, found, mask, reach)

        tile, overlap, together = GRID // self.factor, options.overlap // self.factor, options.tiles_together
        if budget is not None:
            height, width = z_l.shape[2:]
            fitting, narrower, together = fit_latent_tiles(self.restorer.unet, height, width, budget, tile)
            tile, overlap = fitting, overlap if fitting == tile else min(overlap, narrower)
        return denoise_tiled(denoise, z_l, condition, tile, overlap, together)


def padded(images: Float[Tensor, "b c h w"], factor: int) -> Float[Tensor, "b c ph pw"]:
    """Repeat the last row and column until both sides are multiples of `factor` and at least `LEAST_SIDE`.

    Example:
        >>> padded(torch.rand(1, 3, 30, 65), 8).shape
        torch.Size([1, 3, 64, 72])
    """
    height, width = (max(-(-side // factor) * factor, LEAST_SIDE) for side in images.shape[2:])
    return F.pad(images, (0, width - images.shape[3], 0, height - images.shape[2]), mode="replicate")
