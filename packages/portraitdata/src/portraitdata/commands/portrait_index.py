"""``portraitdata portrait-index``: pictures in, an index of portraits, faces and pairs out."""

import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from faceops.detection.detector_names import DetectorName
from faceops.detection.selection import build_detector
from faceops.recognition.identity import DEFAULT_NETWORK, build_identity
from portraitdata.exemplars.index import Photograph
from portraitdata.exemplars.sources.scanning import Skipped
from portraitdata.restoration.index.face_pass import MIN_EYES, FacePass, SeenPicture, face_columns, look_at_all
from portraitdata.restoration.index.held_out_list import held_out_splits, read_held_out
from portraitdata.restoration.index.picture_files import find_picture_files
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.index.reduced_copies import copy_reduced
from portraitdata.restoration.index.schemas import FACES, IMAGES, PAIRS, face_name
from portraitdata.restoration.index.similar_faces import (
    DUPLICATE_THRESHOLD,
    PAIR_THRESHOLD,
    SPLIT_THRESHOLD,
    SimilarFaces,
    SplitPeople,
    similar_faces,
    split_people,
)

NAMED = 20
"""Files left out that are named one by one."""


@dataclass(frozen=True)
class FaceSettings:
    """Settings of detection and comparison of faces."""

    detector: DetectorName = "yunet"
    detector_weights: str | None = None
    identity: str = DEFAULT_NETWORK
    min_eyes: float = MIN_EYES
    pairs: float = PAIR_THRESHOLD
    duplicates: float = DUPLICATE_THRESHOLD


@dataclass(frozen=True)
class Copies:
    """Reduced copies that are indexed in place of the pictures."""

    folder: Path
    side: int = 1000
    """Largest shorter side, in pixels."""


def run_portrait_index(
    source: Path,
    output: Path,
    faces: FaceSettings | None,
    test_share: float = 0.1,
    seed: int = 0,
    note: str = "",
    test_list: Path | None = None,
    copies: Copies | None = None,
) -> None:
    """Index pictures, and print how many came through each step.

    Args:
        source: Folder of pictures, tar archive, or folder of archives.
        output: Folder to write the index into.
        faces: How faces are found; None indexes photographs without looking for faces.
        test_share: Share of the photographs that is for testing.
        seed: Seed of the split.
        note: Remark to keep in the index.
        test_list: Text file with the paths of the photographs that are for testing; the split is then not drawn.
        copies: Where to put reduced copies, which are indexed instead.

    Raises:
        ValueError: If an argument is out of range or there is nothing to index.
        FileNotFoundError: If there is no source, or weights are missing.
        OSError: If the index cannot be written.
    """
    if output.exists() and not output.is_dir():
        raise ValueError(f"An index of portraits is a folder, but {output} is a file.")
    least, most = (PAIR_THRESHOLD, DUPLICATE_THRESHOLD) if faces is None else (faces.pairs, faces.duplicates)
    if not 0 < least < most <= 1:
        raise ValueError(
            "The similarity of pairs lies between 0 and that of duplicates, which is at most 1; "
            f"got {least} for pairs and {most} for duplicates."
        )
    held_out = None if test_list is None else read_held_out(test_list)
    root, files, unread = _files(source, copies)
    seeing = _seeing(root, faces)
    pictures, skipped = look_at_all(files, seeing)
    for line in _left_out(unread + skipped):
        print(line, file=sys.stderr)
    near = _near(pictures, min(SPLIT_THRESHOLD, least))
    split = _split(pictures, near, test_share, seed, least)
    if held_out is not None:
        split = replace(split, splits=held_out_splits([picture.photograph.path for picture in pictures], held_out))
    pairs = near.select((near.cosine > least) & (near.cosine <= most))
    index = PortraitIndex(root, _images(pictures, split), _faces(pictures), _pairs(pictures, pairs), note)
    index.write(output)
    duplicates = int((near.cosine > most).sum())
    for line in funnel(len(files) + len(unread), index, seeing.small_faces, duplicates, split):
        print(line)
    print(output)


