"""What is to be tested on what, as the command line or a YAML file says it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from portraitdata.degradation.presets import PresetName

Task = Literal["faces", "portraits", "general"]
"""What HeadsUp's tables test: aligned faces (Table 1), portraits (Tables 2 and 4), pictures of anything (Table 3)."""

Device = Literal["auto", "cpu", "cuda", "mps"]
"""Where restorers and metrics run, see `faceops.device.select_device`."""


@dataclass(frozen=True)
class GivenSet:
    """A test set that somebody has.

    Args:
        folder: A published test set in its own layout, a portrait index, or a folder with others for the pairs.
        hq: Folder of the truths, within `folder`; with `lq`, where the layout is none that is known.
        lq: Folder of the inputs.
        reference: Folder of the reference faces, 512 x 512 pixels, aligned to FFHQ.
        task: What it tests, which decides on metrics and on the paper's table; None to tell by name and content.
        size: Of an index, side of the truths in pixels.
        scale: Of an index, sides of the truths divided by those of the inputs.
        preset: Of an index, degradation that makes the inputs.
    """

    folder: Path
    hq: str | None = None
    lq: str | None = None
    reference: str | None = None
    task: Task | None = None
    size: int = 1024
    scale: int = 4
    preset: PresetName = "realesrgan"


@dataclass(frozen=True)
class GivenTests:
    """Restorers, outputs of others, and what they are tested on.

    Args:
        sets: Test sets by name.
        weights: Files or shipped names of restorers, by the name of the row.
        results: Folders of pictures that other software has made of the inputs, by the name of the row; where several
            sets are tested, with a folder for each set, of its name.
        metrics: Names of `portraitdata score`; none for the paper's.
        limit: Use only this many pictures of a set, evenly spread; None for all.
        device: Where restorers and metrics run.
        download: Whether weights of metrics that are missing are fetched.
    """

    sets: Mapping[str, GivenSet]
    weights: Mapping[str, str] = field(default_factory=dict)
    results: Mapping[str, Path] = field(default_factory=dict)
    metrics: Sequence[str] = ()
    limit: int | None = None
    device: Device = "cpu"
    download: bool = False
