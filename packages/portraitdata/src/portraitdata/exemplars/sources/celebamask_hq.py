"""CelebAMask-HQ (Lee et al., 2020) with the identities of CelebA (Liu et al., 2015), the data of HIME.

The archive of CelebAMask-HQ does not say who is who. Its ``CelebA-HQ-to-CelebA-mapping.txt`` names the CelebA file of
every image, and CelebA's ``identity_CelebA.txt``, which its authors give on request, the identity of that file.
"""

import warnings
from pathlib import Path

from portraitdata.exemplars.index import Photograph, identity_counts
from portraitdata.exemplars.sources.scanning import MIN_SIDE, Scan, Skipped, scan
from portraitdata.exemplars.splits import MIN_IMAGES

IMAGES, MAPPING, IDENTITIES = "CelebA-HQ-img", "CelebA-HQ-to-CelebA-mapping.txt", "identity_CelebA.txt"

TRAIN_IDENTITIES, TEST_IDENTITIES = 2600, 287
"""HIME, Section 5.1. It keeps 2,917 identities and splits 2,887; which 30 it leaves out, it does not say."""

EXPECTED = {"images": 30_000, "identities": 6_217, "identities with at least four images": 2_917}


def scan_celebamask_hq(
    source: Path, identities: Path | None = None, *, min_side: int = MIN_SIDE, verify: bool = False
) -> Scan:
    """Scan an unpacked CelebAMask-HQ; warns where its counts are not those of the whole set.

    Args:
        source: Folder with ``CelebA-HQ-img/`` and ``CelebA-HQ-to-CelebA-mapping.txt``.
        identities: CelebA's ``identity_CelebA.txt``; looked for in `source` if not given.

    Raises:
        FileNotFoundError: If one of the three is missing.
        ValueError: If a table has another form.
    """
    if not (source / IMAGES).is_dir():
        raise FileNotFoundError(f"There is no folder {source / IMAGES}; CelebAMask-HQ must be unpacked in {source}.")
    identities = source / IDENTITIES if identities is None else identities
    if not identities.is_file():
        raise FileNotFoundError(
            f"There is no {identities}. CelebAMask-HQ comes without identities: ask the authors of CelebA for "
            f"{IDENTITIES} and put it into {source}, or say where it is."
        )
    identity_of = {row[0]: row[1] for row in _read_rows(identities, 2)}
    candidates, skipped = [], []
    for number, _, original in _read_rows(source / MAPPING, 3)[1:]:
        path = f"{IMAGES}/{number}.jpg"
        if not (source / path).is_file():
            skipped.append(Skipped(path, f"{path} is listed in {MAPPING} but is not there."))
        elif original not in identity_of:
            skipped.append(Skipped(path, f"{path} is {original} of CelebA, which is not listed in {identities.name}."))
        else:
            size = (source / path).stat().st_size
            candidates.append(Photograph(path, None, 0, size, identity_of[original], "unused", 0, 0))
    found = scan(candidates, source, "celebamask-hq", min_side=min_side, verify=verify, skipped=skipped)
    _compare_counts(found)
    return found


def _compare_counts(found: Scan) -> None:
    counts = identity_counts(found.index.photographs)
    enough = sum(count >= MIN_IMAGES for count in counts.values())
    for (name, expected), count in zip(EXPECTED.items(), (sum(counts.values()), len(counts), enough), strict=True):
        if count != expected:
            warnings.warn(f"CelebAMask-HQ has {expected:,} {name}; {count:,} were found.", UserWarning, stacklevel=3)


def _read_rows(path: Path, columns: int) -> list[list[str]]:
    """Rows of a table whose columns are parted by white space."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    wrong = [number for number, row in enumerate(rows, start=1) if len(row) != columns]
    if wrong:
        raise ValueError(f"{path} should have {columns} columns; line {wrong[0]} has another number.")
    return rows
