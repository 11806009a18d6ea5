"""Alignment: cut faces out of photographs and turn them upright, to a template (Omega of HeadsUp, Section 2.2)."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import ARCFACE_112, FFHQ_512, Template
from faceops.geometry.similarity import least_squares_similarity, lmeds_similarity
from faceops.geometry.warping import warp_affine

Estimator = Literal["least_squares", "lmeds"]


@dataclass(frozen=True, eq=False)
class Aligned:
    """Aligned faces of a batch of images, one row each, in the order of the faces they were cut from."""

    crops: Float[Tensor, "n 3 s s"]
    """Upright faces, in the range of the images."""
    matrix: Float[Tensor, "n 2 3"]
    """Maps pixels of the image to pixels of the crop, pixel centres at integers."""
    image_index: Int[Tensor, " n"]
    """Index of the image that each is from."""

    def __len__(self) -> int:
        return len(self.crops)


def align(
    images: Float[Tensor, "b 3 h w"],
    faces: Faces,
    size: int = 512,
    template: Template = FFHQ_512,
    estimator: Estimator = "least_squares",
    *,
    antialias: bool = True,
) -> Aligned:
    """Cut out all faces of a batch and align them: Omega of HeadsUp, Section 2.2 and Appendix B.

    Differentiable in the images, and with least squares in the landmarks. Any number of faces per image; none gives
    none. Where the images are of one size but their landmarks were found on copies of another, see `Faces.rescaled`.

    Args:
        images: RGB in [0, 1].
        faces: Whose landmarks are aligned.
        size: Side of the crops in pixels; the template is scaled to it.
        template: Where the landmarks should be.
        estimator: ``lmeds`` is the paper's (`cv2.estimateAffinePartial2D`); ``least_squares`` is the same for most
            faces, batched and differentiable.
        antialias: Average where a face is reduced by more than 1.5, see `warp_affine`. The paper is silent; without
            it large faces alias.

    Raises:
        ValueError: If a face is not in the batch, or its landmarks coincide or are not finite.

    Example:
        >>> points = (FFHQ_512.scaled(128).tensor() + 10).float()
        >>> faces = Faces(torch.tensor([1]), torch.zeros(1, 4), points.unsqueeze(0), torch.ones(1))
        >>> images = torch.rand(2, 3, 160, 150)
        >>> crops = align(images, faces, size=128).crops
        >>> (crops - images[1:, :, 10:138, 10:138]).abs().max().item() < 1e-3
        True
    """
    matrix = alignment_matrix(faces.landmarks, size, template, estimator)
    return crop_faces(images, matrix, faces.image_index, size, antialias=antialias)


def alignment_matrix(
    landmarks: Float[Tensor, "n 5 2"],
    size: int = 512,
    template: Template = FFHQ_512,
    estimator: Estimator = "least_squares",
) -> Float[Tensor, "n 2 3"]:
    """Similarity that brings landmarks to a template; what an index stores for later `crop_faces`.

    Raises:
        ValueError: If the landmarks of a face coincide or are not finite, or the estimator is not known.

    Example:
        >>> alignment_matrix(FFHQ_512.tensor().unsqueeze(0) / 2).round(decimals=3).tolist()
        [[[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]]
    """
    estimators = {"least_squares": least_squares_similarity, "lmeds": lmeds_similarity}
    if estimator not in estimators:
        raise ValueError(f"The estimator must be one of {', '.join(estimators)}, got {estimator!r}.")
    if len(landmarks) == 0:
        return landmarks.new_zeros(0, 2, 3)
    return estimators[estimator](landmarks, template.scaled(size).tensor(landmarks.device).to(landmarks.dtype))


def crop_faces(
    images: Float[Tensor, "b 3 h w"],
    matrix: Float[Tensor, "n 2 3"],
    image_index: Int[Tensor, " n"] | None = None,
    size: int = 512,
    *,
    antialias: bool = True,
) -> Aligned:
    """`align` with matrices that are known already; no landmark and no estimate is needed.

    Args:
        images: RGB in [0, 1].
        matrix: From `alignment_matrix` for the same `size`, for images of this size.
        image_index: Which image each face is in; None for one in each image, in order.
        size: Side of the crops in pixels.
        antialias: See `align`.

    Raises:
        ValueError: If a matrix names no image of the batch.
    """
    crops = warp_affine(images, matrix, size, image_index, antialias=antialias)
    if image_index is None:
        image_index = torch.arange(len(images), device=images.device)
    return Aligned(crops, matrix, image_index)


def ffhq_to_arcface(crops: Float[Tensor, "n 3 s s"], *, antialias: bool = True) -> Float[Tensor, "n 3 112 112"]:
    """Faces aligned to FFHQ_512, of any size, cut to ARCFACE_112, as recognition networks want them; differentiable.

    One constant similarity: of a 512-pixel crop it takes the window from 65 to 445, reduced by 3.4.
    """
    matrix = template_matrix(FFHQ_512.scaled(crops.shape[-1]), ARCFACE_112)
    # the matrix stays on the CPU: a GPU would have to be waited for to learn what is known here
    return warp_affine(crops, matrix.expand(len(crops), -1, -1), 112, antialias=antialias)


def template_matrix(source: Template, target: Template) -> Float[Tensor, "1 2 3"]:
    """Similarity from one template to another, in float64.

    Example:
        >>> template_matrix(FFHQ_512, ARCFACE_112)[0, :, 2].round(decimals=4).tolist()
        [-18.9301, -17.86]
    """
    return least_squares_similarity(source.tensor().unsqueeze(0), target.tensor())