def _files(source: Path, copies: Copies | None) -> tuple[Path, list[Photograph], list[Skipped]]:
    """Root and files to index, and what could not be copied."""
    root, files = find_picture_files(source)
    if copies is None:
        return root, files, []
    unread = copy_reduced(root, files, copies.folder, copies.side)
    return *find_picture_files(copies.folder), unread


def _seeing(root: Path, faces: FaceSettings | None) -> FacePass:
    if faces is None:
        return FacePass(root, None, None)
    detector = build_detector(faces.detector, faces.detector_weights, turned=False)
    return FacePass(root, detector, build_identity(faces.identity), faces.min_eyes)


def _left_out(skipped: list[Skipped]) -> list[str]:
    lines = [f"left out: {file.reason}" for file in skipped[:NAMED]]
    return lines + ([f"left out: {len(skipped) - NAMED} more files"] if len(skipped) > NAMED else [])


def _owners(pictures: list[SeenPicture]) -> np.ndarray:
    return np.repeat(np.arange(len(pictures)), [len(picture.faces) for picture in pictures])


def _near(pictures: list[SeenPicture], threshold: float) -> SimilarFaces:
    found = [picture.embeddings for picture in pictures if len(picture.faces)]
    embeddings = np.concatenate(found) if found else np.zeros((0, 1), np.float16)
    return similar_faces(embeddings, _owners(pictures), threshold)


def _split(pictures: list[SeenPicture], near: SimilarFaces, share: float, seed: int, pairs: float) -> SplitPeople:
    owners = _owners(pictures)
    edges = list(zip(owners[near.a].tolist(), owners[near.b].tolist(), near.cosine.tolist(), strict=True))
    return split_people([picture.uid for picture in pictures], edges, share, seed, pairs)


def _images(pictures: list[SeenPicture], split: SplitPeople) -> pa.Table:
    rows = [
        {"uid": picture.uid, **picture.photograph._asdict(), "split": part}
        for picture, part in zip(pictures, split.splits, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=IMAGES)


def _faces(pictures: list[SeenPicture]) -> pa.Table:
    seen = [picture for picture in pictures if len(picture.faces)]
    if not seen:
        return FACES.empty_table()
    places = [face_columns(picture.faces) for picture in seen]
    columns = {
        "uid": [picture.uid for picture in seen for _ in range(len(picture.faces))],
        "number": [number for picture in seen for number in range(len(picture.faces))],
        **{name: [value for columns in places for value in columns[name]] for name in places[0]},
    }
    table = pa.Table.from_pydict(columns, schema=FACES)
    embeddings = np.concatenate([picture.embeddings for picture in seen])
    values = pa.FixedSizeListArray.from_arrays(pa.array(embeddings.ravel(), pa.float16()), embeddings.shape[1])
    return table.append_column("embedding", values)


def _pairs(pictures: list[SeenPicture], pairs: SimilarFaces) -> pa.Table:
    names = [face_name(picture.uid, number) for picture in pictures for number in range(len(picture.faces))]
    columns = {
        "face_a": [names[face] for face in pairs.a.tolist()],
        "face_b": [names[face] for face in pairs.b.tolist()],
        "cosine": pairs.cosine.tolist(),
    }
    return pa.Table.from_pydict(columns, schema=PAIRS)


def funnel(files: int, index: PortraitIndex, small_faces: int, duplicates: int, split: SplitPeople) -> list[str]:
    """Sentences on how much came through each step."""
    with_face = len(set(index.faces["uid"].to_pylist()))
    paired = len({face for name in ("face_a", "face_b") for face in index.pairs[name].to_pylist()})
    parts = Counter(index.images["split"].to_pylist())
    return [
        f"{files} pictures, {len(index)} of them usable",
        f"{index.faces.num_rows} faces in {with_face} photographs; {small_faces} left out as too small",
        f"{index.pairs.num_rows} pairs of {paired} faces; {duplicates} more left out as duplicates",
        f"{parts['train']} photographs for training, {parts['test']} for testing; {split.groups} groups of similar "
        f"faces (above {split.threshold:.2f}), the largest of {split.largest}",
    ]
