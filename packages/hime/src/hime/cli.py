"""The ``hime`` console script.

Lightning and torch take seconds to import, so nothing here imports them at module level: a command imports what it
needs when it runs.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from jsonargparse import auto_cli

from faceops.command_line import ShellParser, run_command
from hime.weights.model_card import ModelCard

SILENT_CARD = ModelCard()


def fit() -> None:
    """Train a network."""


def validate() -> None:
    """Score a checkpoint on the validation people."""


def test() -> None:
    """Score a checkpoint on the test people."""


def predict() -> None:
    """Super-resolve the sets of a datamodule."""


def upscale_pictures(
    low: Path,
    *,
    output: Path,
    exemplars: Sequence[Path] = (),
    scale: Literal[4, 8] | None = None,
    weights: str | None = None,
    perceptual: bool = False,
    maps: Path | None = None,
    compare: Path | None = None,
    align: Literal["auto", "faces", "middle"] = "auto",
    tile: int = 128,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    recursive: bool = False,
    strip_metadata: bool = False,
    overwrite: bool = False,
) -> int:
    """Enlarge a headshot, optionally with exemplars: other photographs of the same person.

    Args:
        low: Image to enlarge, or a folder of images of one person.
        output: Image to write, or folder; existing results are skipped.
        exemplars: Photographs of the same person, or folders of them; any number, none gives weaker results.
        scale: Magnification; selects shipped weights, default 4.
        weights: Name of shipped weights, or a .safetensors file; instead of a scale.
        perceptual: Use the shipped weights trained with a perceptual loss: sharper, with larger errors.
        maps: Folder for two heat maps of every exemplar: its weight, dark for 0 and light for 1, and its similarity
            beside the best exemplar at the same place, light for the best.
        compare: Sheet with input, bicubic, result and exemplars; a folder of sheets if low is one.
        align: Alignment of exemplars: faces aligns their largest face with that of the image, middle crops their
            middle; auto is faces if the detector's weights have been downloaded.
        tile: Side of the overlapping tiles in which larger images are computed, in low-resolution pixels.
        device: Device; auto takes the first available of cuda, mps and cpu.
        recursive: Read a folder with all folders in it, and write into such folders.
        strip_metadata: Leave out place, date, names and captions of the input (EXIF, XMP, IPTC); kept otherwise.
        overwrite: Replace existing results.
    """
    from faceops.images.jobs import plan_jobs
    from faceops.images.picture_files import check_there
    from hime.weights.shipped import choose_weights, find_weights

    chosen = choose_weights(weights, scale, perceptual)
    find_weights(chosen)
    for path in (low, *exemplars):
        check_there(path)
    jobs = plan_jobs([low], output, compare, subfolders=recursive)

    from faceops.device import select_device
    from hime.upscaling.files import upscale_files

    return upscale_files(jobs, exemplars, chosen, maps, align, tile, select_device(device), overwrite, strip_metadata)


def demo(*, output: Path) -> None:
    """Upscale a real portrait with the shipped weights, offline.

    Args:
        output: Folder for the images and sheets; created if missing.
    """
    from hime.demo import print_scores, run_demo

    print_scores(run_demo(output), output)


def profile(
    *,
    variant: Literal["small", "large", "lean"] = "small",
    scale: int = 4,
    lr_size: int = 32,
    references: int = 3,
    weights: str | None = None,
    json: bool = False,
) -> None:
    """Count parameters and operations, beside those of the paper.

    Args:
        variant: Size of the network.
        scale: Magnification.
        lr_size: Side of the input in pixels.
        references: References of an image.
        weights: Name or file of weights whose network to count, instead of a variant and a scale.
        json: Print JSON instead of a table.
    """
    from hime.weights.shipped import find_weights

    if weights is not None:
        find_weights(weights)

    from hime.evaluation.profile_report import print_profile, report_profile

    print_profile(report_profile(variant, scale, lr_size, references, weights), json)


def weights() -> None:
    """List the shipped weights with their model cards."""
    from hime.weights.report import print_weights

    print_weights()


def export(
    source: str,
    *,
    output: Path | None = None,
    half: bool = False,
    card: ModelCard = SILENT_CARD,
    onnx: Path | None = None,
    lr_size: int | None = None,
    without_references: bool = False,
) -> None:
    """Export a training checkpoint to a weights file, or weights to ONNX.

    Args:
        source: Checkpoint (.ckpt) of hime fit, or name or file of weights.
        output: Weights file (.safetensors) to write from a checkpoint.
        half: Store float16, at half the size.
        card: Model card of the weights.
        onnx: ONNX file to write.
        lr_size: Side of the input of the ONNX graph in pixels; the training size of the model card if not given.
        without_references: Leave exemplars out of the ONNX graph.
    """
    from hime.weights.export_request import check_request

    check_request(source, output, onnx)

    from hime.weights.export import export_files

    export_files(source, output, half, card, onnx, lr_size, not without_references)


def correlation_map(
    image: Path,
    *,
    output: Path | None = None,
    window: Sequence[int] = (3, 5, 7),
    dilation: int = 1,
    overwrite: bool = False,
) -> None:
    """Draw the correlation maps of an image (HIME, Figure 6).

    Args:
        image: Image file.
        output: Figure to write; default NAME_correlation.png beside the image.
        window: Sides k of the windows, odd.
        dilation: Distance of neighbouring offsets in pixels.
        overwrite: Replace the figure if it exists.
    """
    from faceops.images.picture_files import check_there

    check_there(image)

    from hime.evaluation.correlation_figure import draw_correlation_map

    target = image.with_name(f"{image.stem}_correlation.png") if output is None else output
    draw_correlation_map(image, target, window, dilation, overwrite)
    print(target)


def evaluate(
    names: Sequence[str],
    *,
    index: Path,
    size: int = 128,
    crop: int | None = None,
    split: Literal["train", "test", "unused"] = "test",
    references: Sequence[int] = (0, 1, 3),
    stranger: bool = False,
    blank: bool = False,
    limit: int | None = None,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    json: bool = False,
) -> None:
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
    """
    from hime.weights.shipped import find_weights
    from portraitdata.exemplars.index import check_index

    for name in names:
        find_weights(name)
    check_index(index)

    from hime.evaluation.report import print_evaluation

    print_evaluation(
        names,
        index,
        size,
        crop,
        split,
        references,
        stranger=stranger,
        blank=blank,
        limit=limit,
        device=device,
        as_json=json,
    )


