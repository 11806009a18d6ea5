"""The index of whole portraits: photographs, the faces in them, and which faces are of one person.

A folder with `images.parquet` and, where there are any, `faces.parquet` and `pairs.parquet`; see
`portraitdata.restoration.index.schemas` for the columns. Further columns travel along.
"""

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float64
from numpy.typing import NDArray

from faceops.geometry.faces import Faces
from portraitdata.exemplars.index import ExemplarIndex, Photograph, Split, known_split
from portraitdata.loading.index_files import (
    check_inside,
    photographs_root,
    portable_root,
    stored_metadata,
    write_parquet,
)
from portraitdata.restoration.index.schemas import (
    FACES,
    IMAGES,
    PAIRS,
    conform_tables,
    face_name,
    read_faces_and_pairs,
    read_table,
)
from portraitdata.restoration.index.takedown_list import LIST_FILE, read_takedown_list, without_taken_down

VERSION = 1
METADATA_KEY = b"portraitdata.portrait_index"


@dataclass(frozen=True, eq=False)
class PortraitIndex:
    """Photographs, their faces and the pairs of faces of one person, all by number.

    Raises:
        ValueError: If a table lacks a column, or the tables do not fit together: a photograph is listed twice, a face
            or a pair names what is not there, a pair lies within a photograph or across splits.

    Example:
        >>> rows = {"uid": ["x"], "path": ["x.jpg"], "archive": [None], "offset": [0], "size": [9], "width": [640]}
        >>> index = PortraitIndex(Path("photos"), pa.table(rows | {"height": [480], "split": ["train"]}))
        >>> len(index), len(index.faces_of(0)), index.photograph(0).path
        (1, 0, 'x.jpg')
    """

    root: Path
    """Folder that paths and archives are relative to."""
    images: pa.Table
    faces: pa.Table = field(default_factory=FACES.empty_table)
    pairs: pa.Table = field(default_factory=PAIRS.empty_table)
    note: str = ""
    """Remark for whoever reads the index later."""
    split_threshold: float | None = None
    """Similarity above which no two faces are on both sides of the split; None where nothing says so."""

    def __post_init__(self) -> None:
        tables = conform_tables(self.images, self.faces, self.pairs)
        for name, table in zip(("images", "faces", "pairs"), tables, strict=True):
            object.__setattr__(self, name, table)
        twice = [uid for uid, count in Counter(self.images["uid"].to_pylist()).items() if count > 1]
        if twice:
            raise ValueError(f"{len(twice)} photographs are listed more than once, the first is {twice[0]}.")
        for path, split in zip(self.images["path"].to_pylist(), self.images["split"].to_pylist(), strict=True):
            known_split(split, path)
        strangers = [uid for uid in self.faces["uid"].to_pylist() if uid not in self._number_of]
        if strangers:
            raise ValueError(f"{len(strangers)} faces are of photographs that are not listed, as {strangers[0]}.")
        if len(set(self._face_names)) < len(self._face_names):
            raise ValueError("A face is listed more than once: uid and number together must be unique.")
        self._check_pairs()

    def __len__(self) -> int:
        return self.images.num_rows

    def numbers(self, split: Split) -> NDArray[np.int64]:
        """Numbers of the photographs that are for `split`."""
        return np.flatnonzero(self._splits == split)

    def photograph(self, number: int) -> Photograph:
        """Where a photograph lies and how large it is; whom it shows is not known."""
        row = self._places[number]
        return Photograph(row["path"], row["archive"], row["offset"], row["size"], "", row["split"], *self.size(number))

    def uid(self, number: int) -> str:
        """Name of a photograph in the tables."""
        return self._places[number]["uid"]

    def size(self, number: int) -> tuple[int, int]:
        """Width and height of a photograph, in pixels as shown."""
        row = self._places[number]
        return row["width"], row["height"]

    def prompt(self, number: int) -> str:
        """Text of a photograph: its prompt, or its tags with commas between, or nothing."""
        row = self._places[number]
        return row.get("prompt") or ", ".join(row.get("tags") or ())

    @property
    def has_text(self) -> bool:
        """Whether any photograph has a text."""
        return any(self.prompt(number) for number in range(len(self)))

    def read_bytes(self, number: int) -> bytes:
        """The image file of a photograph; OSError if the file or archive is missing or shorter than the index says."""
        return ExemplarIndex(self.root, ()).read_bytes(self.photograph(number))

    def faces_of(self, number: int) -> NDArray[np.int64]:
        """Numbers of the faces in a photograph: rows of `faces`."""
        return np.array(self._faces_of.get(number, ()), np.int64)

    def photograph_of(self, face: int) -> int:
        """Number of the photograph that a face is in."""
        return int(self._photograph_of[face])

    def geometry(self, faces: NDArray[np.int64]) -> Faces:
        """Boxes, landmarks and scores of faces, in pixels of their photographs; the image index is zero for all."""
        boxes, landmarks, scores = (torch.from_numpy(column[faces]) for column in self._geometry)
        return Faces(torch.zeros(len(faces), dtype=torch.int64), boxes, landmarks.unflatten(1, (5, 2)), scores)

    def matrix(self, face: int) -> Float64[np.ndarray, "2 3"]:
        """Map from pixels of its photograph to those of a face aligned to FFHQ at 512 pixels."""
        return self._matrices[face]

    def matrices(self, faces: NDArray[np.int64]) -> Float64[np.ndarray, "n 2 3"]:
        """`matrix` of several faces."""
        return self._matrices[faces]

    def partners(self, face: int) -> tuple[tuple[int, float], ...]:
        """Other faces of the same person with their similarity, the most similar first."""
        return self._partners.get(face, ())

    def select(self, split: Split) -> "PortraitIndex":
        """The part of the index that is for `split`."""
        images = self.images.filter(pa.array(self._splits == split))
        faces = self.faces.filter(pa.array(self._splits[self._photograph_of] == split))
        kept = {face_name(uid, number) for uid, number in _columns(faces, "uid", "number")}
        pairs = self.pairs.filter(pa.array([a in kept for a in self.pairs["face_a"].to_pylist()], pa.bool_()))
        return replace(self, images=images, faces=faces, pairs=pairs)

    def write(self, folder: Path | str) -> None:
        """Write the three tables into a folder, which is made; each is there whole or not at all.

        The root is stored relative to the folder, so that both may move together, unless nothing but the top of the
        file system holds both. `images.parquet` is written last.

        Raises:
            ValueError: If the index has no photographs.
        """
        if not len(self):
            raise ValueError(f"An index without a single photograph is not written to {folder}.")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in self.stored(portable_root(self.root.resolve(), folder.resolve())).items():
            write_parquet(table, folder / name)

    def stored(self, root: str) -> dict[str, pa.Table]:
        """Tables by the names of their files, in the order in which they are to be written.

        Args:
            root: Folder of the photographs, seen from that of the index.
        """
        metadata = {"version": VERSION, "root": root, "note": self.note}
        if self.split_threshold is not None:
            metadata["split_threshold"] = self.split_threshold
        facts = {**(self.images.schema.metadata or {}), METADATA_KEY: json.dumps(metadata).encode()}
        images = self.images.replace_schema_metadata(facts)
        return {"pairs.parquet": self.pairs, "faces.parquet": self.faces, "images.parquet": images}

    @classmethod
    def read(cls, folder: Path | str, root: Path | str | None = None) -> "PortraitIndex":
        """Read an index; one without faces or without pairs may lack these files.

        What a takedown list beside the tables names is left out, so that a copy made before a takedown honours the
        list once it is put there.

        Args:
            root: Folder of the photographs, where it is no longer the one that the index names.

        Raises:
            FileNotFoundError: If the index or its root is not there.
            ValueError: If the tables are none of a portrait index, are inconsistent, or name files elsewhere.
        """
        folder = Path(folder)
        if not (folder / "images.parquet").is_file():
            raise FileNotFoundError(
                f"There is no portrait index {folder}; "
                f"`portraitdata portrait-index SOURCE --output {folder}` makes one."
            )
        images = read_table(folder / "images.parquet")
        metadata = stored_metadata(images, METADATA_KEY, VERSION, folder, "portrait-index")
        where = photographs_root(metadata["root"], folder, folder, root)
        faces, pairs = read_faces_and_pairs(folder)
        try:
            index = cls(where, images, faces, pairs, metadata["note"], metadata.get("split_threshold"))
        except ValueError as error:
            raise ValueError(f"{folder} is no portrait index that can be used: {error}") from error
        for column in ("path", "archive"):
            check_inside(index.images[column].to_pylist(), folder)
        gone = read_takedown_list(folder / LIST_FILE)
        if not gone:
            return index
        images, faces, pairs = without_taken_down(gone, index.images, index.faces, index.pairs)
        return replace(index, images=images, faces=faces, pairs=pairs)

    def _check_pairs(self) -> None:
        for a, b in _columns(self.pairs, "face_a", "face_b"):
            absent = [name for name in (a, b) if name not in self._face_number]
            if absent:
                raise ValueError(f"A pair names the face {absent[0]}, which is not listed.")
            first, second = (self._photograph_of[self._face_number[name]] for name in (a, b))
            if first == second:
                raise ValueError(f"The pair {a}, {b} lies within one photograph: that is two people or one face twice.")
            if self._splits[first] != self._splits[second]:
                raise ValueError(
                    f"The faces {a} and {b} of one person are in {self._splits[first]!r} and {self._splits[second]!r}; "
                    "a person belongs to one split."
                )

    @cached_property
    def _places(self) -> list[dict]:
        wanted = [name for name in (*IMAGES.names, "prompt", "tags") if name in self.images.column_names]
        return self.images.select(wanted).to_pylist()

    @cached_property
    def _splits(self) -> NDArray[np.object_]:
        return np.array(self.images["split"].to_pylist(), object)

    @cached_property
    def _number_of(self) -> dict[str, int]:
        return {uid: number for number, uid in enumerate(self.images["uid"].to_pylist())}

    @cached_property
    def _photograph_of(self) -> NDArray[np.int64]:
        return np.array([self._number_of[uid] for uid in self.faces["uid"].to_pylist()], np.int64)

    @cached_property
    def _faces_of(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for face, photograph in enumerate(self._photograph_of.tolist()):
            found.setdefault(photograph, []).append(face)
        return found

    @cached_property
    def _face_names(self) -> list[str]:
        return [face_name(uid, number) for uid, number in _columns(self.faces, "uid", "number")]

    @cached_property
    def _face_number(self) -> dict[str, int]:
        return {name: face for face, name in enumerate(self._face_names)}

    @cached_property
    def _geometry(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        boxes, landmarks = (_matrix(self.faces, name) for name in ("box", "landmarks"))
        return boxes, landmarks, self.faces["score"].to_numpy().copy()

    @cached_property
    def _matrices(self) -> NDArray[np.float64]:
        return _matrix(self.faces, "matrix").reshape(-1, 2, 3)

    @cached_property
    def _partners(self) -> dict[int, tuple[tuple[int, float], ...]]:
        found: dict[int, list[tuple[int, float]]] = {}
        for a, b, cosine in _columns(self.pairs, "face_a", "face_b", "cosine"):
            first, second = self._face_number[a], self._face_number[b]
            found.setdefault(first, []).append((second, cosine))
            found.setdefault(second, []).append((first, cosine))
        return {face: tuple(sorted(others, key=lambda other: (-other[1], other[0]))) for face, others in found.items()}


def _columns(table: pa.Table, *names: str) -> "zip[tuple]":
    return zip(*(table[name].to_pylist() for name in names), strict=True)


def _matrix(table: pa.Table, name: str) -> NDArray:
    column = table[name].combine_chunks()
    return column.flatten().to_numpy().reshape(table.num_rows, column.type.list_size).copy()
