"""Options of the commands that index photographs: docstrings are their help. Torch is not imported."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal

from faceops.command_help import Expert
from faceops.detection.detector_names import DEFAULT_DETECTOR, DetectorName


@dataclass(frozen=True)
class ExemplarIndexOptions:
    """Index portraits by person and split them into train and test.

    Args:
        source: Folder with one folder per person, tar archive (WebDataset), parquet file of images (Hugging Face
            datasets), or unpacked CelebAMask-HQ.
        output: Index to write, a parquet file.
        layout: Layout of the source; "auto" detects it.
        identities: CSV file with columns file, identity and optionally split; for CelebAMask-HQ, identity_CelebA.txt.
        split_file: CSV file with columns identity and split (train, test or unused), instead of a drawn split.
        min_images: Smallest number of images of a person; people with fewer are unused.
        min_side: Smallest side of an image in pixels; smaller images are left out.
        test_identities: Number of people in the test split; by default a tenth, for CelebAMask-HQ 287.
        seed: Seed of the split.
        verify: Decode every image instead of reading its header only, and leave out damaged ones.
        note: Remark to store in the index.

    Example:
        portraitdata exemplar-index people --output people.parquet
    """

    source: Path
    _: KW_ONLY
    output: Path
    layout: Literal["auto", "folders", "tar", "parquet", "celebamask-hq"] = "auto"
    identities: Path | None = None
    split_file: Path | None = None
    min_images: Expert[int] = 4
    min_side: Expert[int] = 64
    test_identities: Expert[int | None] = None
    seed: Expert[int] = 0
    verify: bool = False
    note: str = ""


@dataclass(frozen=True)
class InspectOptions:
    """Count the images and people of an exemplar index, and show some sets.

    Args:
        index: Index made by `exemplar-index`.
        root: Folder of the images, if it differs from the one in the index.
        sheet: Image to write, with one exemplar set per row.
        size: Side of the images on the sheet, in pixels.
        crop: Side of the centre crop of each image in pixels; the largest square by default.
        sets: Rows of the sheet for each split.

    Example:
        portraitdata inspect people.parquet --sheet sets.png
    """

    index: Path
    _: KW_ONLY
    root: Path | None = None
    sheet: Path | None = None
    size: int = 128
    crop: int | None = None
    sets: int = 6


@dataclass(frozen=True)
class PortraitIndexOptions:
    """Index whole portraits: images, their faces, pairs of faces of one person, and a split by person.

    Args:
        source: Folder of images, searched at any depth; tar archive (WebDataset) or parquet file of images (Hugging
            Face datasets); or folder of such files.
        output: Folder to write the index into.
        no_faces: Do not detect faces; for general images (LSDIR, DIV2K).
        pairs: Cosine similarity above which two faces are of one person.
        duplicates: Cosine similarity above which two faces are the same shot and make no pair.
        min_eyes: Smallest eye distance of a face, in pixels of the image; smaller faces are left out.
        test_share: Share of the images in the test split.
        seed: Seed of the split.
        detector: Face detector; the weights of scrfd are for non-commercial research only.
        detector_weights: File or name of the detector's weights; the default ones if not given.
        identity_weights: File or name of the weights of the recognition network.
        note: Remark to store in the index.
        test_list: Text file with the paths of the test images, one per line, instead of a share.
        copies: Folder outside the source for reduced copies, which are indexed instead of the images; for large images.
        shorter_side: Largest shorter side of the copies in pixels.
        workers: Number of processes; the number of cores by default. An interrupted run continues where it ended.
        device: Device of the recognition network, any-turn and retinaface; yunet and scrfd stay on the CPU.

    Example:
        portraitdata portrait-index photographs --output index
    """

    source: Path
    _: KW_ONLY
    output: Path
    no_faces: bool = False
    pairs: Expert[float] = 0.65
    duplicates: Expert[float] = 0.95
    min_eyes: Expert[float] = 64.0
    test_share: float = 0.1
    seed: Expert[int] = 0
    detector: Expert[DetectorName] = DEFAULT_DETECTOR
    detector_weights: Expert[str | None] = None
    identity_weights: Expert[str] = "mobilefacenet"
    note: str = ""
    test_list: Path | None = None
    copies: Path | None = None
    shorter_side: Expert[int] = 1000
    workers: int | None = None
    device: Expert[Literal["auto", "cpu", "cuda", "mps"]] = "cpu"
