"""The faces of restored and true images, cut out and aligned in the same way (Omega of HeadsUp, Section 2.3)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from faceops.geometry.alignment import crop_faces
from faceops.geometry.faces import Faces


@dataclass(frozen=True, eq=False)
class FacePairs:
    """Faces of a batch, one row each, in the order of the faces they were cut from; RGB in [0, 1], aligned to FFHQ."""

    restored: Float[Tensor, "n 3 s s"]
    """Omega(x_hat_H); gradients flow to the restored images, also if there is no face."""
    truth: Float[Tensor, "n 3 s s"]
    """Omega(x_H)."""
    reference: Float[Tensor, "n 3 r r"]
    """x_r; zero where absent."""
    present: Bool[Tensor, " n"]
    """True for faces that have a reference."""

    def __len__(self) -> int:
        return len(self.present)


def face_pairs(
    restored: Float[Tensor, "b 3 h w"],
    hq: Float[Tensor, "b 3 h w"],
    faces: Faces,
    matrix: Float[Tensor, "n 2 3"],
    reference: Float[Tensor, "b 3 r r"],
    referenced: Int[Tensor, " b"],
    size: int = 512,
) -> FacePairs:
    """Cut all faces out of restored and true images, and give each its reference.

    Both are aligned by the true image: the restored face moves if its features do. The paper does
    not say by which, nor what it does with small faces; here every face counts the same, the smallest enlarged
    to `size`, and the black beyond the border of an image is equal in both. Computed in float32 outside autocast.

    Args:
        restored: x_hat_H, RGB in [0, 1].
        hq: x_H, RGB in [0, 1].
        faces: Faces in `hq`, in its pixels.
        matrix: Maps from pixels of `hq` to those of the aligned faces, as
            `portraitdata.restoration.batches.RestorationBatch.aligning` gives them for `size`.
        reference: x_r of each image, aligned to FFHQ.
        referenced: Row of `faces` that the reference of each image is for; -1 for none.
        size: Side of the aligned faces in pixels; the paper's are 512.

    Raises:
        ValueError: If a face is not in the batch, or a reference is for a face that is not there.
    """
    with torch.autocast(restored.device.type, enabled=False):
        cut = crop_faces(restored.float(), matrix, faces.image_index, size).crops
        with torch.no_grad():
            truth = crop_faces(hq.float(), matrix, faces.image_index, size).crops
    if not len(faces):
        # nothing cut out of an image is no part of its graph; no rows of the image are
        cut = restored.float()[:0, :, :1, :1].expand(0, 3, size, size)
    source = reference_rows(referenced, len(faces))
    present = source >= 0
    chosen = torch.where(present.reshape(-1, 1, 1, 1), reference[source].float(), 0.0)
    return FacePairs(cut, truth, chosen, present)


def reference_rows(referenced: Int[Tensor, " b"], count: int) -> Int[Tensor, " n"]:
    """Image whose reference is for each of so many faces; -1 for none.

    Raises:
        ValueError: If a reference is for a face that is not there.

    Example:
        >>> reference_rows(torch.tensor([2, -1, 0]), 4).tolist()
        [2, -1, 0, -1]
    """
    if int(referenced.max()) >= count:
        raise ValueError(f"A reference is for face {int(referenced.max())}, but there are {count} faces.")
    rows = referenced.new_full((count,), -1)
    images = (referenced >= 0).nonzero().flatten()
    rows[referenced[images]] = images.to(rows.dtype)
    return rows


def mean_over_faces(values: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Mean; exactly zero without faces, and still part of the graph.

    Example:
        >>> mean_over_faces(torch.zeros(0)).item(), mean_over_faces(torch.tensor([1.0, 2.0])).item()
        (0.0, 1.5)
    """
    return values.sum() / max(len(values), 1)
