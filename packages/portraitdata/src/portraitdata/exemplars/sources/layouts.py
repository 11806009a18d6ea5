"""Choice of the source that reads a folder or archive, and its default split of identities."""

from pathlib import Path
from typing import Literal

from portraitdata.exemplars.index import ExemplarIndex, Split, identity_counts
from portraitdata.exemplars.sources.celebamask_hq import IMAGES, TEST_IDENTITIES, TRAIN_IDENTITIES, scan_celebamask_hq
from portraitdata.exemplars.sources.folders import scan_folders
from portraitdata.exemplars.sources.parquets import scan_parquets
from portraitdata.exemplars.sources.scanning import MIN_SIDE, Scan
from portraitdata.exemplars.sources.tars import scan_tars
from portraitdata.exemplars.splits import MIN_IMAGES, split_identities
from portraitdata.loading.parquet_pictures import PARQUET, is_picture_file

Layout = Literal["folders", "tar", "parquet", "celebamask-hq"]


def recognised_layout(source: Path) -> Layout:
    """Layout of a folder or archive, by what lies in it; FileNotFoundError if there is nothing at `source`."""
    if not source.exists():
        raise FileNotFoundError(f"There is no folder or archive {source}.")
    if source.is_file():
        return "parquet" if source.suffix == PARQUET else "tar"
    if any(source.glob("*.tar")):
        return "tar"
    if any(is_picture_file(path) for path in source.glob(f"*{PARQUET}")):
        return "parquet"
    return "celebamask-hq" if (source / IMAGES).is_dir() else "folders"


def scan_layout(
    source: Path, layout: Layout, identities: Path | None = None, *, min_side: int = MIN_SIDE, verify: bool = False
) -> Scan:
    """Scan `source` as a layout; the arguments are those of `scan_folders`."""
    scanners = {
        "folders": scan_folders,
        "tar": scan_tars,
        "parquet": scan_parquets,
        "celebamask-hq": scan_celebamask_hq,
    }
    return scanners[layout](source, identities, min_side=min_side, verify=verify)


def assign_splits(
    index: ExemplarIndex,
    given: dict[str, Split] | None = None,
    *,
    test_identities: int | None = None,
    min_images: int = MIN_IMAGES,
    seed: int = 0,
) -> ExemplarIndex:
    """Put every identity into a split.

    A split that is given wins: first `given`, then one that came with the photographs. Otherwise identities are drawn;
    of a whole CelebAMask-HQ 2,600 and 287, as in HIME, of anything else a tenth for testing.

    Args:
        index: Photographs; not all "unused" means that their source came with a split.
        given: Split of each identity; those that it does not name are "unused".
        min_images: Photographs that an identity needs, drawn or given.

    Raises:
        ValueError: If there are too few identities.
    """
    counts = identity_counts(index.photographs)
    if given is None and any(row.split != "unused" for row in index.photographs):
        given = {row.identity: row.split for row in index.photographs}
    if given is not None:
        split_of = {name: split for name, split in given.items() if counts.get(name, 0) >= min_images}
        chosen = index.with_splits(split_of)
        if not any(row.split != "unused" for row in chosen.photographs):
            raise ValueError(
                f"The given split leaves nothing: no identity in it has at least {min_images} photographs here."
            )
        return chosen
    train, test = None, test_identities if test_identities is not None else 0.1
    enough = sum(count >= min_images for count in counts.values())
    if index.source == "celebamask-hq" and test_identities is None and enough >= TRAIN_IDENTITIES + TEST_IDENTITIES:
        train, test = TRAIN_IDENTITIES, TEST_IDENTITIES
    drawn = split_identities(counts, test=test, train=train, min_images=min_images, seed=seed)
    return ExemplarIndex(index.root, index.with_splits(drawn).photographs, index.source, seed, index.note)
