"""Layouts in which test sets of pairs are published: which folder holds the truth, which the input."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


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
