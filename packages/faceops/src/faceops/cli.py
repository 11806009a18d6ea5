"""The ``faceops`` console script.

Torch takes seconds to import, so nothing here imports it at module level: a command imports what it needs when it runs.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from jsonargparse import auto_cli

from faceops.command_line import ShellParser, run_command
from faceops.detection.detector_names import DetectorName


def detect(
    images: Sequence[Path],
    *,
    json: bool = False,
    draw: Path | None = None,
    detector: DetectorName = "yunet",
    weights: str | None = None,
    threshold: float | None = None,
    tiny: bool = False,
    recursive: bool = False,
) -> int:
    """Detect faces: boxes, scores, five landmarks, eye distance.

    Args:
        images: Images, or folders of images.
        json: Print JSON instead of one line per image.
        draw: Folder to write copies with boxes and landmarks drawn in.
        detector: Face detector; the weights of scrfd are for non-commercial research only.
        weights: File or name of the detector's weights; the default ones if not given.
        threshold: Lowest score of a face, between 0 and 1; the detector's own by default.
        tiny: Also detect tiny faces; takes several times as long.
        recursive: Read folders with all folders in them, and draw into such folders.
    """
    from faceops.images.picture_files import check_single

    check_single(images)

    from faceops.commands.detect import run_detect

    return run_detect(images, json, draw, detector, weights, threshold, tiny, recursive)


def align_faces(
    images: Sequence[Path],
    *,
    output: Path,
    size: int = 512,
    template: Literal["ffhq", "arcface"] = "ffhq",
    estimator: Literal["least_squares", "lmeds"] = "least_squares",
    detector: DetectorName = "yunet",
    threshold: float | None = None,
    largest: bool = False,
    overwrite: bool = False,
    json: bool = False,
    recursive: bool = False,
) -> int:
    """Crop the faces of photographs and align them to a template.

    Args:
        images: Images, or folders of images.
        output: Folder to write into; created if missing.
        size: Side of the crops in pixels.
        template: Template of the crop; ffhq with hair and chin, arcface for recognition.
        estimator: How the transform is fitted to the landmarks; lmeds ignores outliers.
        detector: Face detector; the weights of scrfd are for non-commercial research only.
        threshold: Lowest score of a face, between 0 and 1; the detector's own by default.
        largest: Use only the largest face of each image.
        overwrite: Replace files that exist.
        json: Print JSON with the source and matrix of each crop instead of its name.
        recursive: Read folders with all folders in them, and write into such folders.
    """
    from faceops.images.picture_files import check_single

    check_single(images)

    from faceops.commands.align import run_align

    return run_align(
        images, output, size, template, estimator, detector, threshold, largest, overwrite, json, recursive
    )


def compare(
    first: Path,
    second: Path,
    *,
    network: str = "mobilefacenet",
    threshold: float | None = None,
    detector: DetectorName = "yunet",
    json: bool = False,
) -> None:
    """Tell whether two photographs show the same person.

    Args:
        first: Image; its largest face is used.
        second: Image; its largest face is used.
        network: Name or file of the weights of a recognition network.
        threshold: Lowest similarity of two faces of one person, between -1 and 1; the network's own by default.
        detector: Face detector; the weights of scrfd are for non-commercial research only.
        json: Print JSON instead of a sentence.
    """
    from faceops.images.picture_files import check_there

    for photograph in (first, second):
        check_there(photograph)

    from faceops.commands.compare import run_compare

    run_compare(first, second, network, threshold, detector, json)


def embed_faces(
    images: Sequence[Path],
    *,
    output: Path | None = None,
    network: str = "mobilefacenet",
    detector: DetectorName = "yunet",
    threshold: float | None = None,
    largest: bool = False,
    overwrite: bool = False,
    recursive: bool = False,
) -> int:
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
    """
    from faceops.images.picture_files import check_single

    check_single(images)

    from faceops.commands.embed import run_embed

    return run_embed(images, output, network, detector, threshold, largest, overwrite, recursive)


def list_weights() -> None:
    """List the known weights with size, cache state and licence."""
    from faceops.commands.weights import run_list

    run_list()


def where(name: str | None = None) -> None:
    """Print the cache folder, or the path of one file in it.

    Args:
        name: Weights whose path to print.
    """
    from faceops.commands.weights import run_where

    run_where(name)


def fetch(name: str) -> None:
    """Download weights into the cache; resume an interrupted download.

    Args:
        name: Weights to download.
    """
    from faceops.commands.weights import run_fetch

    run_fetch(name)


def verify(name: str | None = None) -> int:
    """Check files in the cache against their checksums.

    Args:
        name: Weights to check; all cached ones by default.
    """
    from faceops.commands.weights import run_verify

    return run_verify(name)


def add(file: Path, *, name: str | None = None) -> None:
    """Copy a downloaded file into the cache.

    Args:
        file: File of any name.
        name: Name of the weights; recognised by the checksum by default.
    """
    from faceops.commands.weights import run_add

    run_add(file, name)


COMMANDS: dict[str, Any] = {
    "detect": detect,
    "align": align_faces,
    "compare": compare,
    "embed": embed_faces,
    "weights": {
        "_help": "List, fetch and check the weights of detectors and recognition networks.",
        "list": list_weights,
        "where": where,
        "fetch": fetch,
        "verify": verify,
        "add": add,
    },
}


def run() -> int | None:
    """Parse the command line and run its command; the result is the exit status."""
    return auto_cli(
        COMMANDS,
        parser_class=ShellParser,
        prog="faceops",
        description=sys.modules["faceops"].__doc__,
        version=version("faceops"),
    )


def main() -> None:
    """Run a command; ``python -X dev -m faceops`` shows the traceback of an error instead of a sentence."""
    run_command("faceops", run)
