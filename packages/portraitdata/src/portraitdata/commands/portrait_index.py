"""``portraitdata portrait-index``: pictures in, an index of portraits, faces and pairs out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa

from portraitdata.commands.index_options import PortraitIndexOptions
from portraitdata.commands.left_out import print_left_out
from portraitdata.exemplars.index import Photograph
from portraitdata.exemplars.sources.annotations import Annotation, annotations
from portraitdata.exemplars.sources.scanning import Skipped
from portraitdata.loading.photograph_lists import read_held_out
from portraitdata.loading.workers import worker_count
from portraitdata.restoration.index.face_pass import UID_LENGTH, SeenPicture, face_columns
from portraitdata.restoration.index.held_out_list import held_out_splits
from portraitdata.restoration.index.picture_files import find_picture_files
from portraitdata.restoration.index.picture_pass import FindingFaces, forget_parts, look_at_all
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.index.reduced_copies import copy_names, copy_reduced
from portraitdata.restoration.index.schemas import FACES, IMAGES, IMAGES_OPTIONAL, PAIRS, face_name, read_table
from portraitdata.restoration.index.similar_faces import (
    SPLIT_THRESHOLD,
    SimilarFaces,
    SplitPeople,
    similar_faces,
    split_people,
)
from portraitdata.restoration.index.tagging import known_tags
from portraitdata.restoration.index.takedown_list import LIST_FILE, read_takedown_list
from portraitdata.storage.single_run import only_run


def run_portrait_index(options: PortraitIndexOptions) -> None:
    """Index pictures, and print how many came through each step.

    A run that was killed is continued by the same call.

    Raises:
        ValueError: If an argument is out of range or there is nothing to index.
        FileNotFoundError: If there is no source, or weights are missing.
        OSError: If the index cannot be written, or another run works at it.
    """
    output, least, most = options.output, options.pairs, options.duplicates
    if output.exists() and not output.is_dir():
        raise ValueError(f"An index of portraits is a folder, but {output} is a file.")
    if not 0 < least < most <= 1:
        raise ValueError(
            "The similarity of pairs lies between 0 and that of duplicates, which is at most 1; "
            f"got {least} for pairs and {most} for duplicates."
        )
    held_out = None if options.test_list is None else read_held_out(options.test_list)
    processes = worker_count(options.workers)
    root, files, unread, said = _files(options, processes)
    if held_out is not None:
        held_out = _as_indexed(held_out, files) if options.copies is not None else held_out
        held_out_splits([file.path for file in files], held_out)  # what is absent is said before hours of work
    output.mkdir(parents=True, exist_ok=True)
    with only_run(output):
        pictures, skipped = look_at_all(root, files, _finding(options), output, processes)
        pictures, gone = _without_taken_down(pictures, output)
        print_left_out([file.reason for file in unread + skipped + gone], "files")
        near = _near(pictures, min(SPLIT_THRESHOLD, least))
        split = _split(pictures, near, options.test_share, options.seed, least)
        if held_out is not None:
            split = replace(split, splits=held_out_splits([picture.photograph.path for picture in pictures], held_out))
        apart = split.threshold if held_out is None else least  # a list may part people, but no pairs
        pairs = near.select((near.cosine > least) & (near.cosine <= most))
        tables = _images(pictures, split, said, _tags(output)), _faces(pictures), _pairs(pictures, pairs)
        index = PortraitIndex(root, *tables, options.note, apart)
        index.write(output)
        forget_parts(output)
    duplicates = int((near.cosine > most).sum())
    small_faces = sum(picture.small_faces for picture in pictures)
    for line in funnel(len(files) + len(unread), index, small_faces, duplicates, split):
        print(line)
    print(output)


def _files(
    options: PortraitIndexOptions, workers: int
) -> tuple[Path, list[Photograph], list[Skipped], dict[tuple[str | None, str], Annotation]]:
    """Root and files to index, what could not be copied, and what the source says of the pictures."""
    _check_copies(options)
    root, files = find_picture_files(options.source)
    said = annotations(root, files)
    if options.copies is None:
        return root, files, [], said
    unread = copy_reduced(root, files, options.copies, options.shorter_side, workers)
    # A copy may have another suffix; no two pictures differ by that alone.
    known = {_stem(path): one for (_, path), one in said.items()}
    # What else lies there is of pictures that are gone since.
    copies = {name for file in files for name in copy_names(file.path)}
    root, files = find_picture_files(options.copies)
    files = [file for file in files if file.path in copies]
    if not files:
        first = f" The first: {unread[0].reason}" if unread else ""
        raise ValueError(f"No picture of {options.source} has a copy in {options.copies}.{first}")
    stems = [(file.path, _stem(file.path)) for file in files]
    return root, files, unread, {(None, path): known[stem] for path, stem in stems if stem in known}


def _stem(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(""))


def _as_indexed(held_out: Sequence[str], copies: Sequence[Photograph]) -> tuple[str, ...]:
    """Names of the copies of the pictures on a list; of what has none, its own."""
    copy_of = {_stem(file.path): file.path for file in copies}
    return tuple(copy_of.get(_stem(name), name) for name in held_out)


def _without_taken_down(pictures: list[SeenPicture], output: Path) -> tuple[list[SeenPicture], list[Skipped]]:
    """Pictures that no takedown has removed from the index that was in the folder before, and the others."""
    listed = read_takedown_list(output / LIST_FILE)
    uids = {row.uid for row in listed} | {row.sha256[:UID_LENGTH] for row in listed if row.sha256}
    gone = [picture.photograph.path for picture in pictures if picture.uid in uids]
    left = [picture for picture in pictures if picture.uid not in uids]
    return left, [Skipped(path, f"{path} has been taken down, as {output / LIST_FILE} says.") for path in gone]


def _tags(output: Path) -> dict[str, list[str]]:
    """Tags of the index that was in the folder before; a uid stands for the same bytes."""
    images = output / "images.parquet"
    return known_tags(read_table(images)) if images.is_file() else {}


def _check_copies(options: PortraitIndexOptions) -> None:
    source, copies = options.source, options.copies
    if copies is not None and source.is_dir() and copies.resolve().is_relative_to(source.resolve()):
        raise ValueError(
            f"The copies would be taken for pictures of {source} the next time, as {copies} lies in it; give a folder "
            "elsewhere, by --copies."
        )


def _finding(options: PortraitIndexOptions) -> FindingFaces | None:
    if options.no_faces:
        return None
    return FindingFaces(
        options.detector, options.detector_weights, options.identity_weights, options.min_eyes, options.device
    )


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


def _images(
    pictures: list[SeenPicture],
    split: SplitPeople,
    said: dict[tuple[str | None, str], Annotation],
    tags: dict[str, list[str]],
) -> pa.Table:
    rows = []
    for picture, part in zip(pictures, split.splits, strict=True):
        one = said.get((picture.photograph.archive, picture.photograph.path), Annotation())
        texts = {name: getattr(one, name) or None for name in IMAGES_OPTIONAL.names}
        texts["tags"] = texts["tags"] or tags.get(picture.uid)
        rows.append({"uid": picture.uid, **picture.photograph._asdict(), "split": part, **texts})
    used = [column for column in IMAGES_OPTIONAL if any(row[column.name] for row in rows)]
    return pa.Table.from_pylist(rows, schema=pa.schema([*IMAGES, *used]))


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
