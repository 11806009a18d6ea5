"""From a view of a photograph to an item: faces, reference, and the low-quality image or the record of it."""

import warnings
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray

from portraitdata.degradation.cpu_executor import degrade
from portraitdata.degradation.drawing import draw_record
from portraitdata.degradation.noise import LUMA
from portraitdata.degradation.presets import PresetName, preset_of
from portraitdata.exemplars.index import Split
from portraitdata.restoration.batches import REFERENCE_SIZE, RestorationItem
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.view import View

DegradeOn = Literal["workers", "device"]
"""Where the low-quality image is made."""

VIEW_STREAM, DEGRADATION_STREAM, KIND_STREAM = 1, 2, 5
"""Last number of the seeds of view and reference, of the degradation, and of the kind of reference and of picture."""


class Reference(NamedTuple):
    """An aligned reference face."""

    place: int
    """Position, among the visible faces, of the one it is for."""
    pixels: UInt8[np.ndarray, "3 r r"]
    same_person: bool = True
    """True if it shows the person that it is for."""


class PortraitItems:
    """Puts items together.

    Args:
        size: Side of the high-quality images, in pixels.
        scale: Sides of the high-quality image divided by sides of the low-quality one.
        degrade_on: Where the low-quality image is made.

    Raises:
        ValueError: If the preset does not degrade by this scale, or the size is no multiple of it.
    """

    def __init__(self, size: int, scale: int, preset: PresetName, degrade_on: DegradeOn) -> None:
        if size < 1 or scale < 1:
            raise ValueError(f"Sizes count pixels, got size {size}, scale {scale}.")
        self.size, self.scale, self.degrade_on = size, scale, degrade_on
        self._preset = preset_of(preset)
        draw_record(self._preset, size, size, scale, (0,))

    def item(
        self,
        index: PortraitIndex,
        number: int,
        view: View,
        hq: UInt8[np.ndarray, "3 s s"],
        faces: NDArray[np.int64],
        reference: Reference | None,
        seed: tuple[int, ...],
        grey: bool = False,
    ) -> RestorationItem:
        """One item.

        Args:
            faces: Numbers of the faces that are visible in it.
            reference: Which of them has a reference, and the reference.
            grey: Take the colour out of the view, its LQ and the reference.
        """
        if grey:
            hq = grey_picture(hq)
            reference = reference and reference._replace(pixels=grey_picture(reference.pixels))
        record = draw_record(self._preset, self.size, self.size, self.scale, (*seed, DEGRADATION_STREAM))
        lq = None
        if self.degrade_on == "workers":
            degraded = degrade(np.ascontiguousarray(hq.transpose(1, 2, 0)), record)
            planes = np.ascontiguousarray(degraded.transpose(2, 0, 1))
            lq = torch.from_numpy(grey_picture(planes) if grey else planes)
        return RestorationItem(
            hq=torch.from_numpy(hq),
            lq=lq,
            record=record,
            faces=view.faces(index.geometry(faces)),
            matrices=view.matrices(torch.from_numpy(index.matrices(faces)), REFERENCE_SIZE).float(),
            reference=None if reference is None else torch.from_numpy(reference.pixels),
            referenced=-1 if reference is None else reference.place,
            prompt=index.prompt(number),
            name=index.photograph(number).name,
            same_person=reference is not None and reference.same_person,
            grey=grey,
        )


def visible_faces(index: PortraitIndex, number: int, view: View) -> NDArray[np.int64]:
    """Numbers of the faces of a photograph with all five landmarks in a view of it."""
    faces = index.faces_of(number)
    return faces[view.visible(view.faces(index.geometry(faces)))]


def grey_picture(picture: UInt8[np.ndarray, "3 h w"]) -> UInt8[np.ndarray, "3 h w"]:
    """Luma of ITU-R BT.601 in all three channels.

    Example:
        >>> grey_picture(np.array([255, 0, 0], np.uint8).reshape(3, 1, 1)).ravel().tolist()
        [76, 76, 76]
    """
    luma = np.rint(np.tensordot(LUMA[0], picture.astype(np.float32), 1)).astype(np.uint8)
    return np.repeat(luma[None], 3, axis=0)


class SmallPhotographs(UserWarning):
    """Photographs that are too small and were left out."""


def large_enough(index: PortraitIndex, split: Split, size: int, otherwise: str = "") -> NDArray[np.int64]:
    """Numbers of the photographs of a split whose sides have at least `size` pixels.

    Warns once, with a count, if some are left out.

    Args:
        otherwise: What else than a smaller size helps if none is left; ends the sentence.

    Raises:
        ValueError: If none is left.
    """
    numbers = index.numbers(split)
    if len(numbers) == 0:
        raise ValueError(f"The index of {index.root} has no photographs in the split {split!r}.")
    kept = [number for number in numbers.tolist() if min(index.size(number)) >= size]
    if not kept:
        raise ValueError(
            f"All {len(numbers)} photographs of {index.root} have a side of fewer than {size} pixels; give a smaller "
            f"size{otherwise}."
        )
    if len(kept) < len(numbers):
        warnings.warn(
            SmallPhotographs(
                f"{len(numbers) - len(kept)} of {len(numbers)} photographs of {index.root} are left out: one side has "
                f"fewer than {size} pixels."
            ),
            stacklevel=3,
        )
    return np.array(kept, np.int64)
