"""Portraits in parquet files of Hugging Face's `datasets`, read where they lie."""

from pathlib import Path, PurePosixPath

from portraitdata.exemplars.index import Photograph
from portraitdata.exemplars.sources.annotations import Annotation, annotations
from portraitdata.exemplars.sources.scanning import MIN_SIDE, Scan, attributed, identified, read_attributions, scan
from portraitdata.loading.parquet_pictures import PARQUET, pictures_of


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
    archives = sorted(source.glob(f"*{PARQUET}")) if source.is_dir() else [source]
    if not archives or not archives[0].is_file():
        raise FileNotFoundError(f"There is no parquet file {source / f'*{PARQUET}' if source.is_dir() else source}.")
    root = archives[0].parent
    candidates = [row for archive in archives for row in parquet_members(archive)]
    if identities is not None:
        kept, skipped = attributed(candidates, read_attributions(identities), identities.name)
        return scan(kept, root, "parquet", min_side=min_side, verify=verify, skipped=skipped)
    known = annotations(root, candidates)
    said = [known.get((row.archive, row.path), Annotation()).identity for row in candidates]
    kept, skipped = identified([row._replace(identity=one) for row, one in zip(candidates, said, strict=True)])
    if not kept:
        raise ValueError(
            f"{source} does not say who is who: give it a column identity, person or label, or give a table of "
            "identities."
        )
    return scan(kept, root, "parquet", min_side=min_side, verify=verify, skipped=skipped)


def parquet_members(archive: Path) -> list[Photograph]:
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
