"""Portraits in tar archives, read where they lie: members ``.../identity/file``, samples of WebDataset, or a table."""

import tarfile
from pathlib import Path, PurePosixPath

from faceops.images.picture_files import READABLE_SUFFIXES
from portraitdata.exemplars.index import Photograph
from portraitdata.exemplars.sources.annotations import Annotation, annotations
from portraitdata.exemplars.sources.scanning import MIN_SIDE, Scan, attributed, identified, read_attributions, scan


def scan_tars(source: Path, identities: Path | None = None, *, min_side: int = MIN_SIDE, verify: bool = False) -> Scan:
    """Scan a tar archive, or all ``*.tar`` of a folder.

    Args:
        source: Archive or folder of archives; not compressed, since photographs are read from the middle of them.
        identities: CSV file with columns file, identity and perhaps split. Without it a photograph's ``key.json`` or
            ``key.cls`` names the identity, as in WebDataset, else its folder.

    Raises:
        FileNotFoundError: If there is no archive.
        ValueError: If an archive is compressed, is none, or holds no photographs of anybody.
    """
    archives = sorted(source.glob("*.tar")) if source.is_dir() else [source]
    if not archives or not archives[0].is_file():
        raise FileNotFoundError(f"There is no tar archive {source if not source.is_dir() else source / '*.tar'}.")
    root = archives[0].parent
    candidates = [row for archive in archives for row in tar_members(archive)]
    if identities is not None:
        kept, skipped = attributed(candidates, read_attributions(identities), identities.name)
        return scan(kept, root, "tar", min_side=min_side, verify=verify, skipped=skipped)
    known = annotations(root, candidates)
    said = [known.get((row.archive, row.path), Annotation()).identity for row in candidates]
    named = [row._replace(identity=one or row.identity) for row, one in zip(candidates, said, strict=True)]
    kept, skipped = identified(named)
    if not kept:
        raise ValueError(
            f"{source} has no members of the form identity/photograph.jpg, and none of the form key.json with a field "
            "identity; give a table of identities if the members are named otherwise."
        )
    return scan(kept, root, "tar", min_side=min_side, verify=verify, skipped=skipped)


def tar_members(archive: Path) -> list[Photograph]:
    """Pictures in a tar archive and where their bytes lie; the folder of each is taken for the person it shows.

    Raises:
        ValueError: If it is compressed or no tar archive.
    """
    rows = []
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if member.isreg() and path.suffix.lower() in READABLE_SUFFIXES and not path.name.startswith("."):
                    place = member.offset_data, member.size
                    rows.append(Photograph(str(path), archive.name, *place, path.parent.name, "unused", 0, 0))
    except tarfile.ReadError as error:
        raise ValueError(
            f"{archive} is not an uncompressed tar archive ({error}); unpack a compressed one first, by gunzip."
        ) from error
    return rows
