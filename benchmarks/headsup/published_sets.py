"""Published test sets of pairs, where somebody has put them: PORTRAIT_TEST_SETS, or data/."""

import os
from pathlib import Path

from benchmarks.headsup.samples import PublishedSamples
from portraitdata.restoration.paired_images import PairedImages

VARIABLE = "PORTRAIT_TEST_SETS"
"""Environment variable: folder with CelebA-Test, DIV2K, RealSR and DRealSR, each as it is published."""


def published_set(name: str, aligned: bool, limit: int | None) -> PublishedSamples | None:
    """Pairs of a test set, in one of the layouts of `portraitdata.restoration.paired_layouts`; None if it is not there.

    Args:
        name: Of its folder.
        aligned: Whether its pictures are faces aligned to FFHQ.
        limit: Use only this many, evenly spread.

    Raises:
        ValueError: If it is there and its layout is not known, or pairs do not fit.
    """
    folder = Path(os.environ.get(VARIABLE) or "data") / name
    return PublishedSamples(PairedImages(folder), aligned, limit) if folder.is_dir() else None


def where(name: str) -> str:
    """Where a test set would be looked for, as a sentence."""
    return f"{name} itself is scored where {VARIABLE} (or data/) has a folder {name} in its published layout."
