"""Options of `portraitdata tag`. Torch is not imported."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal

from faceops.command_help import Expert


@dataclass(frozen=True)
class TagOptions:
    """Tag the images of an index: the prompts that a restorer is trained with.

    Images that have tags keep them. An interrupted run continues where it ended.

    Args:
        index: Index made by `portrait-index` or `build`.
        tagger: Name of a tagger of an installed package, such as dape or ram, or the path of a class.
        batch: Images that the tagger sees at once.
        workers: Number of processes that read images; the number of cores by default.
        device: Device of the tagger; auto takes the first available of cuda, mps and cpu.
        overwrite: Tag images that have tags anew.

    Example:
        portraitdata tag index --tagger dape
    """

    index: Path
    _: KW_ONLY
    tagger: str
    batch: Expert[int] = 32
    workers: Expert[int | None] = None
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    overwrite: bool = False
