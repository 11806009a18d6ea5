"""Commands of the ``portraitdata`` console script that make a data set of portraits and look after it.

A command imports what it needs when it runs, so that help is there at once.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from faceops.detection.detector_names import DetectorName
from portraitdata.builder.config import (
    DownloadSettings,
    DuplicateSettings,
    FaceSettings,
    LocalSource,
    MetadataSource,
    PairSettings,
    QualitySettings,
    ShardSettings,
    SizeRule,
    SplitSettings,
)

StageName = Literal["index", "download", "quality", "faces", "deduplicate", "pairs", "split", "shards"]
"""As `portraitdata.builder.layout.StageName`, which would import pyarrow."""


def build(
    *,
    output: Path,
    sources: tuple[MetadataSource | LocalSource, ...],
    partition: int = 1000,
    takedown: Path | None = None,
    unsafe_at_most: float = 1.0,
    size: SizeRule = SizeRule(),
    download: DownloadSettings = DownloadSettings(),
    quality: QualitySettings = QualitySettings(),
    faces: FaceSettings = FaceSettings(),
    duplicates: DuplicateSettings = DuplicateSettings(),
    pairs: PairSettings = PairSettings(),
    split: SplitSettings = SplitSettings(),
    shards: ShardSettings = ShardSettings(),
    from_stage: StageName | None = None,
    engine: Literal["processes", "ray"] = "processes",
    workers: int | None = None,
) -> None:
    """Build a data set of portraits from metadata of web images or from pictures, by the rules of PortraitSR-4K.

    What is done already is not done again; a build that was interrupted goes on. Settings are best given as a file.

    Args:
        output: Folder of the build.
        sources: Where images come from.
        partition: Images that are worked at together and written as one file of each stage.
        takedown: File of addresses, uids or SHA-256 sums, one a line, that are left out.
        unsafe_at_most: Largest probability of being unsafe for work, where the metadata have one.
        size: Which sizes are wanted.
        download: How img2dataset downloads.
        quality: Sharpness and other judges of quality.
        faces: Which faces are wanted, and the networks that find and embed them.
        duplicates: What counts as a duplicate.
        pairs: Which faces are one person.
        split: What is for testing.
        shards: How the result is packed.
        from_stage: Do this stage and those after it again.
        engine: Who works at the partitions; ray needs the extra of that name.
        workers: Processes or actors; as many as there are cores by default.
    """
    from portraitdata.builder.config import BuildConfig
    from portraitdata.commands.build import run_build

    settings = BuildConfig(
        output,
        sources,
        partition,
        takedown,
        unsafe_at_most,
        size,
        download,
        quality,
        faces,
        duplicates,
        pairs,
        split,
        shards,
    )
    run_build(settings, from_stage, engine, workers)


def status(build: Path) -> None:
    """Print what came through every stage of a build and what was dropped, and why.

    Args:
        build: Folder of the build.
    """
    from portraitdata.builder.layout import check_build

    check_build(build)

    from portraitdata.commands.build import run_status

    run_status(build)


def report(build: Path, *, output: Path, seed: int = 0) -> None:
    """Write a page that shows what a build kept and dropped, and why; it needs no other file.

    Args:
        build: Folder of the build.
        output: HTML file to write.
        seed: Seed of the choice of images to show.
    """
    from portraitdata.builder.layout import check_build

    check_build(build)

    from portraitdata.commands.report import run_report

    run_report(build, output, seed)


def verify(index: Path, *, deep: bool = False) -> int:
    """Check a portrait index: its tables, its archives, the bytes of every photograph, the split, what was taken down.

    Args:
        index: Folder of the index.
        deep: Decode every photograph, too.
    """
    from portraitdata.restoration.index.schemas import check_table

    check_table(index / "images.parquet")

    from portraitdata.commands.verify import run_verify

    return run_verify(index, deep)


def takedown(
    index: Path,
    *,
    uid: Sequence[str] = (),
    face: str | None = None,
    like: Path | None = None,
    similarity: float = 0.45,
    reason: str = "",
    date: str = "",
    dry_run: bool = False,
    yes: bool = False,
    detector: DetectorName = "yunet",
    detector_weights: str | None = None,
    identity_weights: str = "mobilefacenet",
) -> int:
    """Remove photographs, or all of a person, from an index, its archives and the build that it belongs to.

    Without --uid, --face and --like it finishes a takedown that was interrupted.

    Args:
        index: Folder of the index.
        uid: Photographs to remove.
        face: Face, as UID:NUMBER; all photographs of that person are removed.
        like: Picture of a person; all photographs of that person are removed.
        similarity: Faces that are more similar are of the person; a cosine.
        reason: What the list of what was taken down says about why.
        date: What it says about when.
        dry_run: Only list what would be removed.
        yes: Do not ask before the photographs of a person are removed.
        detector: Network that finds the face in the picture; the weights of scrfd are for non-commercial research only.
        detector_weights: File or name of its weights instead of the usual ones.
        identity_weights: File or name of the weights of the network that the index was made with.
    """
    from faceops.images.picture_files import check_there
    from portraitdata.restoration.index.schemas import check_table

    check_table(index / "images.parquet")
    if like is not None:
        check_there(like)

    from portraitdata.commands.takedown import PersonSearch, run_takedown

    search = PersonSearch(similarity, detector, detector_weights, identity_weights)
    return run_takedown(index, uid, face, like, search, reason, date, dry_run, yes)


BUILD_COMMANDS: dict[str, Any] = {
    "build": build,
    "status": status,
    "report": report,
    "verify": verify,
    "takedown": takedown,
}
