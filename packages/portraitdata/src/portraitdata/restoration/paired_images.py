"""Test sets of pairs: an input and its truth as files, perhaps with a reference face."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import Dataset

from faceops.detection.detector import Detector
from faceops.geometry.alignment import alignment_matrix
from faceops.geometry.faces import Faces
from faceops.images.decoding import decode_raster, open_header, upright_size
from faceops.images.errors import DamagedImageError
from faceops.images.files import read_image_file, srgb_bytes
from portraitdata.restoration.batches import REFERENCE_SIZE, RestorationItem
from portraitdata.scoring.pairing import listed, pictures_by_name


class PairedLayout(NamedTuple):
    """Folders of a test set."""

    name: str
    hq: str
    """Folder of the truths, relative to the test set."""
    lq: str
    """Folder of the inputs."""
    reference: str | None = None
    """Folder of references, each named as its truth; it may be absent or incomplete."""


LAYOUTS = (
    PairedLayout("StableSR gt/lq", "gt", "lq"),
    PairedLayout("StableSR and OSEDiff test_HR/test_LR", "test_HR", "test_LR"),
    PairedLayout("HR/LR", "HR", "LR"),
    PairedLayout("DAEFR CelebA-Test", "celeba_512_validation", "self_celeba_512_v2"),
    PairedLayout("PortraitISR", "hq", "lq", "reference"),
)
"""Known layouts. The last is ours: the test set of HeadsUp is not published."""


def recognised(folder: Path, layouts: Sequence[PairedLayout] = LAYOUTS) -> PairedLayout:
    """The layout whose two folders are both there.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If no layout fits, or several do.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    inside = {path.name for path in folder.iterdir() if path.is_dir()}
    found = [layout for layout in layouts if {layout.hq, layout.lq} <= inside]
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(f"{layout.hq}/{layout.lq}" for layout in found)
        raise ValueError(f"{folder} has the folders of several layouts, {names}; name the two that are meant.")
    wanted = ", ".join(f"{layout.hq} and {layout.lq}" for layout in layouts)
    raise ValueError(
        f"{folder} is no test set that is recognised: it has the folders {', '.join(sorted(inside)) or '(none)'}, "
        f"wanted were {wanted}. Name the two folders, if they are called otherwise."
    )


class PairedImages(Dataset[RestorationItem]):
    """Pairs of a published test set, in the order of their names.

    An input and its truth have the same name, whatever the suffix. A reference is for the largest face of the truth,
    which a detector finds; as in an index, that is where the mask is and by what faces are aligned. Without a detector,
    or where it finds none, `referenced` is -1, there are no faces, and the mask is empty.

    Args:
        folder: The test set, in one of the layouts of `portraitdata.restoration.paired_images`.
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
        self._hq, self._lq = self._pictures(self.layout.hq), self._pictures(self.layout.lq)
        self._check_names()
        self.names = sorted(self._hq)
        self._references: dict[str, Path] = {}
        if self.layout.reference and (given or (self.folder / self.layout.reference).is_dir()):
            self._references = self._pictures(self.layout.reference)
        self.scale = self._checked_scale(scale)

    @property
    def has_references(self) -> bool:
        """True if any picture has a reference."""
        return bool(self._references)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, key: int) -> RestorationItem:
        name = self.names[key]
        reference = self._references.get(name)
        face = None if reference is None else _read(reference)
        if face is not None and face.shape[1:] != (REFERENCE_SIZE, REFERENCE_SIZE):
            raise ValueError(
                f"{reference} has {face.shape[2]} x {face.shape[1]} pixels; a reference is a face of "
                f"{REFERENCE_SIZE} x {REFERENCE_SIZE} aligned to FFHQ, as `faceops align` makes it."
            )
        hq = _read(self._hq[name])
        faces = Faces.none() if face is None else self._faces(name, hq)
        return RestorationItem(
            hq=hq,
            lq=_read(self._lq[name]),
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
                f"No face is found in {self._hq[name]}, so its reference is for nobody and is not used.", stacklevel=2
            )
        return found

    def _pictures(self, folder: str) -> dict[str, Path]:
        problems: list[str] = []
        found = pictures_by_name(self.folder / folder, problems)
        if problems:
            raise ValueError(problems[0])
        return found

    def _check_names(self) -> None:
        places = self.folder / self.layout.lq, self.folder / self.layout.hq
        for where, ours, theirs in ((places[0], self._lq, self._hq), (places[1], self._hq, self._lq)):
            missing = sorted(theirs.keys() - ours.keys())
            if missing:
                raise ValueError(
                    f"{where} has no partner for {len(missing)} of {len(theirs)} pictures of "
                    f"{places[0] if where == places[1] else places[1]}: {listed(missing)}."
                )
        if not self._hq:
            raise ValueError(f"There are no pictures in {places[1]}.")

    def _checked_scale(self, wanted: int | None) -> int:
        scale = wanted
        for name in self.names:
            (width, height), (small_width, small_height) = _size(self._hq[name]), _size(self._lq[name])
            ratio = scale or max(1, width // small_width)
            if (small_width * ratio, small_height * ratio) != (width, height):
                raise ValueError(
                    f"The pair {name} does not fit: {width} x {height} pixels in {self.layout.hq}, {small_width} x "
                    f"{small_height} in {self.layout.lq}; the truth must be {ratio} times as large on both sides."
                )
            scale = ratio
        assert scale is not None
        return scale


def _read(path: Path) -> UInt8[Tensor, "3 h w"]:
    raster = decode_raster(read_image_file(path), str(path))
    height, width = raster.samples.shape[:2]
    return torch.from_numpy(np.ascontiguousarray(srgb_bytes(raster, 0, 0, height, width)))


def _size(path: Path) -> tuple[int, int]:
    try:
        with path.open("rb") as file:
            return upright_size(open_header(file, str(path)))
    except OSError as error:
        raise DamagedImageError(f"{path} cannot be read: {error}.") from error
