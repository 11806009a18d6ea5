"""The index of a set of portraits: which photographs show whom, where they lie, and what they are for."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple, get_args

import pyarrow as pa

from portraitdata.loading.changed_files import ChangedFileError
from portraitdata.loading.index_files import (
    check_inside,
    conform,
    photographs_root,
    portable_root,
    read_parquet,
    stored_metadata,
    write_parquet,
)
from portraitdata.loading.parquet_pictures import PARQUET, read_picture
from portraitdata.storage.places import Place, read_range

Split = Literal["train", "test", "unused"]
"""Use of an identity's photographs."""

VERSION = 1
METADATA_KEY = b"portraitdata.exemplar_index"

KIND = "an exemplar index"


class Photograph(NamedTuple):
    """One row of an index."""

    path: str
    """File relative to the index's root, or name of the member in an archive."""
    archive: str | None
    """Tar or parquet file relative to the root; None for a plain file."""
    offset: int
    """First byte within a tar file, number of the row of a parquet file; zero for a plain file."""
    size: int
    """Length in bytes."""
    identity: str
    """Who it shows."""
    split: Split
    """Its use; all photographs of an identity have the same."""
    width: int
    """Pixels, as a viewer shows the photograph."""
    height: int
    """Pixels."""

    @property
    def name(self) -> str:
        """Path below the root as if archives were folders; no other photograph of an index has it.

        Example:
            >>> Photograph("1.jpg", "a/x.tar", 0, 9, "ada", "train", 8, 8).name
            'a/x/1.jpg'
        """
        return self.path if self.archive is None else f"{PurePosixPath(self.archive).with_suffix('')}/{self.path}"


def known_split(name: str, whose: str) -> Split:
    """The split called `name`.

    Raises:
        ValueError: If there is none; `whose` tells whose split it should have been.
    """
    for split in get_args(Split):
        if name == split:
            return split
    raise ValueError(f"The split of {whose} is {name!r}; it must be train, test or unused.")


SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("archive", pa.string()),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("identity", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
    ]
)


