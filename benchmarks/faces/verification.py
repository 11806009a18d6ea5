"""Verification on Labeled Faces in the Wild: accuracy and thresholds of the recognition networks.

Needs the folder that PORTRAIT_ASSETS points to: `images/lfw_min4_max10.tar` and `.csv`, `lfw_verification_pairs.csv`,
`weights/identity/`. Landmarks are those of the csv (YuNet); no flipped copies are averaged.
"""

import csv
import os
import tarfile
import time
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.faces.lfw_pictures import POINTS
from benchmarks.faces.verification_protocol import threshold_at, verify
from benchmarks.photographs import photographs
from benchmarks.reporting.table import Suite, Table
from faceops.geometry.faces import Faces
from faceops.images.files import decode_picture
from faceops.recognition.identity import build_identity, embed
from faceops.recognition.identity_networks.encoder import FaceEncoder

FALSE_ACCEPT_RATE = 1e-3
BATCH = 32


def measure(suite: Suite) -> list[Table]:
    """Ten-fold accuracy on the listed pairs; thresholds on these and on all pairs of different people.

    Raises:
        NoPhotographsError: If PORTRAIT_ASSETS does not lead to the photographs.
    """
    folder = photographs()
    networks = [build_identity(path) for path in sorted((folder / "weights/identity").iterdir())]
    names, identities, embeddings, milliseconds = embed_all(folder / "images", networks)
    with (folder / "images/lfw_verification_pairs.csv").open() as file:
        pairs = [(names.index(row["a"]), names.index(row["b"]), row["same"] == "1") for row in csv.DictReader(file)]
    rows = tuple(
        judge(network, vectors, identities, pairs, cost)
        for network, vectors, cost in zip(networks, embeddings, milliseconds, strict=True)
    )
    columns = (
        *(
            "network",
            "weights, M",
            "accuracy %",
            "±",
            "threshold",
            "TAR %",
            "threshold (all pairs)",
            "TAR % (all pairs)",
        ),
        "CPU ms",
    )
    title = f"Verification on LFW, {len(pairs)} pairs; thresholds at a false accept rate of {FALSE_ACCEPT_RATE}"
    return [Table("face_verification", title, columns, rows, ("accuracy %", "TAR %"), "%")]


def embed_all(folder: Path, networks: list[FaceEncoder]) -> tuple[list[str], Tensor, list[Tensor], list[float]]:
    """File names, numbers of identities, embeddings by each network, CPU time for a face in milliseconds."""
    with (folder / "lfw_min4_max10.csv").open() as file:
        table = list(csv.DictReader(file))
    known = {name: number for number, name in enumerate(sorted({row["identity"] for row in table}))}
    identities = torch.tensor([known[row["identity"]] for row in table])
    parts: list[list[Tensor]] = [[] for _ in networks]
    spent = [0.0] * len(networks)
    with tarfile.open(folder / "lfw_min4_max10.tar") as archive:
        members = {member.name.removeprefix("./"): member for member in archive.getmembers()}
        prefix = os.path.commonpath([name for name, member in members.items() if member.isfile()])
        for start in range(0, len(table), BATCH):
            rows = table[start : start + BATCH]
            files = [archive.extractfile(members[os.path.join(prefix, row["file"])]) for row in rows]
            images = torch.stack([decode_picture(file.read(), "LFW").pixels for file in files if file])
            faces = faces_of(rows)
            for number, network in enumerate(networks):
                begin = time.process_time()
                with torch.inference_mode():
                    parts[number].append(embed(network, images, faces))
                spent[number] += time.process_time() - begin
    embeddings = [torch.cat(part) for part in parts]
    return [row["file"] for row in table], identities, embeddings, [1e3 * seconds / len(table) for seconds in spent]


def faces_of(rows: list[dict[str, str]]) -> Faces:
    """Faces as the csv has them, one in each image."""
    points = [[[float(row[f"{point}_x"]), float(row[f"{point}_y"])] for point in POINTS] for row in rows]
    boxes = torch.tensor([[float(row[side]) for side in "xywh"] for row in rows])
    boxes[:, 2:] += boxes[:, :2]
    scores = torch.tensor([float(row["score"]) for row in rows])
    return Faces(torch.arange(len(rows)), boxes, torch.tensor(points), scores)


def judge(
    network: FaceEncoder, vectors: Tensor, identities: Tensor, pairs: list[tuple[int, int, bool]], milliseconds: float
) -> tuple[str | float, ...]:
    """One row of the table."""
    first, second = (torch.tensor([pair[i] for pair in pairs]) for i in (0, 1))
    listed = (vectors[first] * vectors[second]).sum(dim=1)
    result = verify(listed, torch.tensor([pair[2] for pair in pairs]), FALSE_ACCEPT_RATE)
    upper = torch.ones(len(vectors), len(vectors), dtype=torch.bool).triu(1)
    alike = identities.unsqueeze(0) == identities.unsqueeze(1)
    every = vectors @ vectors.mT
    threshold = threshold_at(every[upper & ~alike], FALSE_ACCEPT_RATE)
    accepted = (every[upper & alike] >= threshold).double().mean().item()
    weights = sum(parameter.numel() for parameter in network.parameters())
    return (
        network.name,
        weights / 1e6,
        100 * result.accuracy,
        100 * result.deviation,
        result.threshold,
        100 * result.true_accept_rate,
        threshold,
        100 * accepted,
        milliseconds,
    )
