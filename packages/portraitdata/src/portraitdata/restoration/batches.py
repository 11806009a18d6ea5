"""Items and batches of a restorer's training: one image, a batch of bytes from the workers, a batch of floats.

Workers cut, align and degrade bytes; floats, masks and, if wanted, the low-quality image are made once a batch on the
training device.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from faceops.geometry.faces import Faces
from faceops.geometry.similarity import compose, resized
from portraitdata.degradation.batched.executor import degrade_batch
from portraitdata.degradation.batched.noise import luma_of
from portraitdata.degradation.records import DegradationRecord
from portraitdata.images.resampling import bicubic, to_8_bit
from portraitdata.restoration.face_masks import box_masks

REFERENCE_SIZE = 512
"""Side of an aligned reference face in pixels, unless another is asked for (HeadsUp, Section C; FaceLib's size)."""


class RestorationItem(NamedTuple):
    """A high-quality image (HQ), its low-quality version (LQ) and perhaps a reference face; sRGB, 0 to 255."""

    hq: UInt8[Tensor, "3 h w"]
    lq: UInt8[Tensor, "3 lh lw"] | None
    """None if it is to be made of `hq` and `record` on the device."""
    record: DegradationRecord | None
    """Degradation of `hq`, done or to be done; None for pairs that came as files."""
    faces: Faces
    """Faces in `hq`, in its pixels: those with all landmarks in it, and that of a close-up."""
    matrices: Float[Tensor, "n 2 3"]
    """Maps from pixels of `hq` to those of each face aligned to FFHQ at 512 pixels, by least median of squares."""
    reference: UInt8[Tensor, "3 r r"] | None
    """Another photograph's face of the same person, aligned to FFHQ; 512 pixels unless another size is asked for."""
    referenced: int
    """Row of `faces` that the reference is for; -1 for none, or if it is not known."""
    prompt: str
    name: str
    """Path of the photograph in its index or folder."""
    same_person: bool = True
    """True if the reference, if there is one, shows the person that it is for; else it is to be ignored."""
    grey: bool = False
    """True if HQ and reference are grey and the LQ is to be."""


@dataclass(frozen=True, eq=False)
class RestorationBytes:
    """A collated batch as it travels from the workers to the device."""

    hq: UInt8[Tensor, "b 3 h w"]
    lq: UInt8[Tensor, "b 3 lh lw"] | None
    records: tuple[DegradationRecord | None, ...]
    faces: Faces
    matrices: Float[Tensor, "n 2 3"]
    reference: UInt8[Tensor, "b 3 r r"]
    present: Bool[Tensor, " b"]
    same_person: Bool[Tensor, " b"]
    referenced: Int[Tensor, " b"]
    prompts: list[str]
    names: list[str]
    grey: tuple[bool, ...]

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "RestorationBytes":
        """The same batch on another device."""
        moved = self._changed(lambda tensor: tensor.to(device, non_blocking=non_blocking))
        return replace(moved, faces=self.faces.to(device))

    def pin_memory(self) -> "RestorationBytes":
        """The same batch in memory that a GPU reads directly; what the loader calls."""
        return self._changed(Tensor.pin_memory)

    def _changed(self, change: Callable[[Tensor], Tensor]) -> "RestorationBytes":
        return replace(
            self,
            hq=change(self.hq),
            lq=None if self.lq is None else change(self.lq),
            matrices=change(self.matrices),
            reference=change(self.reference),
            present=change(self.present),
            same_person=change(self.same_person),
            referenced=change(self.referenced),
        )


class RestorationBatch(NamedTuple):
    """Batch of a training or evaluation step; floats in [0, 1], sRGB."""

    lq: Float[Tensor, "b 3 lh lw"]
    """The input, of eight-bit levels: `scale` times as small as `hq`, or as large where scales are mixed."""
    hq: Float[Tensor, "b 3 h w"]
    """The truth."""
    reference: Float[Tensor, "b 3 r r"]
    """Reference faces x_r, aligned to FFHQ; zero where absent (HeadsUp, Section 2.2)."""
    present: Bool[Tensor, " b"]
    """True for images that have a reference."""
    mask: Bool[Tensor, "b 1 h w"]
    """Box of the face that the reference is for (M of HeadsUp, Section 2.4); false where there is none.

    See `portraitdata.restoration.face_masks.at_latent_resolution`.
    """
    faces: Faces
    """Faces in `hq`, in its pixels: those with all landmarks in it, and those of close-ups."""
    referenced: Int[Tensor, " b"]
    """Row of `faces` that the reference of each image is for; -1 for none."""
    prompts: list[str]
    """Texts of the index; empty where it has none."""
    names: list[str]
    """Paths of the photographs in their indexes."""
    same_person: Bool[Tensor, " b"]
    """True for images whose reference shows the person it is for; an identity loss asks this, not `present`."""
    matrices: Float[Tensor, "n 2 3"]
    """Maps from pixels of `hq` to those of each face aligned to FFHQ at 512 pixels: the matrix of the index, which is
    by least median of squares (HeadsUp, Appendix B), as the view shows it."""

    def aligning(self, size: int) -> Float[Tensor, "n 2 3"]:
        """Maps from pixels of `hq` to those of each face aligned to FFHQ at so many pixels."""
        enlarging = resized(size / REFERENCE_SIZE, self.matrices.device)
        return compose(enlarging, self.matrices).to(self.matrices.dtype)

    def of_whole_faces(self) -> "RestorationBatch":
        """The same batch without faces that have a landmark outside the image, as close-ups do.

        Losses of faces compare the others alone; batches of `EvaluationPairs` have no such faces. The reference of a
        face that is left out is for none of the others.
        """
        height, width = self.hq.shape[2:]
        last = self.faces.landmarks.new_tensor([width, height]) - 0.5
        inside = (self.faces.landmarks > -0.5) & (self.faces.landmarks < last)
        whole = inside.flatten(1).all(dim=1)
        rows = torch.where(whole, whole.cumsum(0) - 1, -1)
        # A row more, for images without a reference.
        referenced = torch.cat([rows, rows.new_tensor([-1])])[self.referenced]
        return self._replace(faces=self.faces.select(whole), matrices=self.matrices[whole], referenced=referenced)


def collate(items: Sequence[RestorationItem], reference_size: int = REFERENCE_SIZE) -> RestorationBytes:
    """Put items of one size into a batch; for a loader's `collate_fn`.

    LQ of several sizes are enlarged to that of the HQ, by MATLAB's bicubic, clamped and rounded to 8 bits.

    Args:
        items: What to put together.
        reference_size: Side of the reference faces in pixels, if no item has one.

    Raises:
        ValueError: If the images are not of one size.
    """
    sizes = {tuple(item.hq.shape[1:]) for item in items}
    if len(sizes) > 1:
        found = " and ".join(f"{width} x {height}" for height, width in sorted(sizes)[:2])
        raise ValueError(f"Images of one batch have one size, got {found}; use a batch size of 1.")
    side = next((item.reference.shape[-1] for item in items if item.reference is not None), reference_size)
    blank = torch.zeros(3, side, side, dtype=torch.uint8)
    counts = torch.tensor([len(item.faces) for item in items])
    first = counts.cumsum(0) - counts
    number = torch.tensor([item.referenced for item in items])
    lqs = [item.lq for item in items if item.lq is not None]
    return RestorationBytes(
        hq=torch.stack([item.hq for item in items]),
        lq=_stacked(lqs, *items[0].hq.shape[1:]) if lqs else None,
        records=tuple(item.record for item in items),
        faces=replace(
            Faces.concatenate([item.faces for item in items]),
            image_index=torch.arange(len(items)).repeat_interleave(counts),
        ),
        matrices=torch.cat([item.matrices for item in items]),
        reference=torch.stack([blank if item.reference is None else item.reference for item in items]),
        present=torch.tensor([item.reference is not None for item in items]),
        same_person=torch.tensor([item.reference is not None and item.same_person for item in items]),
        referenced=torch.where(number >= 0, first + number, -1),
        prompts=[item.prompt for item in items],
        names=[item.name for item in items],
        grey=tuple(item.grey for item in items),
    )


def _stacked(lqs: Sequence[UInt8[Tensor, "3 _h _w"]], height: int, width: int) -> UInt8[Tensor, "b 3 lh lw"]:
    if len({lq.shape for lq in lqs}) == 1:
        return torch.stack(list(lqs))
    return torch.stack([bicubic(lq.float(), height, width).round().clamp(0, 255).to(torch.uint8) for lq in lqs])


def finish(batch: RestorationBytes) -> RestorationBatch:
    """Make floats, the masks and, where it was left to the device, the LQ; on the device of the batch.

    Raises:
        ValueError: If the LQ is missing and there is no record to make it by.
    """
    hq = batch.hq.float() / 255
    if batch.lq is not None:
        lq = batch.lq.float() / 255
    else:
        records = [record for record in batch.records if record is not None]
        if len(records) < len(hq):
            raise ValueError("Without a low-quality image there must be a record to make it by, in every item.")
        lq = _degraded(hq, records)
        grey = torch.tensor(batch.grey, device=hq.device).reshape(-1, 1, 1, 1)
        lq = torch.where(grey, to_8_bit(luma_of(lq)), lq)
    known = batch.referenced >= 0
    # A row more, for images without a reference, so that there is a box to look up even if there is no face at all.
    boxes = torch.cat([batch.faces.boxes, hq.new_zeros(1, 4)])[batch.referenced]
    mask = box_masks(boxes, known, hq.shape[2], hq.shape[3])
    reference = batch.reference.float() / 255
    return RestorationBatch(
        lq,
        hq,
        reference,
        batch.present,
        mask,
        batch.faces,
        batch.referenced,
        batch.prompts,
        batch.names,
        batch.same_person,
        batch.matrices,
    )


def _degraded(hq: Float[Tensor, "b 3 h w"], records: Sequence[DegradationRecord]) -> Float[Tensor, "b 3 lh lw"]:
    """Degrade a batch; where the records have several sizes, all LQ are enlarged to the HQ's."""
    groups: dict[tuple[int, int], list[int]] = {}
    for number, record in enumerate(records):
        groups.setdefault(record.output_size, []).append(number)
    if len(groups) == 1:
        return degrade_batch(hq, records)
    out = torch.empty_like(hq)
    for numbers in groups.values():
        lq = degrade_batch(hq[numbers], [records[number] for number in numbers])
        out[numbers] = to_8_bit(bicubic(lq, *hq.shape[2:]))
    return out
