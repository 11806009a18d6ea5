"""Options of the commands: docstrings are their help. Torch is not imported, which takes seconds."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal

from faceops.command_help import Expert
from headsup.weights.model_card import ModelCard
from headsup.weights.shipped import DEFAULT_WEIGHTS

SILENT_CARD = ModelCard()


@dataclass(frozen=True)
class RestoreFilesOptions:
    """Restore photographs of any size, optionally with reference photographs of the people in them.

    Args:
        inputs: Images, folders of them, patterns such as 'album/*.jpg', or - for an image that is piped in.
        output: Image to write, or folder if there are several inputs; existing results are skipped; - pipes PNG on.
        reference: Photographs of the people, or folders of them; a folder within is a person and has the name.
        scale: Magnification; default 4, less for large photographs.
        size: Size of the result in pixels, such as 1600x1200; instead of a scale.
        weights: Name of shipped weights, or a .safetensors file written by headsup export.
        base: Base model, if it is not where the weights say; a folder in diffusers' layout or a hub id.
        fidelity: Closeness to the input, from 0 (all restored detail) to 1 (damage removed, nothing invented).
        colour: Colour correction; wavelet keeps the low frequencies of the input, adain its mean and deviation.
        give_back: Share of what the input shows beyond noise, and the result has lost, that is given back to it, from 0
            to 1; default 0.4 with the small restorer that is shipped, 0 with restorers as in the paper.
        tile: Side of what is denoised at a time, in pixels of the result; does not change the result.
        overlap: Overlap of neighbouring tiles in pixels.
        memory: Limit of the memory in gigabytes; computes in smaller pieces, which takes longer.
        prompt: Description of the images, for base models with a text encoder.
        device: Device; auto takes the first available of cuda, mps and cpu.
        precision: Type of the base model's weights; auto is bfloat16 on cuda, float32 elsewhere.
        face_box: Left, top, right and bottom of the face in pixels, where detection finds none or the wrong one.
        confine_references: Limit the effect of a reference to its face; false is one pass, as in the paper, and faster.
        reference_strength: Influence of the references, from 0 (none) to 1.
        recursive: Read folders with all folders in them, and write into such folders.
        strip_metadata: Leave out place, date, names and captions of the input (EXIF, XMP, IPTC); kept otherwise.
        report: JSON report of sizes, times, faces and similarities; rewritten every few seconds and at the end.
        compare: Sheet of input, result, faces and references; a folder of sheets if there are several inputs.
        force: Use references that seem to show someone else, and continue where no face is detected.
        overwrite: Replace existing results.
        tagger: Tagger that describes each image, such as dape, before the prompt; or the path of a class.

    Example:
        headsup restore grandmother.jpg --output restored.png --reference anna.jpg
    """

    inputs: Sequence[Path]
    _: KW_ONLY
    output: Path
    reference: Sequence[Path] = ()
    scale: float | None = None
    size: str | None = None
    weights: str = DEFAULT_WEIGHTS
    base: Expert[str | None] = None
    fidelity: float = 0.0
    colour: Expert[Literal["wavelet", "adain", "none"]] = "wavelet"
    give_back: Expert[float | None] = None
    tile: Expert[int] = 1024
    overlap: Expert[int] = 256
    memory: float | None = None
    prompt: Expert[str] = ""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Expert[Literal["auto", "float32", "bfloat16"]] = "auto"
    face_box: Expert[Sequence[float]] = ()
    confine_references: Expert[bool] = True
    reference_strength: Expert[float] = 1.0
    recursive: bool = False
    strip_metadata: bool = False
    report: Path | None = None
    compare: Path | None = None
    force: bool = False
    overwrite: bool = False
    tagger: Expert[str | None] = None


@dataclass(frozen=True)
class BlendFilesOptions:
    """Restore photographs with one restorer and paste faces of another into them; a baseline for comparisons.

    Args:
        inputs: Images, folders of them, patterns such as 'album/*.jpg', or - for an image that is piped in.
        output: Image to write, or folder if there are several inputs; existing results are skipped; - pipes PNG on.
        face: Restorer of the aligned faces: name of shipped weights, a .safetensors file of headsup export, or a file
            of another restorer that spandrel knows, such as GFPGAN or CodeFormer.
        general: Restorer of the whole image, likewise, such as Real-ESRGAN or SwinIR.
        background: Restorer of the whole image by name, out of an installed package; instead of a file.
        face_size: Side in pixels at which faces are restored; 512 on Stable Diffusion and for restorers of faces such
            as GFPGAN, 128 to 512 on the small base.
        scale: Magnification; default 4, less for large photographs.
        size: Size of the result in pixels, such as 1600x1200; instead of a scale.
        base: Base model of the whole, if it is not where the weights say; a folder in diffusers' layout or a hub id.
        face_base: Base model of the faces, likewise.
        fidelity: Closeness to the input, from 0 (all restored detail) to 1 (the enlarged input).
        colour: Colour correction of HeadsUp's restorers; wavelet keeps the low frequencies of the input, adain its mean
            and deviation. Other restorers keep their own colours.
        tile: Side of what is denoised at a time, in pixels of the result; does not change the result.
        overlap: Overlap of neighbouring tiles in pixels.
        memory: Limit of the memory in gigabytes; HeadsUp's restorers compute in smaller pieces, which takes longer.
        prompt: Description of the images, for base models with a text encoder.
        device: Device; auto takes the first available of cuda, mps and cpu.
        precision: Type of the base models' weights; auto is bfloat16 on cuda, float32 elsewhere. Other restorers are
            float32.
        recursive: Read folders with all folders in them, and write into such folders.
        strip_metadata: Leave out place, date, names and captions of the input (EXIF, XMP, IPTC); kept otherwise.
        report: JSON report of sizes, times, faces and their seams; rewritten every few seconds and at the end.
        compare: Sheet of input, result and faces; a folder of sheets if there are several inputs.
        overwrite: Replace existing results.

    Example:
        headsup blend old.jpg --output new.png --general general.safetensors --face face.safetensors
    """

    inputs: Sequence[Path]
    _: KW_ONLY
    output: Path
    face: str
    general: str | None = None
    background: Literal["realesrgan-x4plus"] | None = None
    face_size: Expert[int] = 512
    scale: float | None = None
    size: str | None = None
    base: Expert[str | None] = None
    face_base: Expert[str | None] = None
    fidelity: float = 0.0
    colour: Expert[Literal["wavelet", "adain", "none"]] = "wavelet"
    tile: Expert[int] = 1024
    overlap: Expert[int] = 256
    memory: float | None = None
    prompt: Expert[str] = ""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Expert[Literal["auto", "float32", "bfloat16"]] = "auto"
    recursive: bool = False
    strip_metadata: bool = False
    report: Path | None = None
    compare: Path | None = None
    overwrite: bool = False


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """Serve a web page on this machine that restores photographs.

    Args:
        host: Address to listen at; the default is reachable from this machine only.
        port: Port to listen at; 0 for any that is free.
        names: Names under which browsers may ask for it, besides its addresses in numbers and the name of the machine:
            that of a proxy or of a router, with http or https.
        weights: Names of shipped weights, or .safetensors files of headsup export; the first is the page's default.
        base: Base model of these, if it is not where they say; a folder in diffusers' layout or a hub id.
        prompt: Description of the images, for base models with a text encoder.
        device: Device; auto takes the first available of cuda, mps and cpu.
        precision: Type of the base model's weights; auto is bfloat16 on cuda, float32 elsewhere.
        memory: Limit of the memory of a restoration, weights included, in gigabytes.
        largest_upload_mb: Largest upload in megabytes.
        largest_megapixels: Largest photograph, reference or result in megapixels.
        open_browser: Open the page in the browser.

    Example:
        headsup serve --open-browser
    """

    host: str = "127.0.0.1"
    port: int = 7860
    names: Expert[Sequence[str]] = ()
    weights: Sequence[str] = (DEFAULT_WEIGHTS,)
    base: Expert[str | None] = None
    prompt: Expert[str] = ""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Expert[Literal["auto", "float32", "bfloat16"]] = "auto"
    memory: float | None = None
    largest_upload_mb: Expert[float] = 50.0
    largest_megapixels: Expert[float] = 25.0
    open_browser: bool = False


@dataclass(frozen=True)
class ExportOptions:
    """Export a training checkpoint to a weights file.

    Args:
        checkpoint: Checkpoint (.ckpt) of headsup fit of a restorer.
        output: Weights file (.safetensors) to write.
        base: Place of the base model for users of the file, if not that of the training.
        card: Model card of the weights.
        half: Store float16, at half the size.

    Example:
        headsup export runs/restorer/version_0/checkpoints/last.ckpt --output mine.safetensors
    """

    checkpoint: Path
    _: KW_ONLY
    output: Path
    base: Expert[str | None] = None
    card: ModelCard = SILENT_CARD
    half: bool = False


@dataclass(frozen=True)
class ImportOptions:
    """Convert a checkpoint of OSEDiff to a weights file.

    Args:
        checkpoint: A .pkl file as OSEDiff writes it, or osediff or osediff-face, which are fetched.
        output: Weights file (.safetensors) to write.
        base: Base model that users of the file need, in diffusers' layout; Stable Diffusion 2.1-base by default.
        card: Model card of the weights.
        half: Store float16, at half the size.

    Example:
        headsup import osediff --output osediff.safetensors
    """

    checkpoint: str
    _: KW_ONLY
    output: Path
    base: Expert[str | None] = None
    card: ModelCard = SILENT_CARD
    half: bool = False


@dataclass(frozen=True)
class MergeOptions:
    """Merge the adapters into the base model and write a diffusers folder for other software.

    Args:
        weights: Name of shipped weights, or a .safetensors file.
        output: Folder to write; it must not exist yet.
        base: Base model, if it is not where the weights say: a folder in diffusers' layout or a hub id.
        prompt: Text whose embedding is included.

    Example:
        headsup merge mine.safetensors --output merged
    """

    weights: str
    _: KW_ONLY
    output: Path
    base: Expert[str | None] = None
    prompt: Expert[str] = ""
