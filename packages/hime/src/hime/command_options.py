"""Options of the commands: docstrings are their help. Torch is not imported, which takes seconds."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal

from faceops.command_help import Expert
from hime.weights.model_card import ModelCard

SILENT_CARD = ModelCard()


@dataclass(frozen=True)
class UpscaleOptions:
    """Enlarge a headshot, optionally with exemplars: other photographs of the same person.

    Args:
        low: Image to enlarge, a folder of images of one person, or - for an image that is piped in.
        output: Image to write, or folder; existing results are skipped; - pipes PNG on.
        exemplars: Photographs of the same person, or folders of them; any number, none gives weaker results.
        scale: Magnification, 2, 4 or 8; selects shipped weights, 4 by default.
        weights: Name of shipped weights, or a .safetensors file; instead of a scale.
        perceptual: Use the shipped weights trained with a perceptual loss: sharper, with larger errors.
        maps: Folder for two heat maps of every exemplar: its weight, dark for 0 and light for 1, and its similarity
            beside the best exemplar at the same place, light for the best.
        compare: Sheet with input, bicubic, result and exemplars; a folder of sheets if low is one.
        align: Alignment of exemplars: faces aligns their largest face with that of the image, middle crops their
            middle.
        tile: Side of the overlapping tiles in which larger images are computed, in low-resolution pixels.
        device: Device; auto takes the first available of cuda, mps and cpu.
        recursive: Read a folder with all folders in it, and write into such folders.
        strip_metadata: Leave out place, date, names and captions of the input (EXIF, XMP, IPTC); kept otherwise.
        overwrite: Replace existing results.
        max_memory: Limit of the memory for an image, its result, the computation and all exemplars in gigabytes, beside
            the weights; half of the machine's by default. Tiles become smaller until they fit.

    Example:
        hime upscale small.png --output large.png --exemplars album/anna
    """

    low: Path
    _: KW_ONLY
    output: Path
    exemplars: Sequence[Path] = ()
    scale: Literal[2, 4, 8] | None = None
    weights: str | None = None
    perceptual: bool = False
    maps: Expert[Path | None] = None
    compare: Path | None = None
    align: Expert[Literal["faces", "middle"]] = "faces"
    tile: Expert[int] = 128
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    recursive: bool = False
    strip_metadata: bool = False
    overwrite: bool = False
    max_memory: Expert[float | None] = None


@dataclass(frozen=True)
class EvaluateOptions:
    """Score weights on held-out people: PSNR, SSIM and LPIPS, by number and kind of exemplars.

    Args:
        names: Names of shipped weights, or .safetensors files.
        index: Index of exemplar sets, made by ``portraitdata exemplar-index``.
        size: Side of the high-resolution images in pixels.
        crop: Side of the centred square cut from each photograph before it is resized; the largest one by default.
        split: Part of the index to score.
        references: Numbers of references to score with.
        stranger: Also score with the photographs of another person.
        blank: Also score with black images as references.
        limit: Score this many photographs, evenly spread.
        device: Device.
        json: Print JSON instead of a table.

    Example:
        hime evaluate small-x4 --index people.parquet
    """

    names: Sequence[str]
    _: KW_ONLY
    index: Path
    size: int = 128
    crop: Expert[int | None] = None
    split: Expert[Literal["train", "test", "unused"]] = "test"
    references: Sequence[int] = (0, 1, 3)
    stranger: Expert[bool] = False
    blank: Expert[bool] = False
    limit: Expert[int | None] = None
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    json: bool = False


@dataclass(frozen=True)
class ExportOptions:
    """Export a training checkpoint to a weights file, or weights to ONNX.

    Args:
        source: Checkpoint (.ckpt) of hime fit, or name or file of weights.
        output: Weights file (.safetensors) to write from a checkpoint.
        half: Store float16, at half the size.
        card: Model card of the weights.
        onnx: ONNX file to write.
        lr_size: Side of the input of the ONNX graph in pixels; the training size of the model card if not given.
        without_references: Leave exemplars out of the ONNX graph.

    Example:
        hime export runs/hime/version_0/checkpoints/last.ckpt --output mine.safetensors
    """

    source: str
    _: KW_ONLY
    output: Path | None = None
    half: bool = False
    card: ModelCard = SILENT_CARD
    onnx: Path | None = None
    lr_size: int | None = None
    without_references: bool = False


@dataclass(frozen=True)
class CorrelationMapOptions:
    """Draw the correlation maps of an image (HIME, Figure 6).

    Args:
        image: Image file.
        output: Figure to write; default NAME_correlation.png beside the image.
        window: Sides k of the windows, odd.
        dilation: Distance of neighbouring offsets in pixels.
        overwrite: Replace the figure if it exists.

    Example:
        hime correlation-map portrait.png
    """

    image: Path
    _: KW_ONLY
    output: Path | None = None
    window: Sequence[int] = (3, 5, 7)
    dilation: int = 1
    overwrite: bool = False
