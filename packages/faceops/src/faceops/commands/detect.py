"""``faceops detect``: where the faces are in photographs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from faceops.command_line import exit_status
from faceops.commands.options import DetectOptions
from faceops.commands.pictures import load_and_tell, report_failure
from faceops.detection.detector import Detector
from faceops.detection.drawing import draw_faces
from faceops.detection.selection import build_detector
from faceops.geometry.faces import Faces
from faceops.images.files import Picture, save_picture
from faceops.images.jobs import check_folder, fitting, input_files
from faceops.images.one_file import check_case, file_key
from faceops.images.picture_files import tell_left_out
from faceops.progress.display import tracked


def run_detect(options: DetectOptions) -> int:
    """Find the faces of every picture; go on after a picture that fails, which is a line on stderr.

    Returns:
        Exit status, see `exit_status`.

    Raises:
        ValueError: If nothing can be done.
        OSError: Likewise.
    """
    files = input_files(options.images, options.recursive, [options.draw])
    tell_left_out(options.images, options.recursive, [options.draw])
    if options.draw is not None:
        check_drawings(files, options.draw)
    finder = build_detector(options.detector, options.weights, options.threshold, tiny=options.tiny)
    records = []
    for file, name in tracked(files.items(), "Detecting"):
        try:
            draw = None if options.draw is None else drawing_of(name, options.draw)
            faces = detect_file(file, finder, draw, options.overwrite)
        except (ValueError, OSError) as error:
            report_failure(file, error)
            continue
        records.append({"image": str(file), "faces": face_records(faces)})
        if not options.json:
            print(summary(file, faces))
    if options.json:
        print(json.dumps(records, indent=2))
    return exit_status(len(files), len(records))


def check_drawings(files: Mapping[Path, str], folder: Path) -> None:
    """Refuse, before any work is done, what could not be drawn.

    Args:
        files: The pictures and their names below the folder that was given.
        folder: Folder of the drawings.

    Raises:
        ValueError: If a file is where a folder must be, two drawings have the same name, or one that of a picture.
        PermissionError: If a folder cannot be written to.
    """
    drawings: dict[Path, Path] = {}
    for file, name in files.items():
        other = drawings.setdefault(drawing_of(name, folder), file)
        if other != file:
            raise ValueError(f"Drawings of {other} and {file} would have the same name; draw them apart.")
    for place in {drawing.parent for drawing in drawings}:
        check_folder(place)
    inputs = {file_key(file) for file in files}
    for drawing in drawings:
        if file_key(drawing) in inputs:
            raise ValueError(f"{drawing} is an input and would be replaced by a drawing; name another folder.")
    check_case(drawings)


def drawing_of(name: str, folder: Path) -> Path:
    """File of a drawing, from the name of its picture, whose end is cut if it is too long.

    Example:
        >>> drawing_of("deep/a.jpg", Path("drawn")).as_posix()
        'drawn/deep/a.jpg.png'
    """
    return folder / fitting(f"{name}.png")


def detect_file(file: Path, detector: Detector, draw: Path | None, overwrite: bool) -> Faces:
    """Faces of a picture file, drawn into the file `draw` if that is given.

    Raises:
        FileExistsError: If the drawing exists and must not be overwritten.
        ImageFileError: If the file cannot be read.
        OSError: If the drawing cannot be written.
    """
    if draw is not None and draw.exists() and not overwrite:
        raise FileExistsError(f"{draw} exists already; give --overwrite to replace it, or name another folder.")
    pixels = load_and_tell(file).pixels
    with torch.inference_mode():
        faces = detector(pixels.unsqueeze(0))
    if draw is not None:
        draw.parent.mkdir(parents=True, exist_ok=True)
        save_picture(Picture(draw_faces(pixels, faces)), draw)
    return faces


def face_records(faces: Faces) -> list[dict[str, object]]:
    """Faces as they stand in JSON; pixels of the upright picture, to a hundredth.

    Example:
        >>> face_records(Faces.none())
        []
    """
    columns = (faces.boxes, faces.scores, faces.landmarks, faces.eye_distance())
    rows = zip(*(np.round(column.double().cpu().numpy(), 4).tolist() for column in columns), strict=True)
    return [
        {
            "box": hundredths(box),
            "score": score,
            "landmarks": [hundredths(p) for p in points],
            "eye_distance": round(d, 2),
        }
        for box, score, points, d in rows
    ]


def hundredths(values: Sequence[float]) -> list[float]:
    """Numbers rounded to two digits."""
    return [round(value, 2) for value in values]


def summary(file: Path, faces: Faces) -> str:
    """One line about a picture.

    Example:
        >>> summary(Path("a.jpg"), Faces.none())
        'a.jpg: no face'
    """
    if not len(faces):
        return f"{file}: no face"
    count = "1 face" if len(faces) == 1 else f"{len(faces)} faces"
    eyes = ", ".join(f"{distance:.0f}" for distance in faces.eye_distance().tolist())
    return f"{file}: {count}, eyes {eyes} pixels apart"
