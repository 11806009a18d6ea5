"""Portraits in archives of any format, read where they lie: what tar and parquet files have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from portraitdata.exemplars.index import Photograph
from portraitdata.exemplars.sources.annotations import Annotation, annotations
from portraitdata.exemplars.sources.scanning import MIN_SIDE, Scan, attributed, identified, read_attributions, scan


@dataclass(frozen=True)
class ArchiveFormat:
    """A format of archives."""

    name: str
    """Name of the source in the index."""
    suffix: str
    words: str
    """What an archive is called."""
    members: Callable[[Path], list[Photograph]]
    """Pictures in an archive; of whom nothing is known, the identity is empty."""
    nobody: str
    """End of the sentence on a source that does not say who is who."""


def scan_archives(
    source: Path, identities: Path | None, form: ArchiveFormat, *, min_side: int = MIN_SIDE, verify: bool = False
) -> Scan:
    """Scan an archive, or all of a folder.

    Args:
        source: Archive or folder of archives.
        identities: CSV file with columns file, identity and perhaps split; None to ask the archives.

    Raises:
        FileNotFoundError: If there is no archive.
        ValueError: If one cannot be read, or nothing says who is who.
    """
    archives = sorted(source.glob(f"*{form.suffix}")) if source.is_dir() else [source]
    if not archives or not archives[0].is_file():
        wanted = source / f"*{form.suffix}" if source.is_dir() else source
        raise FileNotFoundError(f"There is no {form.words} {wanted}.")
    root = archives[0].parent
    candidates = [row for archive in archives for row in form.members(archive)]
    if identities is not None:
        kept, skipped = attributed(candidates, read_attributions(identities), identities.name)
        return scan(kept, root, form.name, min_side=min_side, verify=verify, skipped=skipped)
    known = annotations(root, candidates)
    said = [known.get((row.archive, row.path), Annotation()).identity for row in candidates]
    named = [row._replace(identity=one or row.identity) for row, one in zip(candidates, said, strict=True)]
    kept, skipped = identified(named)
    if not kept:
        raise ValueError(f"{source} {form.nobody}")
    return scan(kept, root, form.name, min_side=min_side, verify=verify, skipped=skipped)
