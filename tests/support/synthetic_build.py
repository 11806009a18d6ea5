"""A finished build of drawn portraits, for tests of what is done with a build."""

import io
import json
import tarfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from faceops.images.files import Picture, save_picture
from portraitdata.builder.layout import (
    CONFIG_FILE,
    DEDUPLICATE,
    DOWNLOAD,
    DROPPED,
    FACES,
    FACES_IMAGES,
    FACES_SCHEMA,
    IMAGES_SCHEMA,
    INDEX,
    KEPT,
    PAIRS,
    PAIRS_SCHEMA,
    QUALITY,
    SHARDS,
    SPLIT,
    SPLIT_FACTS,
    SPLIT_PAIRS_FILE,
    SPLITS_SCHEMA,
    part_path,
    write_rows,
)
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.index.schemas import FACES as INDEX_FACES
from portraitdata.restoration.index.schemas import IMAGES as INDEX_IMAGES
from portraitdata.restoration.index.schemas import PAIRS as INDEX_PAIRS
from portraitdata.restoration.index.schemas import face_name
from portraitdata.restoration.index.similar_faces import PAIR_THRESHOLD, SPLIT_THRESHOLD, similar_faces
from portraitdata.restoration.index.synthetic_index import draw_scene, face_row

IN_SHARD = 5
"""Photographs in one tar file."""

SOURCES = "drawings", "sketches"
"""Names of the made-up sources."""

FAULTS: tuple[tuple[str, str], ...] = (
    ("index", "size or aspect"),
    ("index", "opted out"),
    ("download", "HTTP error 404"),
    ("quality", "not sharp"),
    ("faces", "no face"),
    ("deduplicate", "equal file"),
)
"""Stages and reasons that dropped candidates are made up for, two each."""


