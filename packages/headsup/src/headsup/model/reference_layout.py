"""Layout of reference faces on a picture of the input's size, so that their latent fits the input's."""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from faceops.geometry.pasting import feathered_mask
from faceops.geometry.similarity import invert
from faceops.geometry.warping import warp_affine
from headsup.model.reference_attention import References

ReferenceLayout = Literal["placed", "whole"]
"""``placed``: where the face is in the input. ``whole``: over the whole picture.

HeadsUp concatenates the latents of input and reference and says of the reference only that it is an aligned face; how
512 x 512 pixels become as many as the input's is left open. ``whole`` is the plainest reading. ``placed`` turns the
alignment round, so that an eye of the reference lies on the eye of the input: convolutions need not find it first, and
several people in one picture can have a reference each.
"""

FEATHER = 0.15
"""Share of a placed face's side over which it fades into the black around it: a hard edge is restored as an edge."""


def lay_out(
    references: Float[Tensor, "n c s s"],
    matrix: Float[Tensor, "n 2 3"],
    image_index: Int[Tensor, " n"],
    size: tuple[int, int, int],
    layout: ReferenceLayout,
) -> Float[Tensor, "b c h w"]:
    """Pictures with the reference faces on them, fading at their rims; black elsewhere.

    Args:
        references: Aligned faces, of any channels.
        matrix: From the input to the aligned face, see `faceops.geometry.alignment.alignment_matrix`;
            of no matter for ``whole``.
        image_index: Which input each is for. Later ones lie over earlier ones.
        size: Number of inputs, their height and width in pixels.

    Raises:
        ValueError: If the layout is not known.
    """
    if layout not in get_args(ReferenceLayout):
        raise ValueError(f"The layout of references is {' or '.join(get_args(ReferenceLayout))}, got {layout!r}.")
    count, height, width = size
    pictures = references.new_zeros(count, references.shape[1], height, width)
    if len(references) == 0:
        return pictures
    if layout == "whole":
        shown = F.interpolate(references, (height, width), mode="bilinear", antialias=True)
        cover = torch.ones_like(shown[:, :1])
    else:
        back, soft = invert(matrix), feathered_mask(references.shape[-1], 0.0, FEATHER).to(references)
        shown = warp_affine(references * soft, back, (height, width), antialias=True)
        cover = warp_affine(soft.expand(len(references), 1, -1, -1), back, (height, width), antialias=True)
    for picture, mask, image in zip(shown, cover, image_index.tolist(), strict=True):
        pictures[image] = picture + (1 - mask) * pictures[image]
    return pictures


def lay_out_first(
    references: References, size: tuple[int, int, int], layout: ReferenceLayout
) -> Float[Tensor, "b 3 h w"]:
    """Pictures with the first reference of every person on them, see `lay_out`.

    Args:
        size: Number of inputs, their height and width in pixels.
    """
    return _first_laid_out(references, references.faces, size, layout)


def lay_out_covered(references: References, size: tuple[int, int, int]) -> Float[Tensor, "b 4 h w"]:
    """The first reference of every person, placed on the pictures, and how much of it covers each pixel, 0 to 1.

    Args:
        size: Number of inputs, their height and width in pixels.
    """
    faces = torch.cat([references.faces, torch.ones_like(references.faces[:, :1])], dim=1)
    return _first_laid_out(references, faces, size, "placed")


def _first_laid_out(
    references: References, faces: Float[Tensor, "n c s s"], size: tuple[int, int, int], layout: ReferenceLayout
) -> Float[Tensor, "b c h w"]:
    first = references.first_of_each()
    person = references.person[first]
    where, matrix = references.image_index[person], references.matrix[person.to(references.matrix.device)]
    return lay_out(faces[first], matrix, where, size, layout)
