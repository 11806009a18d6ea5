"""``faceops embed``: photographs in, one embedding for each face out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from faceops.atomic_files import replacing
from faceops.command_line import exit_status
from faceops.commands.options import EmbedOptions
from faceops.commands.pictures import find_faces, report_failure
from faceops.detection.detector import Detector
from faceops.detection.selection import build_detector
from faceops.geometry.faces import Faces
from faceops.images.jobs import check_folder, input_files
from faceops.images.picture_files import tell_left_out
from faceops.progress.display import tracked
from faceops.recognition.identity import IdentityNetwork, build_identity, embed


@dataclass(frozen=True, eq=False)
class EmbeddedFile:
    """Faces of a picture file, without its pixels: those of an album would not fit into the memory."""

    path: Path
    faces: Faces
    vectors: Float[Tensor, "n d"]


def run_embed(options: EmbedOptions) -> int:
    """Write the embeddings of all faces of all pictures, as NumPy arrays, or print them as JSON.

    The arrays are ``embeddings`` (n, d), ``images``, ``boxes``, ``landmarks`` and ``scores``. Goes on after a picture
    that fails; each failure is a line on stderr. Embeddings are biometric data: they tell who somebody is as well as
    the photograph does.

    Returns:
        Exit status, see `exit_status`.

    Raises:
        ValueError: If an argument is out of range.
        FileExistsError: If the file exists and must not be overwritten.
        PermissionError: If its folder cannot be written to.
    """
    if options.output is not None:
        check_output(options.output, options.overwrite)
    files = list(input_files(options.images, options.recursive))
    tell_left_out(options.images, options.recursive)
    encoder = build_identity(options.network)
    finder = build_detector(options.detector, threshold=options.threshold)
    results: list[EmbeddedFile] = []
    for file in tracked(files, "Embedding"):
        try:
            result = embed_file(file, finder, encoder, options.largest)
        except (ValueError, OSError) as error:
            report_failure(file, error)
            continue
        results.append(result)
        if options.output is None:
            print_lines(result)
    if options.output is not None and results:
        write_arrays(results, options.output)
        print(options.output)
    return exit_status(len(files), len(results))


def check_output(output: Path, overwrite: bool) -> None:
    """Refuse, before any work is done, what could not be written.

    Raises:
        ValueError: If the file is no .npz or a folder, or a file is where its folder must be.
        FileExistsError: If it exists and must not be overwritten.
        PermissionError: If its folder cannot be written to.
    """
    if output.suffix != ".npz" or output.is_dir():
        raise ValueError(f"Embeddings are written to a .npz file, got {output}.")
    if output.exists() and not overwrite:
        raise FileExistsError(f"{output} exists already; give --overwrite to replace it, or name another.")
    check_folder(output.parent)


def embed_file(file: Path, finder: Detector, encoder: IdentityNetwork, largest: bool) -> EmbeddedFile:
    """Find the faces of a picture file and embed them; arguments and errors as `find_faces`."""
    found = find_faces(file, finder, largest)
    with torch.inference_mode():
        vectors = embed(encoder, found.picture.pixels.unsqueeze(0), found.faces)
    return EmbeddedFile(file, found.faces, vectors)


def print_lines(result: EmbeddedFile) -> None:
    """One JSON object for each face."""
    faces = result.faces
    for box, score, vector in zip(faces.boxes.tolist(), faces.scores.tolist(), result.vectors.tolist(), strict=True):
        record = {
            "image": str(result.path),
            "box": [round(edge, 2) for edge in box],
            "score": round(score, 4),
            "embedding": [round(value, 6) for value in vector],
        }
        print(json.dumps(record))


def write_arrays(results: Sequence[EmbeddedFile], output: Path) -> None:
    """Write all faces into one file; it appears complete or not at all.

    Raises:
        ValueError: If an embedding is not finite.
    """
    embeddings = torch.cat([result.vectors for result in results])
    if not embeddings.isfinite().all():
        raise ValueError(f"{output} is not written: some embeddings are not finite; use other weights.")
    faces = [result.faces for result in results]
    images = [str(result.path) for result in results for _ in range(len(result.faces))]
    output.parent.mkdir(parents=True, exist_ok=True)
    with replacing(output) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            images=np.array(images),
            embeddings=embeddings.numpy(),
            boxes=torch.cat([part.boxes for part in faces]).numpy(),
            landmarks=torch.cat([part.landmarks for part in faces]).numpy(),
            scores=torch.cat([part.scores for part in faces]).numpy(),
        )
