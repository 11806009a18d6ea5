"""Portraits in a folder for each identity: ``SOURCE/Ada Lovelace/1.jpg``."""

from collections.abc import Sequence
from pathlib import Path

from faceops.images.picture_files import find_all_pictures, find_pictures, is_picture
from faceops.progress.verbosity import say
from portraitdata.exemplars.index import Photograph
from portraitdata.exemplars.sources.annotations import of_folder
from portraitdata.exemplars.sources.scanning import MIN_SIDE, Attribution, Scan, attributed, read_attributions, scan


def scan_folders(
    source: Path, identities: Path | None = None, *, min_side: int = MIN_SIDE, verify: bool = False
) -> Scan:
    """Scan a folder of folders.

    Args:
        source: Folder with a folder for each identity, which is the identity's name; or, with `identities`, any
            folder, whose photographs are found at every depth; so are those of a folder with a metadata.csv or
            metadata.jsonl, as Hugging Face's `datasets` has it, that names identities.
        identities: CSV file with columns file, identity and perhaps split.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no photographs of anybody.
    """
    if not source.is_dir():
        raise FileNotFoundError(f"There is no folder {source}.")
    table = {path: Attribution(one.identity, None) for path, one in of_folder(source).items() if one.identity}
    if identities is not None:
        table = read_attributions(identities)
    if table or identities is not None:
        candidates = [unmeasured(path, source, path.parent.name) for path in find_all_pictures(source)]
        kept, skipped = attributed(candidates, table, "the metadata" if identities is None else identities.name)
        return scan(kept, source, "folders", min_side=min_side, verify=verify, skipped=skipped)
    folders = sorted(path for path in source.iterdir() if path.is_dir() and not path.name.startswith("."))
    candidates = [unmeasured(path, source, folder.name) for folder in folders for path in find_pictures(folder)]
    _tell_unread(source, folders)
    if not candidates:
        raise ValueError(
            f"{source} has no folders with photographs in them; put the photographs of each person into a folder "
            "named after the person, or give a table of identities."
        )
    return scan(candidates, source, "folders", min_side=min_side, verify=verify)


def _tell_unread(source: Path, folders: Sequence[Path]) -> None:
    """Say on stderr, in one sentence, what is in no folder of a person, and what in these is no picture."""
    unread = [
        *find_pictures(source),
        *(path for folder in folders for path in folder.iterdir() if not is_picture(path)),
    ]
    seen = sorted(path.relative_to(source) for path in unread if not path.name.startswith("."))
    if seen:
        say(
            f"{source}: left out are {len(seen)} files and folders, such as {seen[0]}: only the pictures in the folder "
            "of each person are read."
        )


def unmeasured(path: Path, root: Path, identity: str = "") -> Photograph:
    """Photograph of a file below a folder, whose size in pixels is not known yet."""
    return Photograph(path.relative_to(root).as_posix(), None, 0, path.stat().st_size, identity, "unused", 0, 0)
