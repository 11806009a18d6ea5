"""Options of the commands that build, inspect and maintain a portrait data set: docstrings are their help."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from faceops.command_help import Expert
from faceops.detection.detector_names import DEFAULT_DETECTOR, DetectorName
from portraitdata.builder.config import BuildConfig, EngineName, StageName
from portraitdata.storage.places import Place


@dataclass(frozen=True, kw_only=True)
class BuildOptions(BuildConfig):
    """Build a portrait data set from metadata of web images or from local images, by the rules of PortraitSR-4K.

    Finished work is not repeated, so an interrupted build continues. Pass settings as a file with --config.

    Args:
        from_stage: Repeat this stage and all later ones.
        engine: Engine that processes the partitions; ray needs the extra of that name.
        workers: Number of processes or actors; the number of cores by default.
        quality_gpus: GPUs that an actor of ray reserves in the stage quality; a fraction shares one.
        faces_gpus: GPUs that it reserves in the stage faces.

    Example:
        portraitdata build --config build_configs/photographs.yaml
    """

    from_stage: StageName | None = None
    engine: EngineName = "processes"
    workers: int | None = None
    quality_gpus: Expert[float] = 0.0
    faces_gpus: Expert[float] = 0.0


@dataclass(frozen=True)
class ReportOptions:
    """Write a self-contained HTML report of what a build kept and dropped, and why.

    Args:
        build: Folder of the build.
        output: HTML file to write.
        seed: Random seed for the choice of images to show.

    Example:
        portraitdata report build --output report.html
    """

    build: Place
    _: KW_ONLY
    output: Path
    seed: int = 0


@dataclass(frozen=True)
class VerifyOptions:
    """Verify a portrait index: its tables, its archives, the bytes of every image, the split, the takedowns.

    Args:
        index: Folder of the index.
        deep: Also decode every image.

    Example:
        portraitdata verify index --deep
    """

    index: Path
    _: KW_ONLY
    deep: bool = False


@dataclass(frozen=True)
class TakedownOptions:
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

    Example:
        portraitdata takedown index --like photograph.jpg --reason "asked by the person"
    """

    index: Path
    _: KW_ONLY
    uid: Sequence[str] = ()
    face: str | None = None
    like: Path | None = None
    similarity: Expert[float] = 0.45
    reason: str = ""
    date: str = ""
    dry_run: bool = False
    yes: bool = False
    detector: Expert[DetectorName] = DEFAULT_DETECTOR
    detector_weights: Expert[str | None] = None
    identity_weights: Expert[str] = "mobilefacenet"
