"""``faceops align``: photographs in, upright faces out."""

import itertools
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor

from faceops.atomic_files import LONGEST_NAME, shortened
from faceops.command_line import exit_status
from faceops.commands.options import AlignOptions
from faceops.commands.pictures import Found, NoFaceError, find_faces, report_failure
from faceops.detection.selection import build_detector
from faceops.geometry.alignment import align
from faceops.geometry.landmarks import ARCFACE_112, FFHQ_512, LFW_250
from faceops.images.files import Picture, save_picture
from faceops.images.jobs import check_folder, input_files
from faceops.images.one_file import check_case, file_key
from faceops.images.picture_files import tell_left_out
from faceops.progress.display import tracked
from faceops.progress.verbosity import say

TEMPLATES = {"ffhq": FFHQ_512, "arcface": ARCFACE_112, "lfw": LFW_250}


def run_align(options: AlignOptions) -> int:
    """Write every face of every picture as PNG: NAME_1.png, NAME_2.png ... (NAME.png with `largest`).

    Goes on after a picture that fails; each failure is a line on stderr.

    Returns:
        Exit status, see `exit_status`.

    Raises:
        ValueError: If two crops would have one name, one that of an input, a file is where a folder must be, or an
            argument is out of range.
        PermissionError: If a folder cannot be written to.
        BrokenPipeError: If nobody reads stdout any more.
    """
    files = input_files(options.images, options.recursive, [options.output])
    tell_left_out(options.images, options.recursive, [options.output])
    check_names(files)
    check_inputs_stay(files, options.output, options.largest)
    places = {file: options.output / stem_of(name) for file, name in files.items()}
    check_case(place.with_name(f"{place.name}.png") for place in places.values())
    TEMPLATES[options.template].scaled(options.size)
    for folder in {place.parent for place in places.values()}:
        check_folder(folder)
    finder = build_detector(options.detector, threshold=options.threshold)
    records: list[dict[str, object]] = []
    failures = 0
    for file, place in tracked(places.items(), "Aligning"):
        try:
            written = write_crops(find_faces(file, finder, options.largest), place, options)
        except (ValueError, OSError) as error:
            failures += 1
            report_failure(file, error)
            if isinstance(error, NoFaceError):
                tell_left_crops(file, place, options.largest, 0)
            continue
        tell_left_crops(file, place, options.largest, len(written))
        records += written
        if not options.json:
            for record in written:
                print(record["crop"])
    if options.json:
        print(json.dumps(records, indent=2))
    return exit_status(len(files), len(files) - failures)


def stem_of(name: str) -> Path:
    """Path of the crops of a picture without _1.png, _2.png ... or .png, for which its name leaves room.

    Example:
        >>> stem_of("deep/a.jpg").as_posix(), len(stem_of(300 * "a" + ".jpg").name)
        ('deep/a', 245)
    """
    place = Path(name).with_suffix("")
    return place.with_name(shortened(place.name, LONGEST_NAME - len("_99999.png")))


def check_names(files: Mapping[Path, str]) -> None:
    """Refuse pictures whose crops would overwrite each other.

    Args:
        files: The pictures and their names below the folder that was given.

    Raises:
        ValueError: If two have the same name but for the suffix.

    Example:
        >>> check_names({Path("x/a.jpg"): "a.jpg", Path("x/b.jpg"): "b.jpg"})
    """
    seen: dict[Path, Path] = {}
    for file, name in files.items():
        stem = stem_of(name)
        if stem in seen:
            raise ValueError(f"Crops of {seen[stem]} and {file} would have the same names; align them apart.")
        seen[stem] = file


def check_inputs_stay(files: Mapping[Path, str], output: Path, single: bool) -> None:
    """Refuse a folder in which a crop could have the name of one of the pictures.

    Args:
        files: The pictures and their names below the folder that was given.
        output: Folder of the crops.
        single: Whether crops are called NAME.png, not NAME_1.png, NAME_2.png ...

    Raises:
        ValueError: If a picture could be replaced.
    """
    stems: defaultdict[str, list[Path]] = defaultdict(list)
    for name in files.values():
        stem = (output / stem_of(name)).resolve()
        stems[str(stem).casefold()].append(stem)
    pattern = re.compile(r"(.+)(\.png)" if single else r"(.+)(_\d+\.png)", re.DOTALL | re.IGNORECASE)
    for file in files:
        for place in {file.parent.resolve() / file.name, file.resolve()}:  # a crop goes where a link leads to
            parts = pattern.fullmatch(place.name)
            if parts is None:
                continue
            alike = stems.get(str(place.with_name(parts[1])).casefold(), ())
            ending = parts[2].lower()
            if any(file_key(stem.with_name(f"{stem.name}{ending}")) == file_key(file) for stem in alike):
                raise ValueError(f"{file} is an input and could be replaced by a crop; name another folder.")


def write_crops(found: Found, place: Path, options: AlignOptions) -> list[dict[str, object]]:
    """Align the faces of one picture and write them.

    Args:
        found: The picture and its faces.
        place: Path of the crops without _1.png, _2.png ... or, if only the largest is wanted, without .png.
        options: How.

    Returns:
        For each crop: its file, the picture, the matrix from picture to crop, the score.

    Raises:
        FileExistsError: If a file exists and must not be overwritten; nothing is written then.
    """
    pixels = found.picture.pixels.unsqueeze(0)
    aligned = align(pixels, found.faces, options.size, TEMPLATES[options.template], options.estimator)
    endings = [".png" if options.largest else f"_{number}.png" for number in range(1, len(aligned) + 1)]
    targets = [place.with_name(f"{place.name}{ending}") for ending in endings]
    for target in targets:
        if target.exists() and not options.overwrite:
            raise FileExistsError(f"{target} exists already; give --overwrite to replace it, or name another folder.")
    place.parent.mkdir(parents=True, exist_ok=True)
    for crop, target in zip(aligned.crops, targets, strict=True):
        save_picture(Picture(crop.clamp(0, 1), bits=found.picture.bits, grey=found.picture.grey), target)
    return [
        {"crop": str(target), "image": str(found.path), "matrix": rounded(matrix), "score": round(score, 4)}
        for target, matrix, score in zip(targets, aligned.matrix, found.faces.scores.tolist(), strict=True)
    ]


def tell_left_crops(file: Path, place: Path, single: bool, count: int) -> None:
    """Say which crops of a picture are of an earlier run, that found more faces; they may be somebody's, so they stay.

    Args:
        file: The picture.
        place: As in `write_crops`.
        single: Whether a crop is called NAME.png, not NAME_1.png, NAME_2.png ...
        count: Crops that were written.
    """
    endings: Iterable[str] = (f"_{number}.png" for number in itertools.count(count + 1))
    if single:
        endings = () if count else (".png",)
    for crop in itertools.takewhile(Path.exists, (place.with_name(f"{place.name}{ending}") for ending in endings)):
        say(f"{file}: {crop} is there from before and shows none of the faces found now; remove it.")


def rounded(matrix: Tensor) -> list[list[float]]:
    """Rows with eight digits, which is what float32 holds.

    Example:
        >>> import torch
        >>> rounded(torch.tensor([[1 / 3, 0.0, 2.0], [0.0, 1 / 3, 5.0]]))
        [[0.33333334, 0.0, 2.0], [0.0, 0.33333334, 5.0]]
    """
    return [[float(f"{value:.8g}") for value in row] for row in matrix.tolist()]
