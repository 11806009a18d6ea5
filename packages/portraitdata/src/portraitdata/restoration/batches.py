"""What a restorer is trained and tested on: one image, a batch of bytes from the workers, a batch of floats.

Workers cut, align and degrade bytes; floats, masks and, if wanted, the low-quality image are made once a batch on the
training device.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from faceops.faces import Faces
from portraitdata.degradation.batched_executor import degrade_batch
from portraitdata.degradation.records import DegradationRecord
from portraitdata.restoration.face_masks import box_masks


class RestorationItem(NamedTuple):
    """A high-quality image (HQ), its low-quality version (LQ) and perhaps a reference face; sRGB, 0 to 255."""

    hq: UInt8[Tensor, "3 h w"]
    lq: UInt8[Tensor, "3 lh lw"] | None
    """None if it is to be made of `hq` and `record` on the device."""
    record: DegradationRecord | None
    """What was or will be done to `hq`; None for pairs that came as files."""
    faces: Faces
    """Faces with all landmarks in `hq`, in its pixels."""
    reference: UInt8[Tensor, "3 512 512"] | None
    """Another photograph's face of the same person, aligned to FFHQ."""
    referenced: int
    """Which of `faces` the reference is for; -1 for none, or if it is not known."""
    prompt: str
    name: str
    """Path of the photograph in its index or folder."""


@dataclass(frozen=True, eq=False)
class RestorationBytes:
    """A collated batch as it travels from the workers to the device."""

    hq: UInt8[Tensor, "b 3 h w"]
    lq: UInt8[Tensor, "b 3 lh lw"] | None
    records: tuple[DegradationRecord | None, ...]
    faces: Faces
    reference: UInt8[Tensor, "b 3 512 512"]
    present: Bool[Tensor, " b"]
    referenced: Int[Tensor, " b"]
    prompts: list[str]
    names: list[str]

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
            reference=change(self.reference),
            present=change(self.present),
            referenced=change(self.referenced),
        )


class RestorationBatch(NamedTuple):
    """What a step of training or evaluation gets; floats in [0, 1], sRGB."""

    lq: Float[Tensor, "b 3 lh lw"]
    """The input, `scale` times as small as `hq`, of eight-bit levels."""
    hq: Float[Tensor, "b 3 h w"]
    """The truth."""
    reference: Float[Tensor, "b 3 512 512"]
    """Reference faces x_r, aligned to FFHQ; zero where absent (HeadsUp, Section 2.2)."""
    present: Bool[Tensor, " b"]
    """Which images have a reference."""
    mask: Bool[Tensor, "b 1 h w"]
    """Box of the face that the reference is for (M of HeadsUp, Section 2.4); false where there is none.

    See `portraitdata.restoration.face_masks.at_latent_resolution`.
    """
    faces: Faces
    """Faces in `hq`, in its pixels."""
    referenced: Int[Tensor, " b"]
    """Row of `faces` that the reference of each image is for; -1 for none."""
    prompts: list[str]
    """Texts of the index; empty where it has none."""
    names: list[str]
    """Paths of the photographs in their indexes."""


def collate(items: Sequence[RestorationItem]) -> RestorationBytes:
    """Put items of one size into a batch; for a loader's `collate_fn`.

    Raises:
        ValueError: If the images are not of one size.
    """
    sizes = {tuple(item.hq.shape[1:]) for item in items}
    if len(sizes) > 1:
        found = " and ".join(f"{width} x {height}" for height, width in sorted(sizes)[:2])
        raise ValueError(f"Images of one batch have one size, got {found}; use a batch size of 1.")
    blank = torch.zeros(3, 512, 512, dtype=torch.uint8)
    counts = torch.tensor([len(item.faces) for item in items])
    first = counts.cumsum(0) - counts
    number = torch.tensor([item.referenced for item in items])
    lqs = [item.lq for item in items if item.lq is not None]
    return RestorationBytes(
        hq=torch.stack([item.hq for item in items]),
        lq=torch.stack(lqs) if lqs else None,
        records=tuple(item.record for item in items),
        faces=replace(
            Faces.concatenate([item.faces for item in items]),
            image_index=torch.arange(len(items)).repeat_interleave(counts),
        ),
        reference=torch.stack([blank if item.reference is None else item.reference for item in items]),
        present=torch.tensor([item.reference is not None for item in items]),
        referenced=torch.where(number >= 0, first + number, -1),
        prompts=[item.prompt for item in items],
        names=[item.name for item in items],
    )


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
        lq = degrade_batch(hq, records)
    known = batch.referenced >= 0
    # A row more, for images without a reference, so that there is a box to look up even if there is no face at all.
    boxes = torch.cat([batch.faces.boxes, hq.new_zeros(1, 4)])[batch.referenced]
    mask = box_masks(boxes, known, hq.shape[2], hq.shape[3])
    reference = batch.reference.float() / 255
    return RestorationBatch(
        lq, hq, reference, batch.present, mask, batch.faces, batch.referenced, batch.prompts, batch.names
    )
