"""Commands of the ``portraitdata`` console script that build, inspect and maintain a portrait data set.

A command imports what it needs when it runs, so that help is fast.
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
    """Build a portrait data set from metadata of web images or from local images, by the rules of PortraitSR-4K.

    Finished work is not repeated, so an interrupted build continues. Pass settings as a file with --config.

    Args:
        output: Folder of the build.
        sources: Where images come from.
        partition: Images that are processed together and written as one file per stage.
        takedown: File of URLs, uids or SHA-256 sums to leave out, one per line.
        unsafe_at_most: Largest probability of being unsafe for work, if the metadata have one.
        size: Accepted sizes.
        download: Settings of img2dataset.
        quality: Sharpness and other quality scorers.
        faces: Accepted faces, and the networks that detect and embed them.
        duplicates: Criteria for duplicates.
        pairs: Criteria for faces of one person.
        split: Test share and seed.
        shards: Packing of the result.
        from_stage: Repeat this stage and all later ones.
        engine: Engine that processes the partitions; ray needs the extra of that name.
        workers: Number of processes or actors; the number of cores by default.
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
    """Print how many images passed each stage of a build, and why the others were dropped.

    Args:
        build: Folder of the build.
    """
    from portraitdata.builder.layout import check_build

    check_build(build)

    from portraitdata.commands.build import run_status

    run_status(build)


def report(build: Path, *, output: Path, seed: int = 0) -> None:
    """Write a self-contained HTML report of what a build kept and dropped, and why.

    Args:
        build: Folder of the build.
        output: HTML file to write.
        seed: Random seed for the choice of images to show.
    """
    from portraitdata.builder.layout import check_build

    check_build(build)

    from portraitdata.commands.report import run_report

    run_report(build, output, seed)


def verify(index: Path, *, deep: bool = False) -> int:
    """Verify a portrait index: its tables, its archives, the bytes of every image, the split, the takedowns.

    Args:
        index: Folder of the index.
        deep: Also decode every image.
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
    """Remove images, or all images of a person, from an index, its archives and its build.

    Without --uid, --face and --like, finish an interrupted takedown.

    Args:
        index: Folder of the index.
        uid: Images to remove.
        face: Face, as UID:NUMBER; all images of that person are removed.
        like: Image of a person; all images of that person are removed.
        similarity: Cosine similarity above which a face is of the person.
        reason: Reason to record in the list of takedowns.
        date: Date to record in it.
        dry_run: Only list the images.
        yes: Do not ask before the images of a person are removed.
        detector: Face detector for the image; the weights of scrfd are for non-commercial research only.
        detector_weights: File or name of the detector's weights; the default ones if not given.
        identity_weights: File or name of the weights of the recognition network with which the index was made.
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
