"""Selection of the photographs to take down."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from faceops.detection.detector import Detector
from faceops.images.files import load_picture
from faceops.recognition.identity import IdentityNetwork, embed
from portraitdata.builder.config_file import read_config
from portraitdata.builder.layout import CONFIG_FILE, DEDUPLICATE, FACES, FACES_IMAGES, INDEX, read_stage
from portraitdata.exemplars.index import ExemplarIndex, Photograph
from portraitdata.restoration.index.schemas import face_name
from portraitdata.restoration.index.similar_faces import connected
from portraitdata.restoration.index.tables import IndexTables, embedding_matrix
from portraitdata.restoration.index.takedown_list import TakenDown

NEAR_DUPLICATE = "near-duplicate"
"""Reason of the images that a build drops because they look like another."""

HAMMING = 8
"""Bits of 64 in which the hashes of a photograph and of its copy differ at most; more where the build allows more."""


class KnownFaces(NamedTuple):
    """Faces that a person may be found by."""

    names: list[str]
    """Of all of them, ``uid:number``."""
    embeddings: NDArray[np.float32]
    """Of those that have one, (n, d)."""
    rows: NDArray[np.int64]
    """Whose these are, (n)."""


class Similar(NamedTuple):
    """A photograph that shows a person, and why that is believed."""

    uid: str
    similarity: float | None
    """Of its most similar face; None if that was seen from the pairs, or the user named it."""


def embedding_of_photograph(photo: Path, detector: Detector, network: IdentityNetwork) -> NDArray[np.float32]:
    """Embedding of the largest face in an image file, (1, d).

    Raises:
        ImageFileError: If it cannot be read.
        ValueError: If there is no face in it.
    """
    pixels = load_picture(photo).pixels.unsqueeze(0)
    with torch.inference_mode():
        faces = detector(pixels)
        if not len(faces):
            raise ValueError(f"No face was found in {photo}; give one that shows the person's face, large and upright.")
        largest = (faces.boxes[:, 2:] - faces.boxes[:, :2]).prod(dim=1).argmax()
        return embed(network, pixels, faces.select(largest.unsqueeze(0))).numpy()


def known_faces(tables: IndexTables, build: Path | None) -> KnownFaces:
    """Faces of an index and, if it belongs to a build, of what the build dropped."""
    names: list[str] = []
    embeddings, rows = [np.zeros((0, 0), np.float32)], [np.zeros(0, np.int64)]
    for part in [tables.faces] if build is None else [tables.faces, read_stage(build, FACES)]:
        values, present = embedding_matrix(part)
        if len(present):
            embeddings.append(values.astype(np.float32))
            rows.append(present + len(names))
        names += [face_name(*row) for row in zip(part["uid"].to_pylist(), part["number"].to_pylist(), strict=True)]
    return KnownFaces(names, np.concatenate(embeddings[1:] or embeddings), np.concatenate(rows))


def similar_photographs(faces: KnownFaces, query: NDArray[np.float32], threshold: float) -> list[Similar]:
    """Photographs with a face that is more similar to one of the query than a threshold, the most similar first.

    Args:
        query: Embeddings, one a row.

    Raises:
        ValueError: If no face has an embedding, or one of another length than the query's.

    Example:
        >>> faces = KnownFaces(["x:0", "y:0"], np.eye(2, dtype=np.float32), np.arange(2))
        >>> similar_photographs(faces, np.array([[1.0, 0.75]], np.float32), 0.7)
        [Similar(uid='x', similarity=0.8)]
    """
    if not len(faces.rows):
        raise ValueError("The index holds no embeddings; name the photographs, by --uid.")
    if faces.embeddings.shape[1] != query.shape[1]:
        raise ValueError(
            f"The embeddings of the index have {faces.embeddings.shape[1]} numbers, those of the photo "
            f"{query.shape[1]}; give the network that the index was made with, by --identity-weights."
        )
    one, other = (F.normalize(torch.from_numpy(rows), dim=1) for rows in (faces.embeddings, query))
    best: dict[str, float] = {}
    for row, value in zip(faces.rows.tolist(), (one @ other.mT).amax(dim=1).tolist(), strict=True):
        uid = faces.names[row].rpartition(":")[0]
        best[uid] = max(best.get(uid, -1.0), round(value, 4))
    found = [Similar(uid, value) for uid, value in best.items() if value > threshold]
    return sorted(found, key=lambda entry: (-(entry.similarity or 0), entry.uid))


def photographs_of_face(name: str, tables: IndexTables, build: Path | None, threshold: float) -> list[Similar]:
    """Photographs of the person whose face is called ``uid:number``, its own first.

    By embeddings where there are any, else by the pairs, directly or through others.

    Raises:
        ValueError: If there is no such face.
    """
    faces = known_faces(tables, build)
    if name not in faces.names:
        raise ValueError(f"There is no face {name} in the index; faces are called UID:NUMBER, numbers begin at 0.")
    query = faces.embeddings[[faces.names[row] == name for row in faces.rows.tolist()]]
    if len(query):
        found = similar_photographs(faces, query, threshold)
    else:
        number = {other: row for row, other in enumerate(dict.fromkeys(faces.names))}
        ends = zip(tables.pairs["face_a"].to_pylist(), tables.pairs["face_b"].to_pylist(), strict=True)
        person_of = connected(len(number), ((number[a], number[b]) for a, b in ends if a in number and b in number))
        person = person_of[number[name]]
        together = {other.rpartition(":")[0] for other, row in number.items() if person_of[row] == person}
        found = [Similar(other, None) for other in sorted(together)]
    uid = name.rpartition(":")[0]
    return [Similar(uid, 1.0 if len(query) else None), *(entry for entry in found if entry.uid != uid)]


def copies_in_build(build: Path, uids: Iterable[str]) -> list[str]:
    """Candidates of a build that are further copies of photographs: the same file, or dropped as a near copy of one."""
    columns = ["uid", "sha256", "phash", "reason"]
    rows = [row for folder in (FACES_IMAGES, DEDUPLICATE) for row in read_stage(build, folder, columns).to_pylist()]
    wanted = set(uids)
    at_most = max(HAMMING, read_config(build / CONFIG_FILE).duplicates.hamming_at_most)
    hashes, looks = ({row[name] for row in rows if row["uid"] in wanted} - {None} for name in ("sha256", "phash"))

    def is_copy(row: dict) -> bool:
        if row["sha256"] in hashes:
            return True
        known = row["reason"] == NEAR_DUPLICATE and row["phash"] is not None
        return known and any((row["phash"] ^ look).bit_count() <= at_most for look in looks)

    return sorted({row["uid"] for row in rows if is_copy(row)} - wanted)


def taken_down_rows(
    uids: Iterable[str], tables: IndexTables, build: Path | None, reason: str, date: str
) -> list[TakenDown]:
    """Entries of the list for photographs; a file whose hash the index does not hold is read and hashed.

    Raises:
        ValueError: If a photograph is neither in the index nor in its build.
    """
    known = {row["uid"]: row for row in tables.images.to_pylist()}
    candidates: dict[str, dict] = {}
    if build is not None:
        for folder in (INDEX, DEDUPLICATE):
            table = read_stage(build, folder, ["uid", "url", "sha256", "phash"])
            candidates |= {row["uid"]: row for row in table.to_pylist()}
    rows = []
    for uid in uids:
        listed, candidate = known.get(uid, {}), candidates.get(uid, {})
        if not listed and not candidate:
            raise ValueError(f"There is no photograph {uid} in the index.")
        file = listed.get("sha256") or candidate.get("sha256")
        if file is None and listed:
            place = listed["path"], listed["archive"], listed["offset"], listed["size"]
            file = sha256(ExemplarIndex(tables.root, ()).read_bytes(Photograph(*place, "", "unused", 0, 0))).hexdigest()
        phash = candidate.get("phash")
        url = candidate.get("url")
        url_hash = sha256(url.encode()).hexdigest() if url else ""
        rows.append(TakenDown(uid, file or "", "" if phash is None else str(phash), url_hash, reason, date))
    return rows