@dataclass(frozen=True)
class ExemplarIndex:
    """Photographs of identities, kept in the order of identity and path.

    Raises:
        ValueError: If a photograph is listed twice, an identity is in two splits, or a split has an unknown name.

    Example:
        >>> ada = Photograph("ada/1.jpg", None, 0, 900, "ada", "train", 250, 250)
        >>> index = ExemplarIndex(Path("photos"), (ada, ada._replace(path="ada/2.jpg")))
        >>> {identity: len(photographs) for identity, photographs in index.by_identity.items()}
        {'ada': 2}
    """

    root: Path
    """Folder that paths and archives are relative to."""
    photographs: tuple[Photograph, ...]
    source: str = ""
    """Where the photographs come from: the layout they were found in."""
    seed: int | None = None
    """Seed of the split; None for a split that was given."""
    note: str = ""
    """Remark for whoever reads the index later."""

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.photographs, key=lambda row: (row.identity, row.archive or "", row.path)))
        object.__setattr__(self, "photographs", ordered)
        twice = [place for place, count in Counter((row.archive, row.path) for row in ordered).items() if count > 1]
        if twice:
            raise ValueError(f"{len(twice)} photographs are listed more than once, the first is {twice[0][1]}.")
        split_of: dict[str, str] = {}
        for row in ordered:
            known_split(row.split, row.path)
            if split_of.setdefault(row.identity, row.split) != row.split:
                raise ValueError(
                    f"Photographs of {row.identity} are in both {split_of[row.identity]!r} and {row.split!r}; "
                    "all photographs of an identity belong to one split."
                )

    @cached_property
    def by_identity(self) -> Mapping[str, tuple[Photograph, ...]]:
        """Photographs of every identity, both in alphabetical order."""
        groups: dict[str, list[Photograph]] = defaultdict(list)
        for row in self.photographs:
            groups[row.identity].append(row)
        return {identity: tuple(rows) for identity, rows in groups.items()}

    def select(self, split: Split) -> "ExemplarIndex":
        """The part of the index that is for `split`."""
        return replace(self, photographs=tuple(row for row in self.photographs if row.split == split))

    def with_splits(self, split_of: Mapping[str, Split]) -> "ExemplarIndex":
        """The same photographs, every identity in the split that `split_of` says; "unused" where it says nothing."""
        return replace(
            self,
            photographs=tuple(row._replace(split=split_of.get(row.identity, "unused")) for row in self.photographs),
        )

    def read_bytes(self, photograph: Photograph) -> bytes:
        """The image file of a photograph, read in one go from wherever it lies.

        Raises:
            OSError: If the file or archive is missing or shorter than the index says.
        """
        return read_photograph(self.root, photograph)

    def write(self, path: Path | str) -> None:
        """Write the index as a parquet file, whole or not at all.

        The root is stored relative to the file's folder, so that both may move together, unless nothing but the top
        of the file system holds both.

        Raises:
            ValueError: If the index has no photographs.
        """
        if not self.photographs:
            raise ValueError(f"An index without a single photograph is not written to {path}.")
        path = Path(path)
        metadata = {
            "version": VERSION,
            "root": portable_root(self.root.resolve(), path.resolve().parent),
            "source": self.source,
            "seed": self.seed,
            "note": self.note,
        }
        table = pa.Table.from_pylist([row._asdict() for row in self.photographs], schema=SCHEMA)
        table = table.replace_schema_metadata({METADATA_KEY: json.dumps(metadata).encode()})
        write_parquet(table, path)

    @classmethod
    def read(cls, path: Path | str, root: Path | str | None = None) -> "ExemplarIndex":
        """Read an index.

        Args:
            root: Folder of the photographs, where it is no longer the one that the index names.

        Raises:
            FileNotFoundError: If the index or its root is not there.
            ValueError: If the file is no exemplar index, an empty or inconsistent one, or names files elsewhere.
        """
        path = Path(path)
        check_index(path)
        table = read_parquet(path, KIND)
        columns = conform(table, SCHEMA, str(path), KIND).select(SCHEMA.names)
        metadata = stored_metadata(table, METADATA_KEY, VERSION, path, "exemplar-index")
        if not table.num_rows:
            raise ValueError(f"{path} lists no photographs.")
        for column in ("path", "archive"):
            check_inside(columns[column].to_pylist(), path)
        folder = photographs_root(metadata["root"], path.parent, path, root)
        rows = tuple(Photograph(**row) for row in columns.to_pylist())
        try:
            return cls(folder, rows, metadata["source"], metadata["seed"], metadata["note"])
        except ValueError as error:
            raise ValueError(f"{path} is inconsistent: {error}") from error


def read_photograph(root: Place, photograph: Photograph) -> bytes:
    """The image file of a photograph, read in one go from wherever it lies.

    Args:
        root: Folder that its path and archive are relative to.

    Raises:
        FileNotFoundError: If the file or archive is missing.
        ChangedFileError: If it is shorter than the index says.
        OSError: If it cannot be reached.
    """
    place = root / (photograph.archive or photograph.path)
    if isinstance(place, Path) and not place.exists():
        raise FileNotFoundError(f"There is no file {place}.")
    if photograph.archive is None:
        return place.read_bytes()
    if photograph.archive.endswith(PARQUET):
        data = read_picture(place, photograph.offset)[: photograph.size]
    else:
        data = read_range(place, photograph.offset, photograph.size)
    if len(data) != photograph.size:
        raise ChangedFileError(f"{place} ends within {photograph.path}; it has changed since it was indexed.")
    return data


def check_index(path: Path) -> None:
    """Refuse an index that is not there."""
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no exemplar index {path}; `portraitdata exemplar-index SOURCE --output {path}` makes one."
        )


def identity_counts(photographs: Iterable[Photograph]) -> dict[str, int]:
    """Number of photographs of every identity."""
    return dict(Counter(row.identity for row in photographs))
