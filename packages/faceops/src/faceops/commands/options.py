"""Options of the commands: docstrings are their help. Torch is not imported, which takes seconds."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal

from faceops.command_help import Expert
from faceops.detection.detector_names import DEFAULT_DETECTOR, DetectorName


@dataclass(frozen=True)
class DetectOptions:
    """Detect faces: boxes, scores, five landmarks, eye distance.

    Args:
        images: Images, or folders of images.
        json: Print JSON instead of one line per image.
        draw: Folder to write copies with boxes and landmarks drawn in.
        overwrite: Replace drawings that exist.
        detector: Face detector; the weights of scrfd are for non-commercial research only.
        weights: File or name of the detector's weights; the default ones if not given.
        threshold: Lowest score of a face, between 0 and 1; the detector's own by default.
        tiny: Also detect tiny faces; takes several times as long.
        recursive: Read folders with all folders in them, and draw into such folders.
        max_memory: Limit of the memory for an image in gigabytes; half of the machine's by default.

    Example:
        faceops detect album --draw drawn
    """

    images: Sequence[Path]
    _: KW_ONLY
    json: bool = False
    draw: Path | None = None
    overwrite: bool = False
    detector: Expert[DetectorName] = DEFAULT_DETECTOR
    weights: Expert[str | None] = None
    threshold: Expert[float | None] = None
    tiny: bool = False
    recursive: bool = False
    max_memory: Expert[float | None] = None


@dataclass(frozen=True)
class AlignOptions:
    """Crop the faces of photographs and align them to a template.

    Args:
        images: Images, or folders of images.
        output: Folder to write into; created if missing.
        size: Side of the crops in pixels.
        template: Template of the crop; ffhq with hair and chin, arcface for recognition, lfw with what is around the
            head, for HIME.
        estimator: How the transform is fitted to the landmarks; lmeds ignores outliers.
        detector: Face detector; the weights of scrfd are for non-commercial research only.
        threshold: Lowest score of a face, between 0 and 1; the detector's own by default.
        largest: Use only the largest face of each image.
        overwrite: Replace files that exist.
        json: Print JSON with the source and matrix of each crop instead of its name.
        recursive: Read folders with all folders in them, and write into such folders.
        max_memory: Limit of the memory for an image in gigabytes; half of the machine's by default.

    Example:
        faceops align album --output faces
    """

    images: Sequence[Path]
    _: KW_ONLY
    output: Path
    size: int = 512
    template: Literal["ffhq", "arcface", "lfw"] = "ffhq"
    estimator: Expert[Literal["least_squares", "lmeds"]] = "least_squares"
    detector: Expert[DetectorName] = DEFAULT_DETECTOR
    threshold: Expert[float | None] = None
    largest: bool = False
    overwrite: bool = False
    json: bool = False
    recursive: bool = False
    max_memory: Expert[float | None] = None


@dataclass(frozen=True)
class CompareOptions:
    """Tell whether two photographs show the same person.

    Args:
        first: Image; its largest face is used.
        second: Image; its largest face is used.
        network: Name or file of the weights of a recognition network.
        threshold: Lowest similarity of two faces of one person, between -1 and 1; the network's own by default.
        detector: Face detector; the weights of scrfd are for non-commercial research only.
        json: Print JSON instead of a sentence.
        max_memory: Limit of the memory for an image in gigabytes; half of the machine's by default.

    Example:
        faceops compare anna.jpg somebody.jpg
    """

    first: Path
    second: Path
    _: KW_ONLY
    network: Expert[str] = "mobilefacenet"
    threshold: Expert[float | None] = None
    detector: Expert[DetectorName] = DEFAULT_DETECTOR
    json: bool = False
    max_memory: Expert[float | None] = None


@dataclass(frozen=True)
class EmbedOptions:
    """Compute the embeddings of faces. They are biometric data: protect them like the photographs.

    Args:
        images: Images, or folders of images.
        output: File (.npz) to write; without it one line of JSON per face is printed.
        network: Name or file of the weights of a recognition network.
        detector: Face detector; the weights of scrfd are for non-commercial research only.
        threshold: Lowest score of a face, between 0 and 1; the detector's own by default.
        largest: Use only the largest face of each image.
        overwrite: Replace the file if it exists.
        recursive: Read folders with all folders in them.
        max_memory: Limit of the memory for an image in gigabytes; half of the machine's by default.

    Example:
        faceops embed album --output faces.npz
    """

    images: Sequence[Path]
    _: KW_ONLY
    output: Path | None = None
    network: Expert[str] = "mobilefacenet"
    detector: Expert[DetectorName] = DEFAULT_DETECTOR
    threshold: Expert[float | None] = None
    largest: bool = False
    overwrite: bool = False
    recursive: bool = False
    max_memory: Expert[float | None] = None
