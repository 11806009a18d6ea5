"""Test sets of pairs: an input and its truth as files, perhaps with a reference face."""

import warnings
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import Dataset

from faceops.detection.detector import Detector
from faceops.geometry.alignment import alignment_matrix
from faceops.geometry.faces import Faces
from faceops.images.decoding import decode_raster
from faceops.images.files import read_image_file, srgb_bytes
from portraitdata.restoration.batches import REFERENCE_SIZE, RestorationItem
from portraitdata.restoration.paired_layouts import PairedLayout, paired_files, recognised


class PairedImages(Dataset[RestorationItem]):
    """Pairs of a published test set, in the order of their names.

    An input and its truth have the same name, whatever the suffix. A reference is for the largest face of the truth,
    which a detector finds; as in an index, that is where the mask is and by what faces are aligned. Without a detector,
    or where it finds none, `referenced` is -1, there are no faces, and the mask is empty.

    Args:
        folder: The test set, in one of the layouts of `portraitdata.restoration.paired_layouts`.
        hq: Folder of the truths within it; with `lq`, instead of recognising a layout.
        lq: Folder of the inputs within it.
        reference: Folder of the reference faces within it, 512 x 512 pixels, aligned to FFHQ.
        scale: Magnification from input to truth that is wanted; None for whatever the set has.
        detector: Finds the faces of pictures that have a reference; None leaves the references without a face.

    Raises:
        FileNotFoundError: If a folder is not there.
        ValueError: If the layout is not recognised, a partner is missing, sizes do not fit, or there is nothing.
    """

    def __init__(
        self,
        folder: Path | str,
        hq: str | None = None,
        lq: str | None = None,
        reference: str | None = None,
        scale: int | None = None,
        detector: Detector | None = None,
    ) -> None:
        self.folder, self.detector = Path(folder), detector
        if (hq is None) != (lq is None):
            raise ValueError(f"The folders `hq` and `lq` are named together or not at all, got {hq!r} and {lq!r}.")
        given = None if hq is None or lq is None else PairedLayout("named", hq, lq, reference)
        self.layout = given or recognised(self.folder)
        self.files = paired_files(self.folder, self.layout, needs_references=given is not None)
        self.names, self.scale = self.files.names, self.files.scale(scale)

    @property
    def has_references(self) -> bool:
        """True if any picture has a reference."""
        return bool(self.files.references)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, key: int) -> RestorationItem:
        name = self.names[key]
        reference = self.files.references.get(name)
        face = None if reference is None else _read(reference)
        if face is not None and face.shape[1:] != (REFERENCE_SIZE, REFERENCE_SIZE):
            raise ValueError(
                f"{reference} has {face.shape[2]} x {face.shape[1]} pixels; a reference is a face of "
                f"{REFERENCE_SIZE} x {REFERENCE_SIZE} aligned to FFHQ, as `faceops align` makes it."
            )
        hq = _read(self.files.hq[name])
        faces = Faces.none() if face is None else self._faces(name, hq)
        return RestorationItem(
            hq=hq,
            lq=_read(self.files.lq[name]),
            record=None,
            faces=faces,
            matrices=alignment_matrix(faces.landmarks.double(), REFERENCE_SIZE, estimator="lmeds").float(),
            reference=face,
            referenced=int(faces.area().argmax()) if len(faces) else -1,
            prompt="",
            name=name,
        )

    def _faces(self, name: str, hq: UInt8[Tensor, "3 h w"]) -> Faces:
        if self.detector is None:
            return Faces.none()
        with torch.inference_mode():
            found = self.detector(hq.unsqueeze(0).float() / 255)
        if not len(found):
            warnings.warn(
                f"No face is found in {self.files.hq[name]}, so its reference is for nobody and is not used.",
                stacklevel=2,
            )
        return found


def _read(path: Path) -> UInt8[Tensor, "3 h w"]:
    raster = decode_raster(read_image_file(path), str(path))
    height, width = raster.samples.shape[:2]
    return torch.from_numpy(np.ascontiguousarray(srgb_bytes(raster, 0, 0, height, width)))
