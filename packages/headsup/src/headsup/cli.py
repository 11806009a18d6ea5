"""The ``headsup`` console script.

Nothing here imports lightning, torch or diffusers, which take seconds: a command imports what it needs when it runs.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from jsonargparse import auto_cli

from faceops.command_line import ShellParser, run_command
from headsup.model.diffusers_networks import import_networks
from headsup.weights.model_card import ModelCard
from headsup.weights.shipped import DEFAULT_WEIGHTS

SILENT_CARD = ModelCard()


def fit() -> None:
    """Train a restorer, or a part of the small base model."""


def validate() -> None:
    """Score a checkpoint on the validation photographs."""


def test() -> None:
    """Score a checkpoint on the test photographs."""


def predict() -> None:
    """Restore the photographs of a datamodule."""


def restore(
    inputs: Sequence[Path],
    *,
    output: Path,
    reference: Sequence[Path] = (),
    scale: float | None = None,
    size: str | None = None,
    weights: str = DEFAULT_WEIGHTS,
    base: str | None = None,
    fidelity: float = 0.0,
    colour: Literal["wavelet", "adain", "none"] = "wavelet",
    tile: int = 1024,
    overlap: int = 256,
    memory: float | None = None,
    prompt: str = "",
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
    face_box: Sequence[float] = (),
    confine_references: bool = True,
    reference_strength: float = 1.0,
    recursive: bool = False,
    strip_metadata: bool = False,
    report: Path | None = None,
    compare: Path | None = None,
    force: bool = False,
    overwrite: bool = False,
) -> int:
    """Restore photographs of any size, optionally with reference photographs of the people in them.

    Args:
        inputs: Images, folders of them, or patterns such as 'album/*.jpg'.
        output: Image to write, or folder if there are several inputs; existing results are skipped.
        reference: Photographs of the people, or folders of them; matched with the faces automatically.
        scale: Magnification; default 4, less for large photographs.
        size: Size of the result in pixels, such as 1600x1200; instead of a scale.
        weights: Name of shipped weights, or a .safetensors file written by headsup export.
        base: Base model, if it is not where the weights say; a folder in diffusers' layout or a hub id.
        fidelity: Closeness to the input, from 0 (all restored detail) to 1 (damage removed, nothing invented).
        colour: Colour correction; wavelet keeps the low frequencies of the input, adain its mean and deviation.
        tile: Side of the tiles in which larger results are computed, in pixels of the result.
        overlap: Overlap of neighbouring tiles in pixels.
        memory: Limit of the memory in gigabytes; uses smaller tiles, which takes longer.
        prompt: Description of the images, for base models with a text encoder.
        device: Device; auto takes the first available of cuda, mps and cpu.
        precision: Type of the base model's weights; auto is bfloat16 on cuda, float32 elsewhere.
        face_box: Left, top, right and bottom of the face in pixels, where detection finds none or the wrong one.
        confine_references: Limit the effect of a reference to its face; false is one pass, as in the paper, and faster.
        reference_strength: Influence of the references, from 0 (none) to 1.
        recursive: Read folders with all folders in them, and write into such folders.
        strip_metadata: Leave out place, date, names and captions of the input (EXIF, XMP, IPTC); kept otherwise.
        report: JSON report of sizes, times, faces and similarities; rewritten after each image.
        compare: Sheet of input, result, faces and references; a folder of sheets if there are several inputs.
        force: Use references that seem to show someone else, and continue where no face is detected.
        overwrite: Replace existing results.
    """
    from headsup.restoring.jobs import plan_request
    from headsup.restoring.options import RestoreOptions, parse_size

    wanted = None if size is None else parse_size(size)
    options = RestoreOptions(
        scale,
        wanted,
        fidelity,
        colour,
        tile,
        overlap,
        memory,
        confine_references,
        reference_strength,
        strip_metadata,
    )
    jobs = plan_request(inputs, output, compare, report, reference, (weights,), recursive)
    import_networks()

    from headsup.restoring.files import RestorerSource, restore_files

    chosen = RestorerSource(weights, base, prompt, device, precision)
    return restore_files(jobs, options, chosen, reference, face_box, report, force, overwrite)


def demo(*, output: Path) -> None:
    """Damage a real portrait and restore it with the shipped weights, without and with a reference; offline.

    Args:
        output: Folder for the images and a sheet; created if missing.
    """
    import_networks()

    from headsup.demo import print_scores, run_demo

    print_scores(run_demo(output), output)


def blend(
    inputs: Sequence[Path],
    *,
    output: Path,
    weights: str,
    face_weights: str,
    face_size: int = 512,
    scale: float | None = None,
    size: str | None = None,
    base: str | None = None,
    face_base: str | None = None,
    fidelity: float = 0.0,
    colour: Literal["wavelet", "adain", "none"] = "wavelet",
    tile: int = 1024,
    overlap: int = 256,
    memory: float | None = None,
    prompt: str = "",
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
    recursive: bool = False,
    strip_metadata: bool = False,
    report: Path | None = None,
    compare: Path | None = None,
    overwrite: bool = False,
) -> int:
    """Restore photographs with one restorer and paste faces of another into them; a baseline for comparisons.

    Args:
        inputs: Images, folders of them, or patterns such as 'album/*.jpg'.
        output: Image to write, or folder if there are several inputs; existing results are skipped.
        weights: Restorer of the whole image; name of shipped weights, or a .safetensors file of headsup export.
        face_weights: Restorer of the aligned faces, likewise.
        face_size: Side in pixels at which faces are restored; 512 on Stable Diffusion, 128 to 512 on the small base.
        scale: Magnification; default 4, less for large photographs.
        size: Size of the result in pixels, such as 1600x1200; instead of a scale.
        base: Base model of the whole, if it is not where the weights say; a folder in diffusers' layout or a hub id.
        face_base: Base model of the faces, likewise.
        fidelity: Closeness to the input, from 0 (all restored detail) to 1 (the enlarged input).
        colour: Colour correction; wavelet keeps the low frequencies of the input, adain its mean and deviation.
        tile: Side of the tiles in which larger results are computed, in pixels of the result.
        overlap: Overlap of neighbouring tiles in pixels.
        memory: Limit of the memory in gigabytes; uses smaller tiles, which takes longer.
        prompt: Description of the images, for base models with a text encoder.
        device: Device; auto takes the first available of cuda, mps and cpu.
        precision: Type of the base models' weights; auto is bfloat16 on cuda, float32 elsewhere.
        recursive: Read folders with all folders in them, and write into such folders.
        strip_metadata: Leave out place, date, names and captions of the input (EXIF, XMP, IPTC); kept otherwise.
        report: JSON report of sizes, times, faces and their seams; rewritten after each image.
        compare: Sheet of input, result and faces; a folder of sheets if there are several inputs.
        overwrite: Replace existing results.
    """
    from headsup.restoring.jobs import plan_request
    from headsup.restoring.options import RestoreOptions, parse_size

    wanted = None if size is None else parse_size(size)
    options = RestoreOptions(scale, wanted, fidelity, colour, tile, overlap, memory, strip_metadata=strip_metadata)
    jobs = plan_request(inputs, output, compare, report, (), (weights, face_weights), recursive)
    import_networks()

    from headsup.restoring.files import RestorerSource, blend_files

    general = RestorerSource(weights, base, prompt, device, precision)
    face = RestorerSource(face_weights, face_base, prompt, device, precision)
    return blend_files(jobs, options, general, face, face_size, report, overwrite)


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    weights: str = DEFAULT_WEIGHTS,
    base: str | None = None,
    prompt: str = "",
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
    memory: float | None = None,
    largest_upload_mb: float = 50.0,
    largest_megapixels: float = 25.0,
    open_browser: bool = False,
) -> None:
    """Serve a web page on this machine that restores photographs.

    Args:
        host: Address to listen at; the default is reachable from this machine only.
        port: Port to listen at; 0 for any that is free.
        weights: Name of shipped weights, or a .safetensors file of headsup export.
        base: Base model, if it is not where the weights say; a folder in diffusers' layout or a hub id.
        prompt: Description of the images, for base models with a text encoder.
        device: Device; auto takes the first available of cuda, mps and cpu.
        precision: Type of the base model's weights; auto is bfloat16 on cuda, float32 elsewhere.
        memory: Limit of the memory of a restoration, weights included, in gigabytes.
        largest_upload_mb: Largest upload in megabytes.
        largest_megapixels: Largest photograph, reference or result in megapixels.
        open_browser: Open the page in the browser.
    """
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise ImportError('Serving the page needs starlette and uvicorn: pip install "headsup[serve]".')
    from headsup.weights.shipped import find_weights

    find_weights(weights)
    import_networks()

    from headsup.restoring.files import RestorerSource
    from headsup.serving.limits import Limits
    from headsup.serving.serve import serve_page

    limits = Limits(largest_upload_mb, largest_megapixels)
    serve_page(host, port, RestorerSource(weights, base, prompt, device, precision), limits, memory, open_browser)


def profile(
    *,
    architecture: Literal["sd21", "tiny"] = "sd21",
    size: int = 1024,
    mode: Literal["train", "restore"] = "train",
    guidance: int = 0,
    references: Literal["concat", "attention"] = "concat",
    trained: Literal["adapters", "all"] = "adapters",
    json: bool = False,
) -> None:
    """Count parameters, memory and operations of a restorer, without its weights.

    Args:
        architecture: Base model: Stable Diffusion 2.1, or the small one.
        size: Side of the restored image in pixels.
        mode: Training step, or restoration of one image.
        guidance: Channels of the guidance branch; 0 for none, as in the paper.
        references: Concatenated with the input, as in the paper, or attended to.
        trained: Trained weights: adapters, as in the paper, or all of the base model.
        json: Print JSON instead of tables.
    """
    from headsup.model.settings import RestorerSettings
    from headsup.profiling.profile_report import print_profile, report_profile

    settings = RestorerSettings(guidance=guidance, references=references, trained=trained)
    print_profile(report_profile(architecture, size, mode, settings), json)


def weights() -> None:
    """List the shipped weights with their model cards."""
    from headsup.weights.report import print_weights

    print_weights()


def export(
    checkpoint: Path,
    *,
    output: Path,
    base: str | None = None,
    card: ModelCard = SILENT_CARD,
    half: bool = False,
) -> None:
    """Export a training checkpoint to a weights file.

    Args:
        checkpoint: Checkpoint (.ckpt) of headsup fit of a restorer.
        output: Weights file (.safetensors) to write.
        base: Place of the base model for users of the file, if not that of the training.
        card: Model card of the weights.
        half: Store float16, at half the size.
    """
    from faceops.existing_files import check_exists
    from faceops.weights.shipped import check_suffix

    check_exists("checkpoint", checkpoint)
    check_suffix(output)

    from headsup.weights.export import export_checkpoint

    export_checkpoint(checkpoint, output, card, base, half)
    print(output)


def merge(weights: str, *, output: Path, base: str | None = None, prompt: str = "") -> None:
    """Merge the adapters into the base model and write a diffusers folder for other software.

    Args:
        weights: Name of shipped weights, or a .safetensors file.
        output: Folder to write; it must not exist yet.
        base: Base model, if it is not where the weights say: a folder in diffusers' layout or a hub id.
        prompt: Text whose embedding is included.
    """
    from headsup.weights.shipped import find_weights

    find_weights(weights)

    from headsup.weights.merging import merge_weights

    merge_weights(weights, base, prompt, output)
    print(output)


TRAINER_COMMANDS: dict[str, Any] = {"fit": fit, "validate": validate, "test": test, "predict": predict}
"""Run by LightningCLI, which parses their options itself; here they are only names and help lines."""

OUT_OF_MEMORY = (
    "The memory ran out. When restoring, --memory GB or a smaller --tile helps; in training, a smaller "
    "--data.init_args.batch_size or --data.init_args.size helps."
)

COMMANDS: dict[str, Any] = {
    "restore": restore,
    "demo": demo,
    "blend": blend,
    "serve": serve,
    "weights": weights,
    "profile": profile,
    "export": export,
    "merge": merge,
}


def run() -> int | None:
    """Parse the command line and run its command; the result is the exit status."""
    if sys.argv[1:2] and sys.argv[1] in TRAINER_COMMANDS:
        from headsup.training.cli import run as run_recipe

        run_recipe()
        return None
    return auto_cli(
        TRAINER_COMMANDS | COMMANDS,
        parser_class=ShellParser,
        prog="headsup",
        description=sys.modules["headsup"].__doc__,
        version=version("headsup"),
    )


def main() -> None:
    """Run a command; ``python -X dev -m headsup`` shows the traceback of an error instead of a sentence."""
    run_command("headsup", run, OUT_OF_MEMORY)
