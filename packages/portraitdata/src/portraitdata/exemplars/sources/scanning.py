"""From files that may be photographs of somebody to the rows of an index."""

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from faceops.images.decoding import decode_raster, open_header, upright_size
from faceops.images.errors import ImageFileError
from faceops.progress.display import tracked
from portraitdata.exemplars.index import ExemplarIndex, Photograph, known_split, read_photograph
from portraitdata.loading.csv_tables import read_csv_table
from portraitdata.storage.places import Place, read_range

MIN_SIDE = 64
"""Pixels; a photograph with a shorter side is left out."""

HEADER_BYTES = 1 << 17
"""Enough of a file to hold its header in most cases."""


@dataclass(frozen=True)
class Skipped:
    """A file that is not in the index."""

    path: str
    reason: str
    """Why not, as a sentence."""


@dataclass(frozen=True)
class Scan:
    """Content of a source."""

    index: ExemplarIndex
    """Everything usable, each photograph in the split that the source gives it, else "unused"."""
    skipped: tuple[Skipped, ...]
    """Everything else that looked like a photograph."""


def scan(
    candidates: Sequence[Photograph],
    root: Path,
    source: str,
    *,
    min_side: int = MIN_SIDE,
    verify: bool = False,
    skipped: Sequence[Skipped] = (),
) -> Scan:
    """Look into every candidate and keep the photographs, with their sizes.

    Args:
        candidates: Rows of an index whose width and height are not known yet.
        min_side: Shortest side that is kept, in pixels.
        verify: Decode every photograph whole; otherwise only its header is read.
        skipped: What the source has left out before.

    Raises:
        ValueError: If nothing is left.
    """
    kept: list[Photograph] = []
    left_out = list(skipped)
    for row in tracked(candidates, "Reading photographs"):
        if not is_text(row.path):
            left_out.append(Skipped(row.path, f"{row.path}: the name is no text in UTF-8, as in an index; rename it."))
            continue
        try:
            width, height = photograph_size(root, row, verify)
        except (ImageFileError, OSError) as error:
            left_out.append(Skipped(row.path, str(error)))
            continue
        if min(width, height) < min_side:
            left_out.append(Skipped(row.path, f"{row.path} has {width} x {height} pixels, fewer than {min_side}."))
            continue
        kept.append(row._replace(width=width, height=height))
    if not kept:
        first = f" The first: {left_out[0].reason}" if left_out else ""
        raise ValueError(f"{root} holds no usable photograph; {len(left_out)} files were left out.{first}")
    return Scan(ExemplarIndex(root, tuple(kept), source), tuple(left_out))


def is_text(name: str) -> bool:
    r"""Tell whether a file name is text, which a table can hold, and not any bytes.

    Example:
        >>> is_text("Zoë.jpg"), is_text("Zo\udceb.jpg")
        (True, False)
    """
    return not any("\ud800" <= character <= "\udfff" for character in name)


def photograph_size(root: Place, row: Photograph, verify: bool = False) -> tuple[int, int]:
    """Width and height as shown, by the header; to verify, by the whole file.

    Args:
        root: Folder that path and archive of the row are relative to.
    """
    if verify:
        height, width = decode_raster(read_photograph(root, row), row.path).samples.shape[:2]
        return width, height
    if row.archive is None and isinstance(root, Path):
        with (root / row.path).open("rb") as file:
            return upright_size(open_header(file, row.path))
    try:
        return upright_size(open_header(io.BytesIO(_beginning(root, row)), row.path))
    except ImageFileError:
        if row.size <= HEADER_BYTES:
            raise
    return upright_size(open_header(io.BytesIO(read_photograph(root, row)), row.path))


def _beginning(root: Place, row: Photograph) -> bytes:
    if row.archive is None:
        return read_range(root / row.path, 0, HEADER_BYTES)
    return read_photograph(root, row._replace(size=min(row.size, HEADER_BYTES)))


@dataclass(frozen=True)
class Attribution:
    """Who a photograph shows, by a table."""

    identity: str
    """Empty if the table does not say."""
    split: str | None
    """Split that the table gives, if it has one."""


def read_attributions(path: Path) -> dict[str, Attribution]:
    """Read a CSV file with columns file, identity and perhaps split; other columns are ignored.

    Blanks around identities and splits do not count. An identity may be empty; rows that name no file are left out.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no CSV file, a column is missing, or a file is listed for two identities.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no table of identities {path}.")
    table: dict[str, Attribution] = {}
    for row in read_csv_table(path, ["file", "identity"]):
        # a row that ends early has nothing in its last columns
        identity, split = ((row.get(name) or "").strip() for name in ("identity", "split"))
        attribution = Attribution(identity, split or None)
        if row["file"] and table.setdefault(row["file"], attribution) != attribution:
            raise ValueError(f"{path} lists {row['file']} for two identities or splits.")
    return table


def identified(candidates: Sequence[Photograph]) -> tuple[list[Photograph], list[Skipped]]:
    """Candidates whose identity is known, and those of which nothing says whom they show."""
    unknown = [Skipped(row.path, f"{row.path}: nothing says who it shows.") for row in candidates if not row.identity]
    return [row for row in candidates if row.identity], unknown


def attributed(
    candidates: Sequence[Photograph], table: dict[str, Attribution], table_name: str
) -> tuple[list[Photograph], list[Skipped]]:
    """Give candidates the identity and split of a table; those of which it says nothing are left out.

    A table may name files from any folder of their path on: ``ada/1.jpg`` is ``photos/ada/1.jpg``, unless another file
    is called so, too; then nothing is known of either.

    Raises:
        ValueError: If no file of the table is there, or a split has an unknown name.
    """
    kept: list[Photograph] = []
    skipped: list[Skipped] = []
    found: set[str] = set()
    names = [_listed_name(row.path, table) for row in candidates]
    whole = {row.path for row in candidates}
    shortened = Counter(name for row, name in zip(candidates, names, strict=True) if name != row.path)
    for row, name in zip(candidates, names, strict=True):
        if name is None:
            skipped.append(Skipped(row.path, f"{row.path} is not listed in {table_name}."))
            continue
        found.add(name)
        if name != row.path and (shortened[name] > 1 or name in whole):
            reason = f"{table_name} lists {name}, as several files are called; name their folders there, too."
            skipped.append(Skipped(row.path, f"{row.path}: {reason}"))
            continue
        given = table[name]
        split = known_split(given.split or "unused", f"{name} in {table_name}")
        kept.append(row._replace(identity=given.identity, split=split))
    if not found:
        example = next(iter(table), "nothing")
        raise ValueError(f"None of the files that {table_name} lists is there; the first it lists is {example}.")
    kept, unknown = identified(kept)
    missing = [name for name in table if name not in found]
    skipped += unknown
    skipped += [Skipped(name, f"{name} is listed in {table_name} but is not there.") for name in missing]
    return kept, skipped


def _listed_name(path: str, table: dict[str, Attribution]) -> str | None:
    name = path
    while name not in table:
        if "/" not in name:
            return None
        name = name.split("/", 1)[1]
    return name
