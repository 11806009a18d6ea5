"""Layouts of test sets of pairs, and the files of the pairs; without torch, so that misfits are told at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from faceops.images.decoding import open_header, upright_size
from faceops.images.errors import DamagedImageError
from portraitdata.scoring.pairing import listed, pictures_by_name


class PairedLayout(NamedTuple):
    """Folders of a test set, and how the names of its pictures end."""

    name: str
    hq: str
    """Folder of the truths, relative to the test set; with * it may be several."""
    lq: str
    """Folder of the inputs, likewise."""
    reference: str | None = None
    """Folder of references, each named as its truth; it may be absent or incomplete."""
    hq_ending: str = ""
    """What the names of truths have after the name of the pair; of a folder that inputs share, only such count."""
    lq_ending: str = ""
    """What those of inputs have."""


LAYOUTS = (
    PairedLayout("StableSR gt/lq", "gt", "lq"),
    PairedLayout("StableSR and OSEDiff test_HR/test_LR", "test_HR", "test_LR"),
    PairedLayout("DRealSR test_HR/test_LR", "test_HR", "test_LR", hq_ending="_x4", lq_ending="_x1"),
    PairedLayout("DRealSR, several scales", "*x4/test_HR", "*x4/test_LR", hq_ending="_x4", lq_ending="_x1"),
    PairedLayout("RealSR", "*/Test/4", "*/Test/4", hq_ending="_HR", lq_ending="_LR4"),
    PairedLayout("RealSR, one camera", "Test/4", "Test/4", hq_ending="_HR", lq_ending="_LR4"),
    PairedLayout("DIV2K", "DIV2K_valid_HR", "DIV2K_valid_LR_bicubic/X4", lq_ending="x4"),
    PairedLayout("HR/LR", "HR", "LR"),
    PairedLayout("DAEFR CelebA-Test", "celeba_512_validation", "self_celeba_512_v2"),
    PairedLayout("CodeFormer CelebA-Test", "celeba_512_validation", "celeba_512_validation_lq"),
    PairedLayout("PortraitISR", "hq", "lq", "reference"),
)
"""Known layouts. The last is ours: the test set of HeadsUp is not published."""


def recognised(folder: Path, layouts: Sequence[PairedLayout] = LAYOUTS) -> PairedLayout:
    """The layout whose two folders are both there; of several that differ in endings, the one that pairs the most.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If no layout fits, or several do.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    found = [layout for layout in layouts if within(folder, layout.hq) and within(folder, layout.lq)]
    places = {(layout.hq, layout.lq) for layout in found}
    if len(places) == 1:
        return max(found, key=lambda layout: count_pairs(folder, layout))
    if found:
        names = " and ".join(dict.fromkeys(f"{layout.hq}/{layout.lq}" for layout in found))
        raise ValueError(f"{folder} has the folders of several layouts, {names}; name the two that are meant.")
    inside = ", ".join(sorted(path.name for path in folder.iterdir() if path.is_dir())) or "(none)"
    wanted = ", ".join(dict.fromkeys(f"{layout.hq} and {layout.lq}" for layout in layouts))
    raise ValueError(
        f"{folder} is no test set that is recognised: it has the folders {inside}, "
        f"wanted were {wanted}. Name the two folders, if they are called otherwise."
    )


def within(folder: Path, pattern: str) -> list[Path]:
    """Folders of a layout that are there, in the order of their names."""
    found = folder.glob(pattern) if "*" in pattern else [folder / pattern]
    return sorted(path for path in found if path.is_dir())


def count_pairs(folder: Path, layout: PairedLayout) -> int:
    """Names that have both a truth and an input."""
    hq, lq = truths_and_inputs(folder, layout, [])
    return len(hq.keys() & lq.keys())


def truths_and_inputs(
    folder: Path, layout: PairedLayout, problems: list[str]
) -> tuple[dict[str, Path], dict[str, Path]]:
    """Truths and inputs of a test set by the names of their pairs.

    Args:
        folder: The test set.
        layout: How it lies there.
        problems: A sentence for every name that is there twice is added here.

    Raises:
        FileNotFoundError: If a folder is not there.
    """
    parts = (layout.hq, layout.hq_ending), (layout.lq, layout.lq_ending)
    found: list[dict[str, Path]] = [{}, {}]
    for pictures, (pattern, ending) in zip(found, parts, strict=True):
        for place in within(folder, pattern) or [folder / pattern]:
            for name, path in pictures_by_name(place, problems).items():
                if layout.hq == layout.lq and not name.endswith(ending):
                    continue  # of the other half
                pair = name.removesuffix(ending)
                if pair in pictures:
                    problems.append(f"{path} and {pictures[pair]} are of one pair, {pair}; keep one of them.")
                pictures[pair] = path
    return found[0], found[1]


@dataclass(frozen=True)
class PairedFiles:
    """Files of a test set by the names of the pairs.

    Raises:
        ValueError: If a partner is missing, or there is nothing.
    """

    places: tuple[Path, Path]
    """Folders of truths and inputs, for messages."""
    hq: Mapping[str, Path]
    lq: Mapping[str, Path]
    references: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        truths, inputs = self.places
        for where, other, ours, theirs in ((inputs, truths, self.lq, self.hq), (truths, inputs, self.hq, self.lq)):
            missing = sorted(theirs.keys() - ours.keys())
            if missing:
                raise ValueError(
                    f"{where} has no partner for {len(missing)} of {len(theirs)} pictures of {other}: "
                    f"{listed(missing)}."
                )
        if not self.hq:
            raise ValueError(f"There are no pictures in {truths}.")

    @property
    def names(self) -> list[str]:
        """Names of the pairs, sorted."""
        return sorted(self.hq)

    def scale(self, wanted: int | None = None) -> int:
        """Magnification from inputs to truths, by the headers of all files.

        Args:
            wanted: What it should be; None for that of the first pair.

        Raises:
            ValueError: If a pair has another.
            ImageFileError: If a file is no image.
        """
        scale = wanted
        for name in self.names:
            (width, height), (small_width, small_height) = picture_size(self.hq[name]), picture_size(self.lq[name])
            ratio = scale or max(1, width // small_width)
            if (small_width * ratio, small_height * ratio) != (width, height):
                truths, inputs = (place.name for place in self.places)
                raise ValueError(
                    f"The pair {name} does not fit: {width} x {height} pixels in {truths}, {small_width} x "
                    f"{small_height} in {inputs}; the truth must be {ratio} times as large on both sides."
                )
            scale = ratio
        assert scale is not None
        return scale


def paired_files(folder: Path, layout: PairedLayout, needs_references: bool = False) -> PairedFiles:
    """The files of a test set.

    Args:
        folder: The test set.
        layout: How it lies there.
        needs_references: Whether the folder of references must be there.

    Raises:
        FileNotFoundError: If a folder is not there.
        ValueError: If a name is there twice, a partner is missing, or there is nothing.
    """
    problems: list[str] = []
    hq, lq = truths_and_inputs(folder, layout, problems)
    references: dict[str, Path] = {}
    if layout.reference and (needs_references or (folder / layout.reference).is_dir()):
        references = pictures_by_name(folder / layout.reference, problems)
    if problems:
        raise ValueError(problems[0])
    return PairedFiles((folder / layout.hq, folder / layout.lq), hq, lq, references)


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture as it is shown, by its header.

    Raises:
        ImageFileError: If it is no image.
    """
    try:
        with path.open("rb") as file:
            return upright_size(open_header(file, str(path)))
    except OSError as error:
        raise DamagedImageError(f"{path} cannot be read: {error}.") from error