def write_synthetic_build(folder: Path, people: int = 5, portraits: int = 3, size: int = 96) -> Path:
    """Draw people, and write what a build of them would have left, shards and all; the folder is the build.

    The last fifth of the people is for testing. Addresses are made up; embeddings are axes with some noise.

    Args:
        folder: Folder to write into; made if absent.
        people: People, at least two.
        portraits: Portraits of each.
        size: Side of a portrait in pixels; pictures are somewhat larger.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sources = "".join(f"- {{name: {name}, metadata: {name}.parquet, columns: pd12m}}\n" for name in SOURCES)
    size_rule = f"size: {{longer_above: {size}, shorter_from: {size}, aspect: [0.5, 2.0]}}\n"
    (folder / CONFIG_FILE).write_text(f"output: build\nsources:\n{sources}{size_rule}faces: {{eyes_at_least: 8}}\n")
    rows, files, faces = _candidates(folder, people, portraits, size)
    _write_stages(folder, rows, files)
    table = pa.Table.from_pylist(faces, schema=FACES_SCHEMA)
    write_rows(table, part_path(folder, FACES, 0))
    pairs, splits = _pairs_and_splits(folder, rows, faces, people)
    _write_shards(folder / SHARDS, [row for row in rows if row["status"] == KEPT], files, faces, pairs, splits)
    return folder


def _candidates(
    folder: Path, people: int, portraits: int, size: int
) -> tuple[list[dict[str, Any]], dict[str, bytes], list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    files: dict[str, bytes] = {}
    faces: list[dict[str, Any]] = []
    random = np.random.default_rng(0)
    faults = [fault for fault in FAULTS for _ in range(2)]
    for serial in range(people * portraits + len(faults)):
        person, portrait = divmod(serial, portraits)
        fault = faults[serial - people * portraits] if person >= people else ("", "")
        scene, points = draw_scene(person, portrait, size)
        row, data = _candidate(folder, serial, scene, fault)
        rows.append(row)
        if fault[0] not in ("index", "download"):
            files[row["uid"]] = data
        if not fault[0]:
            axis = np.zeros(max(16, people))
            axis[person] = 1
            embedding = axis + random.normal(scale=0.12, size=len(axis))
            faces.append({"partition": 0, **face_row(row["uid"], points), "embedding": embedding.astype(np.float16)})
    return rows, files, faces


def _candidate(folder: Path, serial: int, scene: np.ndarray, fault: tuple[str, str]) -> tuple[dict[str, Any], bytes]:
    url = f"https://example.org/{serial:03d}.jpg"
    path = folder / "drawing.jpg"
    save_picture(Picture(torch.from_numpy(scene).permute(2, 0, 1) / 255), path)
    data = path.read_bytes()
    path.unlink()
    random = np.random.default_rng((3, serial))
    row = dict.fromkeys(IMAGES_SCHEMA.names) | {
        "partition": 0,
        "uid": sha256(url.encode()).hexdigest()[:16],
        "source": SOURCES[serial % 3 == 0],
        "url": url,
        "offset": 0,
        "size": 0,
        "licence": "CC0" if serial % 3 else "CC BY 4.0",
        "opt_out": fault[1] == "opted out",
        "takedown": False,
        "width": scene.shape[1],
        "height": scene.shape[0],
        "sha256": sha256(data).hexdigest(),
        "phash": int(random.integers(2**63)),
        "sharpness": float(random.uniform(100, 900)),
        "quality": float(random.uniform(2, 5)),
        "faces": int(not fault[0]),
        "status": DROPPED if fault[0] else KEPT,
        "stage": fault[0],
        "reason": fault[1],
        "detail": f"{url}: {fault[1]}" if fault[0] else "",
    }
    return row, data


def _write_stages(folder: Path, rows: list[dict[str, Any]], files: dict[str, bytes]) -> None:
    (folder / DOWNLOAD).mkdir(exist_ok=True)
    archive = f"{DOWNLOAD}/part-00000.tar"
    places = _write_tar(folder / archive, {f"{uid}.jpg": data for uid, data in files.items()})
    order = ("index", "download", "quality", "faces", "deduplicate")
    for number, stage in enumerate((INDEX, DOWNLOAD, QUALITY, FACES_IMAGES, DEDUPLICATE)):
        shown = []
        for row in rows:
            early = row["stage"] in order[number + 1 :]
            known = row | (dict.fromkeys(("stage", "reason", "detail"), "") | {"status": KEPT} if early else {})
            name = f"{row['uid']}.jpg"
            if number and name in places:
                known |= {"path": name, "archive": archive, "offset": places[name], "size": len(files[row["uid"]])}
            shown.append(known)
        path = folder / stage / "images.parquet" if stage == DEDUPLICATE else part_path(folder, stage, 0)
        write_rows(pa.Table.from_pylist(shown, schema=IMAGES_SCHEMA), path)


def _pairs_and_splits(
    folder: Path, rows: list[dict[str, Any]], faces: list[dict[str, Any]], people: int
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    embeddings = np.stack([face["embedding"] for face in faces])
    near = similar_faces(embeddings, np.arange(len(faces)), SPLIT_THRESHOLD)
    names = [face_name(face["uid"], 0) for face in faces]
    pairs = [
        {"face_a": names[a], "face_b": names[b], "cosine": cosine, "status": KEPT, "stage": "", "reason": ""}
        for a, b, cosine in zip(near.a.tolist(), near.b.tolist(), near.cosine.tolist(), strict=True)
    ]
    for pair in pairs:
        if pair["cosine"] <= PAIR_THRESHOLD:
            pair |= {"status": DROPPED, "stage": "pairs", "reason": "not similar enough"}
    table = pa.Table.from_pylist(pairs, schema=PAIRS_SCHEMA)
    write_rows(table, folder / PAIRS / "pairs.parquet")
    write_rows(table, folder / SPLIT / SPLIT_PAIRS_FILE)
    person_of = {face["uid"]: int(np.argmax(face["embedding"])) for face in faces}
    splits = {uid: "test" if person >= people - max(1, people // 5) else "train" for uid, person in person_of.items()}
    first = {person: min(uid for uid in splits if person_of[uid] == person) for person in person_of.values()}
    entries = [{"uid": uid, "split": split, "group": first[person_of[uid]]} for uid, split in splits.items()]
    sides = [
        embeddings[[splits[face["uid"]] == side for face in faces]].astype(np.float32) for side in ("train", "test")
    ]
    unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in sides]
    facts = {
        "threshold": SPLIT_THRESHOLD,
        "groups": people,
        "largest_group": len(faces) // people,
        "largest_cross_similarity": float((unit[0] @ unit[1].T).max()),
    }
    written = pa.Table.from_pylist(entries, schema=SPLITS_SCHEMA)
    write_rows(written.replace_schema_metadata({SPLIT_FACTS: json.dumps(facts)}), folder / SPLIT / "splits.parquet")
    return [pair for pair in pairs if pair["status"] == KEPT], splits


def _write_shards(
    folder: Path,
    rows: Sequence[dict[str, Any]],
    files: dict[str, bytes],
    faces: list[dict[str, Any]],
    pairs: list[dict[str, Any]],
    splits: dict[str, str],
) -> None:
    folder.mkdir(exist_ok=True)
    images = []
    for start in range(0, len(rows), IN_SHARD):
        some, archive = rows[start : start + IN_SHARD], f"images-{start // IN_SHARD:05d}.tar"
        places = _write_tar(folder / archive, {f"{row['uid']}.jpg": files[row["uid"]] for row in some})
        for row in some:
            name = f"{row['uid']}.jpg"
            place = {"path": name, "archive": archive, "offset": places[name], "size": len(files[row["uid"]])}
            images.append(row | place | {"split": splits[row["uid"]]})
    extra = [pa.field(name, pa.string()) for name in ("licence", "source", "sha256")]
    schema = pa.schema([*INDEX_IMAGES, *extra])
    index_faces = pa.schema([*INDEX_FACES, FACES_SCHEMA.field("embedding")])
    PortraitIndex(
        folder,
        pa.Table.from_pylist(images, schema=schema),
        pa.Table.from_pylist(faces, schema=index_faces),
        pa.Table.from_pylist(pairs, schema=INDEX_PAIRS),
        note="drawn, not photographed",
    ).write(folder)


def _write_tar(path: Path, files: dict[str, bytes]) -> dict[str, int]:
    """Write a tar archive and say where the bytes of each file begin."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    with tarfile.open(path, "r:") as tar:
        return {member.name: member.offset_data for member in tar}
