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
) -> int:
    """Find the faces in photographs: boxes, scores, five landmarks, distance of the eyes.

    Args:
        images: Pictures, or folders of them.
        json: Print JSON instead of a line for each picture.
        draw: Folder for copies with the faces drawn in.
        detector: Network that finds the faces; the weights of scrfd are for non-commercial research only.
        weights: File or name of its weights instead of the usual ones.
        threshold: Least score of a face, between 0 and 1; each detector has its own.
        tiny: Look for tiny faces too, which takes four times as long.
    """
    from faceops.images.picture_files import check_single

    check_single(images)

    from faceops.commands.detect import run_detect

    return run_detect(images, json, draw, detector, weights, threshold, tiny)


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
) -> int:
    """Cut the faces out of photographs, upright and all alike.

    Args:
        images: Pictures, or folders of them.
        output: Folder to write into; made if absent.
        size: Side of the crops in pixels.
        template: Window of the face; ffhq with hair and chin, arcface for recognition.
        estimator: How the position is fitted to the landmarks; lmeds leaves outliers out.
        detector: Network that finds the faces; the weights of scrfd are for non-commercial research only.
        threshold: Least score of a face, between 0 and 1; each detector has its own.
        largest: Take the largest face of each picture only.
        overwrite: Replace files that exist.
        json: Print where each crop is from instead of its name only.
    """
    from faceops.images.picture_files import check_single

    check_single(images)

    from faceops.commands.align import run_align

    return run_align(images, output, size, template, estimator, detector, threshold, largest, overwrite, json)


def compare(
    first: Path,
    second: Path,
    *,
    network: str = "mobilefacenet",
    threshold: float | None = None,
    detector: DetectorName = "yunet",
    json: bool = False,
) -> None:
    """Say whether two photographs show the same person.

    Args:
        first: Picture; its largest face counts.
        second: Picture; its largest face counts.
        network: Name or file of the weights of a recognition network.
        threshold: Similarity from which two faces are one person, between -1 and 1; the network's own by default.
        detector: Network that finds the faces; the weights of scrfd are for non-commercial research only.
        json: Print JSON instead of a line.
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
) -> int:
    """Turn faces into vectors that tell people apart. They are biometric data: keep them as carefully as photographs.

    Args:
        images: Pictures, or folders of them.
        output: File ending in .npz to write; without it JSON is printed, a line for each face.
        network: Name or file of the weights of a recognition network.
        detector: Network that finds the faces; the weights of scrfd are for non-commercial research only.
        threshold: Least score of a face, between 0 and 1; each detector has its own.
        largest: Take the largest face of each picture only.
        overwrite: Replace the file if it exists.
    """
    from faceops.images.picture_files import check_single

    check_single(images)

    from faceops.commands.embed import run_embed

    return run_embed(images, output, network, detector, threshold, largest, overwrite)


def list_weights() -> None:
    """List the weights that have a name, with their licences."""
    from faceops.commands.weights import run_list

    run_list()


def where(name: str | None = None) -> None:
    """Print the cache folder, or the place of one file in it.

    Args:
        name: Weights whose file to name.
    """
    from faceops.commands.weights import run_where

    run_where(name)


def fetch(name: str) -> None:
    """Fetch weights into the cache, going on where a download broke off.

    Args:
        name: Weights to fetch.
    """
    from faceops.commands.weights import run_fetch

    run_fetch(name)


def verify(name: str | None = None) -> int:
    """Compare files in the cache with their checksums.

    Args:
        name: Weights to check; all that are there by default.
    """
    from faceops.commands.weights import run_verify

    return run_verify(name)


def add(file: Path, *, name: str | None = None) -> None:
    """Copy a file that came another way into the cache.

    Args:
        file: The file, whatever it is called.
        name: Weights that it is; told by its checksum by default.
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
