"""``faceops embed``: photographs in, one embedding for each face out."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from faceops.atomic_files import replacing
from faceops.command_line import exit_status
from faceops.commands.options import EmbedOptions
from faceops.commands.pictures import Found, find_faces, report_failure
from faceops.detection.selection import build_detector
from faceops.images.jobs import input_files
from faceops.images.picture_files import tell_left_out
from faceops.progress.display import tracked
from faceops.recognition.identity import build_identity, embed


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
    """
    if options.output is not None:
        check_output(options.output, options.overwrite)
    files = list(input_files(options.images, options.recursive))
    tell_left_out(options.images, options.recursive)
    encoder = build_identity(options.network)
    finder = build_detector(options.detector, threshold=options.threshold)
    results: list[tuple[Found, Tensor]] = []
    for file in tracked(files, "Embedding"):
        try:
            found = find_faces(file, finder, options.largest)
        except (ValueError, OSError) as error:
            report_failure(file, error)
            continue
        with torch.inference_mode():
            vectors = embed(encoder, found.picture.pixels.unsqueeze(0), found.faces)
        results.append((found, vectors))
        if options.output is None:
            print_lines(found, vectors)
    if options.output is not None and results:
        write_arrays(results, options.output)
        print(options.output)
    return exit_status(len(files), len(results))


def check_output(output: Path, overwrite: bool) -> None:
    """Refuse, before any work is done, what could not be written.

    Raises:
        ValueError: If the file is no .npz or a folder.
        FileExistsError: If it exists and must not be overwritten.
    """
    if output.suffix != ".npz" or output.is_dir():
        raise ValueError(f"Embeddings are written to a .npz file, got {output}.")
    if output.exists() and not overwrite:
        raise FileExistsError(f"{output} exists already; give --overwrite to replace it, or name another.")


def print_lines(found: Found, vectors: Tensor) -> None:
    """One JSON object for each face."""
    for box, score, vector in zip(
        found.faces.boxes.tolist(), found.faces.scores.tolist(), vectors.tolist(), strict=True
    ):
        record = {
            "image": str(found.path),
            "box": [round(edge, 2) for edge in box],
            "score": round(score, 4),
            "embedding": [round(value, 6) for value in vector],
        }
        print(json.dumps(record))


def write_arrays(results: Sequence[tuple[Found, Tensor]], output: Path) -> None:
    """Write all faces into one file; it appears complete or not at all.

    Raises:
        ValueError: If an embedding is not finite.
    """
    embeddings = torch.cat([vectors for _, vectors in results])
    if not embeddings.isfinite().all():
        raise ValueError(f"{output} is not written: some embeddings are not finite; use other weights.")
    faces = [found.faces for found, _ in results]
    images = [str(found.path) for found, vectors in results for _ in range(len(vectors))]
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
