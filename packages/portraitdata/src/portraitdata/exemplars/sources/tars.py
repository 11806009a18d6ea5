"""Portraits in tar archives, read where they lie: members ``.../identity/file``, samples of WebDataset, or a table."""

import tarfile
from pathlib import Path, PurePosixPath

from faceops.images.picture_files import READABLE_SUFFIXES
from portraitdata.exemplars.index import Photograph
from portraitdata.exemplars.sources.archives import ArchiveFormat, scan_archives
from portraitdata.exemplars.sources.scanning import MIN_SIDE, Scan
from portraitdata.storage.places import Place

HEADERS_AT_ONCE = 1 << 14
"""Bytes that are read of an archive for a header; what lies between headers is passed over."""


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
    return scan_archives(source, identities, TARS, min_side=min_side, verify=verify)


def tar_members(archive: Place) -> list[Photograph]:
    """Pictures in a tar archive and where their bytes lie; the folder of each is taken for the person it shows.

    Raises:
        ValueError: If it is compressed or no tar archive, or the name of a picture leads out of a folder.
    """
    rows = []
    try:
        with archive.open("rb", HEADERS_AT_ONCE) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if member.isreg() and path.suffix.lower() in READABLE_SUFFIXES and not path.name.startswith("."):
                    if path.is_absolute() or ".." in path.parts:
                        raise ValueError(
                            f"{archive} has a member {member.name!r}, whose name leads out of the folder that it is "
                            "put into; pack the archive anew, with names relative to one folder."
                        )
                    place = member.offset_data, member.size
                    rows.append(Photograph(str(path), archive.name, *place, path.parent.name, "unused", 0, 0))
    except tarfile.ReadError as error:
        raise ValueError(
            f"{archive} is not an uncompressed tar archive ({error}); unpack a compressed one first, by gunzip."
        ) from error
    return rows


TARS = ArchiveFormat(
    name="tar",
    suffix=".tar",
    words="tar archive",
    members=tar_members,
    nobody="has no members of the form identity/photograph.jpg, and none of the form key.json with a field identity; "
    "give a table of identities if the members are named otherwise.",
)
