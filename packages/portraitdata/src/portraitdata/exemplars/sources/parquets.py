"""Portraits in parquet files of Hugging Face's `datasets`, read where they lie."""

from pathlib import Path, PurePosixPath

from portraitdata.exemplars.index import Photograph
from portraitdata.exemplars.sources.archives import ArchiveFormat, scan_archives
from portraitdata.exemplars.sources.scanning import MIN_SIDE, Scan
from portraitdata.loading.parquet_pictures import PARQUET, pictures_of
from portraitdata.storage.places import Place


def scan_parquets(
    source: Path, identities: Path | None = None, *, min_side: int = MIN_SIDE, verify: bool = False
) -> Scan:
    """Scan a parquet file, or all ``*.parquet`` of a folder.

    Args:
        source: File or folder of files with a column of pictures, see `portraitdata.loading.parquet_pictures`.
        identities: CSV file with columns file, identity and perhaps split. Without it a column identity, person or
            label names the identity.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a file has no column of pictures, or nothing says who is who.
    """
    return scan_archives(source, identities, PARQUETS, min_side=min_side, verify=verify)


def parquet_members(archive: Place) -> list[Photograph]:
    """Pictures in a parquet file: `offset` is the number of the row, and the path has it, too.

    Raises:
        ValueError: If it is none with a column of pictures.
    """
    rows = []
    for number, (data, path) in enumerate(pictures_of(archive)):
        # Without a path a suffix for people and for copies; decoders look at the content.
        name = PurePosixPath(path).name if path else "picture.png" if data.startswith(b"\x89PNG") else "picture.jpg"
        rows.append(Photograph(f"{archive.stem}/{number}/{name}", archive.name, number, len(data), "", "unused", 0, 0))
    return rows


PARQUETS = ArchiveFormat(
    name="parquet",
    suffix=PARQUET,
    words="parquet file",
    members=parquet_members,
    nobody="does not say who is who: give it a column identity, person or label, or give a table of identities.",
)
