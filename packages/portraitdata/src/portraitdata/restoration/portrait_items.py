"""From a view of a photograph to an item: faces, reference, and the low-quality image or the record of it."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray

from portraitdata.degradation.cpu_executor import degrade
from portraitdata.degradation.drawing import draw_record
from portraitdata.degradation.presets import PresetName, preset_of
from portraitdata.restoration.batches import RestorationItem
from portraitdata.restoration.portrait_index import PortraitIndex
from portraitdata.restoration.view import View

DegradeOn = Literal["workers", "device"]
"""Where the low-quality image is made."""

VIEW_STREAM, DEGRADATION_STREAM = 1, 2
"""Last number of the seeds of everything but the degradation, and of the degradation."""


class PortraitItems:
    """Puts items together.

    Args:
        size: Side of the high-quality images, in pixels.
        scale: Sides of the high-quality image divided by sides of the low-quality one.
        preset: Degradation.
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
        reference: tuple[int, UInt8[np.ndarray, "3 512 512"]] | None,
        seed: tuple[int, ...],
    ) -> RestorationItem:
        """One item.

        Args:
            index: The photograph's index.
            number: The photograph.
            view: How it is shown.
            hq: The view.
            faces: Numbers of the faces that are visible in it.
            reference: Which of them has a reference, and the reference.
            seed: Seed of the degradation.
        """
        record = draw_record(self._preset, self.size, self.size, self.scale, (*seed, DEGRADATION_STREAM))
        lq = None
        if self.degrade_on == "workers":
            degraded = degrade(np.ascontiguousarray(hq.transpose(1, 2, 0)), record)
            lq = torch.from_numpy(np.ascontiguousarray(degraded.transpose(2, 0, 1)))
        return RestorationItem(
            hq=torch.from_numpy(hq),
            lq=lq,
            record=record,
            faces=view.faces(index.geometry(faces)),
            reference=None if reference is None else torch.from_numpy(reference[1]),
            referenced=-1 if reference is None else reference[0],
            prompt=index.prompt(number),
            name=index.photograph(number).path,
        )


def visible_faces(index: PortraitIndex, number: int, view: View) -> NDArray[np.int64]:
    """Numbers of the faces of a photograph with all five landmarks in a view of it."""
    faces = index.faces_of(number)
    return faces[view.visible(view.faces(index.geometry(faces)))]
