"""The dataset builder: images a second by engine and workers, memory of a process, and the search for pairs."""

import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.photographs import photographs
from benchmarks.reporting.table import Cell, Suite, Table
from benchmarks.speed.machine_limits import machine_limits
from benchmarks.speed.timing import cpu_seconds, peak_bytes
from faceops.images.decoding import decode_raster
from portraitdata.builder.build import remove_from
from portraitdata.builder.config import BuildConfig, FaceSettings, LocalSource, SizeRule, StageName
from portraitdata.builder.engines import Engine, Processes
from portraitdata.builder.plan import plan
from portraitdata.builder.ray_engine import RayData
from portraitdata.loading.workers import begin_worker, one_thread_to_inherit
from portraitdata.restoration.index.similar_faces import PAIR_THRESHOLD, SPLIT_THRESHOLD, similar_faces

COPIES, SIDE, PARTITION = 2, 1350, 6
"""Each photograph is there so often, in files of its own; side in pixels; images in a partition."""

IMAGES: dict[StageName, int] = {"index": 246, "download": 246, "quality": 246, "faces": 48}
"""How many of them a stage is given; the first two stages look at no pixel and serve to start the processes."""

TIMED: tuple[StageName, ...] = ("quality", "faces")
WORKERS = 1, 2
FACES, DIMENSIONS, OF_ONE_PERSON = (10_000, 30_000), 512, 4


def measure(suite: Suite) -> list[Table]:
    """Both tables; the second needs the photographs and weights of the assets."""
    return [pair_search(), by_engine()]


def by_engine() -> Table:
    """Images a second of the stages that decode, by one worker and by two, beside decoding and nothing else.

    That row is the limit: of the speed, as every stage decodes, and of what a second process can bring here.
    """
    with TemporaryDirectory() as folder:
        config = _config(photographs(), Path(folder))
        files = sorted((Path(folder) / "photographs").iterdir())
        decoding, taken, memory = zip(*(by_processes(config, files, workers) for workers in WORKERS), strict=True)
        rows: list[tuple[Cell, ...]] = [("decoding alone, processes", *_speeds(len(files), decoding), "")]
        rows += [_row(stage, "processes", taken, max(memory)) for stage in TIMED]
        if find_spec("ray"):
            taken = tuple(by_ray(config, workers) for workers in WORKERS)
            rows += [_row(stage, "Ray", taken, "") for stage in TIMED]
    columns = ("stage and engine", "1 worker", "2 workers", "2 / 1", "MiB a process")
    return Table(
        "builder_processes",
        f"Stages of the builder, photographs of {SIDE} x {SIDE}: images a second",
        columns,
        tuple(rows),
        columns[1:3],
        "images a second",
        f"{IMAGES['quality']} images, {IMAGES['faces']} for faces, wall clock. Every stage decodes, so decoding alone "
        "is the limit of their speed, and its ratio that of theirs. The processes are started before; Ray starts its "
        "actors anew for every stage, which is in its figures.",
    )


def _speeds(images: int, seconds: Sequence[float]) -> tuple[float, float, float]:
    one, two = (images / each for each in seconds)
    return one, two, two / one


def _row(stage: StageName, engine: str, taken: Sequence[dict[StageName, float]], memory: Cell) -> tuple[Cell, ...]:
    return (f"{stage}, {engine}", *_speeds(IMAGES[stage], [seconds[stage] for seconds in taken]), memory)


def pair_search() -> Table:
    """All pairs of similar faces, against one product of all with all."""
    rows, limits = [], machine_limits()
    for count in FACES:
        embeddings = _embeddings(count)
        owners = np.arange(count)
        ways: list[Callable[[], object]] = [partial(similar_faces, embeddings, owners, SPLIT_THRESHOLD)]
        if count == min(FACES):
            ways.append(partial(_all_with_all, embeddings))
        seconds = cpu_seconds(ways, 1)
        found = similar_faces(embeddings, owners, PAIR_THRESHOLD)
        product = seconds[1] if len(seconds) > 1 else "too much memory"
        limit = limits.seconds(count**2 / 2 * DIMENSIONS)
        rows.append((count, len(found.a), seconds[0], product, limit))
    title = f"Search for pairs among faces of {DIMENSIONS} dimensions: CPU seconds"
    columns = ("faces", "pairs", "similar_faces", "one product", "limit")
    note = f"Counted is half of the product of all with all. {limits.remark()}"
    return Table("builder_pairs", title, columns, tuple(rows), ("similar_faces",), "CPU seconds", note)


def by_processes(
    config: BuildConfig, files: Sequence[Path], workers: int
) -> tuple[float, dict[StageName, float], float]:
    """Seconds of decoding alone and of each stage, and the largest memory of a process in MiB."""
    with one_thread_to_inherit(), ProcessPoolExecutor(workers, get_context("spawn"), begin_worker) as pool:
        taken = _seconds(Processes(pool), config)
        start = time.perf_counter()
        list(pool.map(_decode, files, chunksize=PARTITION))
        return time.perf_counter() - start, taken, max(pool.map(_peak, range(8 * workers)))


def by_ray(config: BuildConfig, workers: int) -> dict[StageName, float]:
    """Seconds of each stage on a cluster of this machine, which is shut down again."""
    import ray

    try:
        return _seconds(RayData(workers), config)
    finally:
        ray.shutdown()


def _seconds(engine: Engine, config: BuildConfig) -> dict[StageName, float]:
    """Wall time of each stage."""
    remove_from(config.output, "index")
    partitions = plan(config)["partition"].to_pylist()
    taken: dict[StageName, float] = {}
    for stage, images in IMAGES.items():
        start = time.perf_counter()
        list(engine.run(stage, config, partitions[: images // PARTITION]))
        taken[stage] = time.perf_counter() - start
    return taken


def _config(assets: Path, folder: Path) -> BuildConfig:
    pictures = folder / "photographs"
    pictures.mkdir()
    for path in sorted((assets / "images/portraits/london_ccby4").glob("*.jpg"))[: IMAGES["quality"] // COPIES]:
        for copy in range(COPIES):
            shutil.copyfile(path, pictures / f"{path.stem}_{copy}.jpg")
    faces = FaceSettings(
        detector="yunet",
        detector_weights=str(assets / "weights/detect/yunet_n_640_640.onnx"),
        identity=str(assets / "weights/identity/mobilefacenet_foamliu.pt"),
    )
    source = LocalSource("photographs", pictures)
    size = SizeRule(longer_above=SIDE - 1, shorter_from=SIDE)
    return BuildConfig(output=folder / "build", sources=(source,), partition=PARTITION, size=size, faces=faces)


def _decode(file: Path) -> None:
    decode_raster(file.read_bytes(), file.name)


def _peak(_: int) -> float:
    return peak_bytes() / 2**20


def _embeddings(count: int) -> NDArray[np.float16]:
    random = np.random.default_rng(0)
    people = random.normal(size=(count // OF_ONE_PERSON, DIMENSIONS))
    rows = people[random.integers(0, len(people), count)] + 0.7 * random.normal(size=(count, DIMENSIONS))
    return rows.astype(np.float16)


def _all_with_all(embeddings: NDArray[np.float16]) -> int:
    unit = embeddings.astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    return int((np.triu(unit @ unit.T, 1) > SPLIT_THRESHOLD).sum())
