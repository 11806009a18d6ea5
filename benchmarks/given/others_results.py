"""Pictures that other software has made of the inputs of a test set, found by their names."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from portraitdata.restoration.paired_layouts import PairedFiles, picture_size
from portraitdata.scoring.pairing import listed, pictures_by_name


def folder_of(results: Path, name: str, sets: int) -> Path:
    """Folder of the pictures of a set: the one of its name, or all if there is one set only.

    Args:
        results: What somebody has given.
        name: Of the set.
        sets: How many there are.

    Raises:
        FileNotFoundError: If there is none.
    """
    if (results / name).is_dir():
        return results / name
    if not results.is_dir():
        raise FileNotFoundError(f"There is no folder {results}, where results are to be.")
    if sets > 1:
        raise FileNotFoundError(
            f"{results} has no folder {name}; with {sets} sets, results are wanted in a folder for each, of its name."
        )
    return results


def find_results(folder: Path, files: PairedFiles, partly: bool = False) -> dict[str, Path]:
    """Results by the names of the pairs; a result may also be called as the file of its input or truth is.

    Args:
        folder: The results.
        files: The pairs.
        partly: Whether some may be missing.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If a picture is missing, there twice, or of another size than its truth.
    """
    problems: list[str] = []
    there = pictures_by_name(folder, problems)
    if problems:
        raise ValueError(problems[0])
    found = {name: there[key] for name in files.names for key in file_names(name, files) if key in there}
    missing = [name for name in files.names if name not in found]
    if missing and not (partly and found):
        raise ValueError(
            f"{folder} has no result for {len(missing)} of {len(files.names)} pairs: {listed(missing)}. Results are "
            f"called as the pairs or their files, whatever the suffix; there are {listed(sorted(there)) or 'none'}."
        )
    for name, path in found.items():
        size, wanted = picture_size(path), picture_size(files.hq[name])
        if size != wanted:
            raise ValueError(
                f"{path} has {size[0]} x {size[1]} pixels, its truth {files.hq[name]} {wanted[0]} x {wanted[1]}; "
                "nothing is resized."
            )
    return found


def file_names(name: str, files: PairedFiles) -> Iterator[str]:
    """Names that a result of a pair may have: the truth's, the input's, the pair's; the last that is there counts."""
    for path in (files.hq[name], files.lq[name]):
        yield PurePosixPath(name).with_name(path.stem).as_posix()
    yield name