TRAINER_COMMANDS: dict[str, Any] = {"fit": fit, "validate": validate, "test": test, "predict": predict}
"""Run by LightningCLI, which parses their options itself; here they are only names and help lines."""

OUT_OF_MEMORY = (
    "The memory ran out. When upscaling, a smaller --tile or --device cpu helps; in training, a smaller "
    "--data.init_args.batch_size; a picture far larger than a headshot is better cut first."
)

COMMANDS: dict[str, Any] = {
    "upscale": upscale_pictures,
    "evaluate": evaluate,
    "demo": demo,
    "weights": weights,
    "profile": profile,
    "export": export,
    "correlation-map": correlation_map,
}


def run() -> int | None:
    """Parse the command line and run its command; the result is the exit status."""
    if sys.argv[1:2] and sys.argv[1] in TRAINER_COMMANDS:
        from hime.training.cli import run as run_recipe

        run_recipe()
        return None
    return auto_cli(
        TRAINER_COMMANDS | COMMANDS,
        parser_class=ShellParser,
        prog="hime",
        description=sys.modules["hime"].__doc__,
        version=version("hime"),
    )


def main() -> None:
    """Run a command; ``python -X dev -m hime`` shows the traceback of an error instead of a sentence."""
    run_command("hime", run, OUT_OF_MEMORY)
