"""``faceops align``: photographs in, upright faces out."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from faceops.command_line import exit_status
from faceops.commands.options import AlignOptions
from faceops.commands.pictures import Found, find_faces, report_failure
from faceops.detection.selection import build_detector
from faceops.geometry.alignment import align
from faceops.geometry.landmarks import ARCFACE_112, FFHQ_512
from faceops.images.files import Picture, save_picture
from faceops.images.picture_files import picture_files

TEMPLATES = {"ffhq": FFHQ_512, "arcface": ARCFACE_112}


def run_align(options: AlignOptions) -> int:
    """Write every face of every picture as PNG: NAME_1.png, NAME_2.png ... (NAME.png with `largest`).

    Goes on after a picture that fails; each failure is a line on stderr.

    Returns:
        Exit status, see `exit_status`.

    Raises:
        ValueError: If two crops would have one name, one that of an input, or an argument is out of range.
        OSError: If the folder cannot be made.
    """
    files = picture_files(options.images)
    check_names(files)
    check_inputs_stay(files, options.output, options.largest)
    TEMPLATES[options.template].scaled(options.size)
    if options.output.exists() and not options.output.is_dir():
        raise ValueError(f"{options.output} is a file, but a folder is needed there; name another.")
    finder = build_detector(options.detector, threshold=options.threshold)
    records: list[dict[str, object]] = []
    failures = 0
    for file in files:
        try:
            found = find_faces(file, finder, options.largest)
            for record in write_crops(found, options):
                records.append(record)
                if not options.json:
                    print(record["crop"])
        except (ValueError, OSError) as error:
            failures += 1
            report_failure(file, error)
    if options.json:
        print(json.dumps(records, indent=2))
    return exit_status(len(files), len(files) - failures)


def check_names(files: Sequence[Path]) -> None:
    """Refuse pictures whose crops would overwrite each other.

    Raises:
        ValueError: If two have the same name but for folder and suffix.

    Example:
        >>> check_names([Path("a.jpg"), Path("b.jpg")])
    """
    seen: dict[str, Path] = {}
    for file in files:
        if file.stem in seen:
            raise ValueError(f"Crops of {seen[file.stem]} and {file} would have the same names; align them apart.")
        seen[file.stem] = file


def check_inputs_stay(files: Sequence[Path], output: Path, single: bool) -> None:
    """Refuse a folder in which a crop could have the name of one of the pictures.

    Args:
        files: The pictures.
        output: Folder of the crops.
        single: Whether crops are called NAME.png, not NAME_1.png, NAME_2.png ...

    Raises:
        ValueError: If a picture could be replaced.
    """
    stems = {file.stem for file in files}
    for file in files:
        name = re.fullmatch(r"(.*)\.png" if single else r"(.*)_\d+\.png", file.name)
        if name is not None and name[1] in stems and file.resolve().parent == output.resolve():
            raise ValueError(f"{file} is an input and could be replaced by a crop; name another folder.")


def write_crops(found: Found, options: AlignOptions) -> list[dict[str, object]]:
    """Align the faces of one picture and write them.

    Returns:
        For each crop: its file, the picture, the matrix from picture to crop, the score.

    Raises:
        FileExistsError: If a file exists and must not be overwritten; nothing is written then.
    """
    pixels = found.picture.pixels.unsqueeze(0)
    aligned = align(pixels, found.faces, options.size, TEMPLATES[options.template], options.estimator)
    stem = found.path.stem
    names = [f"{stem}.png" if options.largest else f"{stem}_{k}.png" for k in range(1, len(aligned) + 1)]
    targets = [options.output / name for name in names]
    for target in targets:
        if target.exists() and not options.overwrite:
            raise FileExistsError(f"{target} exists already; give --overwrite to replace it, or name another folder.")
    options.output.mkdir(parents=True, exist_ok=True)
    for crop, target in zip(aligned.crops, targets, strict=True):
        save_picture(Picture(crop.clamp(0, 1), bits=found.picture.bits, grey=found.picture.grey), target)
    return [
        {"crop": str(target), "image": str(found.path), "matrix": rounded(matrix), "score": round(score, 4)}
        for target, matrix, score in zip(targets, aligned.matrix, found.faces.scores.tolist(), strict=True)
    ]


def rounded(matrix: Tensor) -> list[list[float]]:
    """Rows with eight digits, which is what float32 holds.

    Example:
        >>> import torch
        >>> rounded(torch.tensor([[1 / 3, 0.0, 2.0], [0.0, 1 / 3, 5.0]]))
        [[0.33333334, 0.0, 2.0], [0.0, 0.33333334, 5.0]]
    """
    return [[float(f"{value:.8g}") for value in row] for row in matrix.tolist()]
