"""Blending: the whole restored by one restorer, each face by another and pasted over it (HeadsUp, Figure 1b).

This is the practice that HeadsUp is meant to replace, and the baseline "OSEDiff+OSEDiff_Face" of its Table 2; it is
here for comparison, also with the restorers that are usual in the field (`headsup.restoring.public_restorers`). The
paper gives no details, so alignment, size, border and feathering are those of GFPGAN's and CodeFormer's helper
(facexlib), without the face parsing that CodeFormer adds to the mask.
"""

from dataclasses import replace

import torch

from faceops.geometry.alignment import alignment_matrix
from faceops.geometry.faces import Faces
from faceops.geometry.pasting import paste
from faceops.geometry.warping import warp_affine
from faceops.images.files import Picture, greyed
from faceops.progress.tracker import part, parts
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import LEAST_SIDE, PhotoRestorer, Restored
from headsup.restoring.public_restorers.public_restorer import PublicRestorer
from headsup.restoring.stages import measured
from headsup.tiling.memory import GB, weight_bytes

BlendedRestorer = PhotoRestorer | PublicRestorer
"""A restorer of the whole, or of faces."""

FACE_SIZE = 512
"""Side of the aligned faces in pixels, for restorers on Stable Diffusion; the small model knows 128 to 512."""

BEYOND = (135 / 255, 133 / 255, 132 / 255)
"""Grey level beyond the border of the image in aligned faces, as in facexlib."""


@torch.no_grad()
def blend(
    general: BlendedRestorer,
    face: BlendedRestorer,
    picture: Picture,
    options: RestoreOptions,
    faces: Faces,
    face_size: int = FACE_SIZE,
) -> Restored:
    """Restore a picture with one restorer and its faces with another.

    Each face of the enlarged input is aligned to FFHQ, restored at that size and pasted with a feathered edge
    (`faceops.geometry.pasting.feathered_mask`). References are not used.

    Args:
        options: How; all but scale and size hold for faces too. The memory is that of both restorers together.
        faces: Faces in it, in its pixels; where they overlap, the last is on top. Without any, the result is that of
            `general`.

    Raises:
        ValueError: If the restorers do not fit their roles or the size, or the memory is too small for anything.
    """
    check_face_size(face_size)
    check_roles(general, face, face_size)
    with part(0.0, 0.7 if len(faces) else 1.0):
        whole = general(picture, memory_beside(options, general, face))
    if len(faces) == 0:
        return whole
    height, width = whole.picture.pixels.shape[1:]
    placed = faces.rescaled(width / picture.pixels.shape[2], height / picture.pixels.shape[1])
    single = memory_beside(replace(options, scale=1.0, size=None), face, general)
    return with_faces(whole, face, single, placed, face_size)


@torch.no_grad()
def with_faces(
    whole: Restored, face: BlendedRestorer, options: RestoreOptions, faces: Faces, face_size: int
) -> Restored:
    """A restored picture with its faces by another restorer, pasted over it.

    Args:
        whole: The picture.
        face: Restores aligned faces of the enlarged input.
        options: How; the scale is 1.
        faces: One face or more, in pixels of the picture.
        face_size: Side of the aligned faces, in pixels.
    """
    matrix, seconds = alignment_matrix(faces.landmarks, face_size), dict(whole.seconds)
    with measured(seconds, "paste"):
        crops = warp_affine(
            whole.enlarged.unsqueeze(0), matrix, face_size, faces.image_index, fill=BEYOND, antialias=True
        )
    with part(0.7, 1.0):
        restored = [face(Picture(crop), options) for crop in parts(crops, "face")]
    for each in restored:
        for stage, taken in each.seconds.items():
            seconds[stage] = seconds.get(stage, 0.0) + taken
    with measured(seconds, "paste"):
        crops = torch.stack([each.picture.pixels for each in restored])
        pixels = paste(whole.picture.pixels.unsqueeze(0), crops, matrix, faces.image_index)[0].clamp(0, 1)
    if whole.picture.grey:
        pixels = greyed(pixels)
    return Restored(replace(whole.picture, pixels=pixels), whole.enlarged, seconds)


def check_face_size(face_size: int) -> None:
    """Refuse aligned faces that would be smaller than what is restored at least."""
    if face_size < LEAST_SIDE:
        raise ValueError(f"Faces are restored at {LEAST_SIDE} pixels a side or more, 512 usually; got {face_size}.")


def check_roles(general: BlendedRestorer, face: BlendedRestorer, face_size: int) -> None:
    """Refuse restorers of aligned faces for the whole, and aligned faces of a size that theirs does not know.

    Raises:
        ValueError: If so.
    """
    if isinstance(general, PublicRestorer) and general.maker.face_side is not None:
        raise ValueError(f"{general.base} restores aligned faces only: name it with --face, not with --general.")
    side = face.maker.face_side if isinstance(face, PublicRestorer) else None
    if side is not None and side != face_size:
        raise ValueError(
            f"{face.base} restores faces of {side} pixels a side: set --face-size {side}; got {face_size}."
        )


def memory_beside(options: RestoreOptions, own: BlendedRestorer, other: BlendedRestorer) -> RestoreOptions:
    """Options with the memory that is left to a restorer beside the weights of another.

    Raises:
        ValueError: If the weights of both fill it.
    """
    if options.memory is None:
        return options
    beside = weight_bytes(other.restorer) / GB
    both = beside + weight_bytes(own.restorer) / GB
    if options.memory <= both:
        raise ValueError(
            f"The weights of both restorers take {both:.2f} GB, so {options.memory} GB of memory are too few."
        )
    return replace(options, memory=options.memory - beside)
