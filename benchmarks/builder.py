"""The dataset builder: images a second by processes, memory of a process, and the search for pairs of faces."""

import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.photographs import photographs
from benchmarks.table import Suite, Table
from benchmarks.timing import cpu_seconds
from faceops.images import Picture, load_picture, save_picture
from portraitdata.builder.build import remove_from
from portraitdata.builder.config import BuildConfig, FaceSettings, LocalSource, SizeRule
from portraitdata.builder.engines import Processes, begin_worker, one_thread_to_inherit
from portraitdata.builder.layout import StageName
from portraitdata.builder.plan import plan
from portraitdata.restoration.similar_faces import PAIR_THRESHOLD, SPLIT_THRESHOLD, similar_faces

IMAGES, SIDE, PARTITION = 48, 800, 6
FACES, DIMENSIONS, OF_ONE_PERSON = (10_000, 30_000), 512, 4
TIMED: tuple[StageName, ...] = ("quality", "faces")


def measure(suite: Suite) -> list[Table]:
    """Both tables; the first needs the photographs and weights of the assets."""
    return [pair_search(), by_processes()]


def by_processes() -> Table:
    """Images a second of the stages that decode, on one and on two processes, without the start of the processes."""
    assets = photographs()
    with TemporaryDirectory() as folder:
        config = _config(assets, Path(folder))
        runs = [_seconds(config, workers) for workers in (1, 2)]
    rows: list[tuple[str | int | float, ...]] = []
    for stage in TIMED:
        one, two = (IMAGES / seconds[stage] for seconds, _ in runs)
        rows.append((stage, one, two, two / one, max(memory for _, memory in runs)))
    title = f"Stages of the builder, {IMAGES} photographs of {SIDE} x {SIDE}: images a second"
    columns = ("stage", "1 process", "2 processes", "2 / 1", "MiB a process")
    return Table("builder_processes", title, columns, tuple(rows), columns[1:3], "images a second")


def pair_search() -> Table:
    """All pairs of similar faces, against one product of all with all."""
    rows = []
    for count in FACES:
        embeddings = _embeddings(count)
        owners = np.arange(count)
        ways = [lambda e=embeddings, o=owners: similar_faces(e, o, SPLIT_THRESHOLD)]
        if count == min(FACES):
            ways.append(lambda e=embeddings: _all_with_all(e))
        seconds = cpu_seconds(ways, 1)
        found = similar_faces(embeddings, owners, PAIR_THRESHOLD)
        rows.append((count, len(found.a), seconds[0], seconds[1] if len(seconds) > 1 else "too much memory"))
    title = f"Search for pairs among faces of {DIMENSIONS} dimensions: CPU seconds"
    columns = ("faces", "pairs", "similar_faces", "one product")
    return Table("builder_pairs", title, columns, tuple(rows), ("similar_faces",), "CPU seconds")


def _config(assets: Path, folder: Path) -> BuildConfig:
    pictures = folder / "photographs"
    pictures.mkdir()
    for path in sorted((assets / "images/portraits/london_ccby4").glob("*.jpg"))[:IMAGES]:
        pixels = load_picture(path).pixels[None]
        reduced = torch.nn.functional.interpolate(pixels, size=(SIDE, SIDE), mode="bilinear", antialias=True)
        save_picture(Picture(reduced[0]), pictures / path.name)
    faces = FaceSettings(
        detector_weights=str(assets / "weights/detect/yunet_n_640_640.onnx"),
        identity=str(assets / "weights/identity/mobilefacenet_foamliu.pt"),
    )
    source = LocalSource("photographs", pictures)
    size = SizeRule(longer_above=SIDE - 1, shorter_from=SIDE)
    return BuildConfig(folder / "build", (source,), partition=PARTITION, size=size, faces=faces)


def _seconds(config: BuildConfig, workers: int) -> tuple[dict[StageName, float], float]:
    """Wall time of each stage, and the largest memory of a process in MiB."""
    remove_from(config.output, "index")
    partitions = plan(config)["partition"].to_pylist()
    taken: dict[StageName, float] = {}
    with one_thread_to_inherit(), ProcessPoolExecutor(workers, get_context("spawn"), begin_worker) as pool:
        engine = Processes(pool)
        for stage in ("index", "download", *TIMED):
            start = time.perf_counter()
            list(engine.run(stage, config, partitions))
            taken[stage] = time.perf_counter() - start
        memory = max(pool.map(_peak, range(8 * workers)))
    return taken, memory


def _peak(_: int) -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _embeddings(count: int) -> NDArray[np.float16]:
    random = np.random.default_rng(0)
    people = random.normal(size=(count // OF_ONE_PERSON, DIMENSIONS))
    rows = people[random.integers(0, len(people), count)] + 0.7 * random.normal(size=(count, DIMENSIONS))
    return rows.astype(np.float16)


def _all_with_all(embeddings: NDArray[np.float16]) -> int:
    unit = embeddings.astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    return int((np.triu(unit @ unit.T, 1) > SPLIT_THRESHOLD).sum())
