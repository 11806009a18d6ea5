"""Whole builds over a few real portraits: what is in them, and that nothing interrupts them."""

import hashlib
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import yaml

from faceops.images.files import Picture, load_picture, save_picture
from portraitdata.builder import ray_engine
from portraitdata.builder.build import ChangedConfigError, build
from portraitdata.builder.config import (
    BuildConfig,
    FaceSettings,
    LocalSource,
    PairSettings,
    QualitySettings,
    Scorer,
    ShardSettings,
    SizeRule,
    SplitSettings,
)
from portraitdata.builder.config_file import changes, plain, read_config
from portraitdata.builder.engines import InThisProcess, running_engine
from portraitdata.builder.layout import (
    DEDUPLICATE,
    FACES,
    SPLIT,
    FunnelRow,
    funnel,
    part_path,
    read_split_facts,
    read_stage,
)
from portraitdata.builder.ray_engine import Gpus, RayData
from portraitdata.builder.report.page import report_page
from portraitdata.commands.build import run_build, run_status
from portraitdata.commands.build_options import BuildOptions
from portraitdata.restoration.batches import collate, finish
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.training_pairs import RestorationPairs
from portraitdata.storage.object_path import ObjectPath
from portraitdata.storage.places import Place
from portraitdata.storage.single_run import is_lock, only_run
from portraitdata.storage.writing import writing
from tests.support.local_s3 import local_s3
from tests.support.ray_cluster import ray_cluster

pytestmark = pytest.mark.assets

PEOPLE = ("005", "006", "034", "061")

COMMAND = """
import sys
from pathlib import Path
if __name__ == "__main__":
    from portraitdata.builder.config_file import read_config
    from portraitdata.commands.build import run_build
    from portraitdata.commands.build_options import BuildOptions
    config = read_config(Path(sys.argv[1]))
    gpus = {name: float(value) for name, value in (word.split("=") for word in sys.argv[4:])}
    run_build(BuildOptions(**vars(config), engine=sys.argv[2], workers=int(sys.argv[3]), **gpus))
"""


@pytest.fixture(scope="module")
def photographs(assets, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for person in PEOPLE:
        for look in ("neutral", "smiling"):
            name = f"{person}_{look}"
            pixels = load_picture(assets / "images/portraits/london_ccby4" / f"{name}.jpg").pixels[None]
            reduced = torch.nn.functional.interpolate(pixels, size=(320, 320), mode="bilinear", antialias=True)
            save_picture(Picture(reduced[0]), folder / f"{name}.jpg")
    data = (folder / "005_neutral.jpg").read_bytes()
    (folder / "torn.jpg").write_bytes(data[: len(data) // 2])
    shutil.copy(folder / "006_neutral.jpg", folder / "copy.jpg")
    save_picture(load_picture(folder / "034_neutral.jpg"), folder / "resaved.jpg", quality=70)
    noise = torch.rand(3, 250, 250, generator=torch.Generator().manual_seed(0))
    save_picture(Picture(noise), folder / "noise.png")
    return folder


@pytest.fixture(scope="module")
def config(assets, photographs, tmp_path_factory) -> BuildConfig:
    return BuildConfig(
        output=tmp_path_factory.mktemp("builds") / "whole",
        sources=(LocalSource("portraits", photographs, "CC-BY-4.0"),),
        partition=5,
        size=SizeRule(longer_above=200, shorter_from=200),
        faces=FaceSettings(
            identity=str(assets / "weights/identity/mobilefacenet_foamliu.pt"),
            eyes_at_least=30.0,
        ),
        pairs=PairSettings(duplicates_above=0.999),
        split=SplitSettings(test_share=0.3),
        shards=ShardSettings(images=5),
    )


@pytest.fixture(scope="module")
def whole(config) -> BuildConfig:
    build(config, InThisProcess())
    return config


def written(folder: Place) -> list[Place]:
    """Files of a build but for that of its configuration, which names its place."""
    paths = folder.sizes() if isinstance(folder, ObjectPath) else [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in paths if not is_lock(path.name) and path.name != "config.yaml"]


def digests(folder: Place) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in written(folder)
    }


def test_every_dropped_image_has_its_reason(whole):
    assert funnel(whole.output) == [
        FunnelRow("index", "", 12),
        FunnelRow("download", "", 12),
        FunnelRow("quality", "", 11),
        FunnelRow("quality", "damaged", 1),
        FunnelRow("faces", "", 10),
        FunnelRow("faces", "no face", 1),
        FunnelRow("deduplicate", "", 8),
        FunnelRow("deduplicate", "equal file", 1),
        FunnelRow("deduplicate", "near-duplicate", 1),
    ]
    images = read_stage(whole.output, DEDUPLICATE).to_pylist()
    assert {row["path"]: row["reason"] for row in images if row["reason"]} == {
        "torn.jpg": "damaged",
        "noise.png": "no face",
        "copy.jpg": "equal file",
        "resaved.jpg": "near-duplicate",
    }
    assert {row["licence"] for row in images} == {"CC-BY-4.0"}


def test_pairs_are_of_one_person_and_the_split_parts_people(whole):
    index = PortraitIndex.read(whole.output / "shards")
    path_of = {row["uid"]: row["path"] for row in read_stage(whole.output, DEDUPLICATE).to_pylist()}
    person_of = {uid: path[:3] for uid, path in path_of.items()}
    pairs = [
        [person_of[name.split(":")[0]] for name in pair.values()]
        for pair in index.pairs.select(["face_a", "face_b"]).to_pylist()
    ]
    assert sorted(pairs) == [[person, person] for person in PEOPLE]
    splits = {}
    for row in read_stage(whole.output, SPLIT).to_pylist():
        splits.setdefault(person_of[row["uid"]], set()).add(row["split"])
    assert sorted(map(sorted, splits.values())) == [["test"], ["train"], ["train"], ["train"]]
    facts = read_split_facts(whole.output)
    assert facts is not None
    faces = read_stage(whole.output, FACES).to_pylist()
    part_of = dict(zip(*(index.images[name].to_pylist() for name in ("uid", "split")), strict=True))
    vectors = {"train": [], "test": []}
    for row in faces:
        if row["uid"] in part_of:
            vector = np.array(row["embedding"], np.float64)
            vectors[part_of[row["uid"]]].append(vector / np.linalg.norm(vector))
    largest = (np.stack(vectors["train"]) @ np.stack(vectors["test"]).T).max()
    assert facts.largest_cross_similarity == pytest.approx(largest, abs=1e-5)
    assert facts.largest_cross_similarity < facts.threshold


def test_training_reads_what_was_built(whole, photographs):
    index = PortraitIndex.read(whole.output / "shards")
    assert {index.read_bytes(number) for number in range(len(index))} == {
        (photographs / f"{person}_{look}.jpg").read_bytes() for person in PEOPLE for look in ("neutral", "smiling")
    }
    data = RestorationPairs(index, size=128, scale=4, drop=0.0, keep_face=1.0)
    assert len(data) == 6
    batch = finish(collate([data[number] for number in range(4)]))
    assert batch.hq.shape == (4, 3, 128, 128)
    assert batch.lq.shape == (4, 3, 32, 32)
    assert batch.present.all()
    assert batch.mask.flatten(1).any(dim=1).all()
    assert batch.reference.shape == (4, 3, 512, 512)


def test_interrupted_again_and_again_it_ends_the_same(whole, monkeypatch, tmp_path):
    """Every run ends by force at its sixth write, one more than those that a run or a stage makes before it is done."""
    config = replace(whole, output=tmp_path / "interrupted")
    rename = os.replace
    runs = 0
    while runs < 30:
        runs += 1
        left = [6]

        def interrupt(*names, left=left):
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt
            rename(*names)

        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", interrupt)
            try:
                build(config, InThisProcess())
                break
            except KeyboardInterrupt:
                continue
    assert 3 < runs < 30
    assert digests(config.output) == digests(whole.output)


@pytest.fixture(scope="module")
def stored(photographs):
    """The photographs on a store."""
    with local_s3():
        place = ObjectPath("s3://bucket/photographs")
        for path in photographs.iterdir():
            with writing(place / path.name) as file:
                file.write(path.read_bytes())
        yield place


def on_store(config: BuildConfig, stored: ObjectPath, name: str) -> BuildConfig:
    sources = (replace(config.sources[0], pictures=stored),)
    return replace(config, output=ObjectPath(f"s3://bucket/builds/{name}"), sources=sources)


def test_on_a_store_it_is_the_same(whole, stored, tmp_path, capsys):
    """Photographs, stages and shards by URL, as a file of settings and the command line have them."""
    config = on_store(whole, stored, "whole")
    (tmp_path / "build.yaml").write_text(yaml.safe_dump(plain(config)))
    assert read_config(tmp_path / "build.yaml") == config
    build(config, InThisProcess())
    assert digests(config.output) == digests(whole.output)
    assert [path.name for path in config.output.glob(".*")] == []
    run_status(config.output)
    assert "6 images for training, 2 for testing" in capsys.readouterr().out
    assert "Of 12 candidates 8 are kept" in report_page(config.output)
    changed = replace(config, split=SplitSettings(test_share=0.0))
    with pytest.raises(ChangedConfigError, match=r"--from-stage split"):
        build(changed, InThisProcess())
    build(changed, InThisProcess(), "split")
    assert set(read_stage(config.output, SPLIT)["split"].to_pylist()) == {"train"}


def test_another_configuration_is_refused_and_done_again_from_its_stage(whole, tmp_path):
    shutil.copytree(whole.output, tmp_path / "changed")
    before = replace(whole, output=tmp_path / "changed")
    after = replace(before, pairs=PairSettings(0.6, 0.999), split=SplitSettings(test_share=0.0))
    with pytest.raises(ChangedConfigError, match=r"pairs\.similarity_above was 0\.65 and is 0\.6") as refused:
        build(after, InThisProcess())
    assert "split.test_share was 0.3 and is 0.0" in str(refused.value)
    assert "--from-stage pairs" in str(refused.value)
    with pytest.raises(ChangedConfigError):
        build(after, InThisProcess(), "split")
    kept = part_path(before.output, "40_faces", 0)
    stamp = kept.stat().st_mtime_ns
    build(after, InThisProcess(), "pairs")
    assert kept.stat().st_mtime_ns == stamp
    assert set(read_stage(after.output, SPLIT)["split"].to_pylist()) == {"train"}
    build(before, InThisProcess(), "pairs")
    assert digests(before.output) == digests(whole.output)


def test_configuration_in_the_build_can_be_built_from(whole):
    assert read_config(whole.output / "config.yaml") == whole


def test_what_is_no_place_for_a_build(whole, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "mother.txt").write_text("Dear")
    with pytest.raises(ValueError, match="holds other things than a build"):
        build(replace(whole, output=tmp_path / "letters"), InThisProcess())
    with only_run(whole.output), pytest.raises(OSError, match="Another run works at"):
        build(whole, InThisProcess())
    with pytest.raises(ValueError, match="At least one worker"), running_engine("processes", 0):
        pass


def test_nothing_comes_through(whole, tmp_path):
    strict = replace(whole, output=tmp_path / "strict", quality=QualitySettings(sharpness_at_least=1e9))
    with pytest.raises(ValueError, match="Nothing came through"):
        build(strict, InThisProcess())
    assert FunnelRow("quality", "not sharp", 11) in funnel(strict.output)


def test_status_and_the_command(whole, tmp_path, capsys):
    run_build(BuildOptions(**vars(whole), workers=1))
    out = capsys.readouterr().out
    assert "near-duplicate" in out
    assert "4 pairs of faces" in out
    assert "6 images for training, 2 for testing" in out
    assert "largest similarity of a face for training and one for testing: 0." in out
    with pytest.raises(FileNotFoundError, match="There is no build"):
        run_status(tmp_path)


def started(config: BuildConfig, folder: Path, engine: str, workers: int, *gpus: str) -> subprocess.Popen:
    (folder / "run.py").write_text(COMMAND)
    (folder / "build.yaml").write_text(yaml.safe_dump(plain(config)))
    command = [sys.executable, str(folder / "run.py"), str(folder / "build.yaml"), engine, str(workers), *gpus]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


KILLS = 15

FORKING = """
import contextlib, os, sys
from pathlib import Path
with contextlib.suppress(ImportError):
    import s3fs
from portraitdata.builder.build import build
from portraitdata.builder.config_file import read_config
from portraitdata.builder.engines import InThisProcess
from portraitdata.builder.stages import faces_stage, quality_stage
for line in sys.stdin:
    child = os.fork()
    if not child:
        build(read_config(Path(line.strip())), InThisProcess())
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""A process that has loaded everything and starts runs, so that a run is killed at work and not while it loads."""


class ForkedRuns:
    """Runs of builds, one at a time, each in a process that is forked of one that has loaded everything."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "build.yaml"
        command = [sys.executable, "-c", FORKING]
        self._forking = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def start(self, config: BuildConfig) -> int:
        """Number of the process."""
        self._file.write_text(yaml.safe_dump(plain(config)))
        self._forking.stdin.write(f"{self._file}\n")
        return int(self._forking.stdout.readline())

    def ended(self) -> bool:
        return bool(select.select([self._forking.stdout], [], [], 0)[0])

    def status(self) -> int:
        return int(self._forking.stdout.readline())

    def stop(self) -> None:
        self._forking.communicate()


class StartedRuns:
    """Runs of the command with an engine of two workers."""

    def __init__(self, folder: Path, engine: str) -> None:
        self._folder, self._engine = folder, engine

    def start(self, config: BuildConfig) -> int:
        """Number of the process."""
        self._running = started(config, self._folder, self._engine, 2)
        return self._running.pid

    def ended(self) -> bool:
        return self._running.poll() is not None

    def status(self) -> int:
        err = self._running.communicate()[1]
        assert self._running.returncode in (0, -signal.SIGKILL), err
        return self._running.returncode

    def stop(self) -> None:
        pass


def kill_and_continue(config: BuildConfig, expected: dict[str, str], runs: ForkedRuns | StartedRuns) -> None:
    """Kill runs soon after they have written something, and go on until it was done often; builds end the same."""
    moments = random.Random(0)
    kills = builds = 0
    while not builds or kills < KILLS:
        now = replace(config, output=config.output / str(builds))
        pid = runs.start(now)
        enough = len(written(now.output)) + moments.randint(1, 4)
        while kills < KILLS and not runs.ended() and len(written(now.output)) < enough:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.1))
        if kills < KILLS and not runs.ended():
            kills += 1
            os.kill(pid, signal.SIGKILL)
        if runs.status() == 0:
            assert digests(now.output) == expected
            builds += 1
    runs.start(now)  # whatever the last one did
    assert runs.status() == 0
    assert digests(now.output) == expected
    runs.stop()


@pytest.mark.slow
def test_killed_at_random_it_ends_the_same(whole, tmp_path):
    kill_and_continue(replace(whole, output=tmp_path / "killed"), digests(whole.output), ForkedRuns(tmp_path))


@pytest.mark.slow
def test_killed_at_random_it_ends_the_same_on_a_store(whole, stored, tmp_path):
    kill_and_continue(on_store(whole, stored, "killed"), digests(whole.output), ForkedRuns(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["processes", "ray"])
def test_killed_at_random_it_ends_the_same_with_two_workers(whole, tmp_path, engine, request):
    """Processes that work for a killed one must end, too."""
    if engine == "ray":
        request.getfixturevalue("cluster")
    config = replace(whole, output=tmp_path / "killed")
    kill_and_continue(config, digests(whole.output), StartedRuns(tmp_path, engine))


WHERE = """
import os
from pathlib import Path
class Where:
    def __init__(self, folder):
        (Path(folder) / str(os.getpid())).write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "none"))
    def __call__(self, image):
        return 1.0
"""
"""A judge of images that notes the GPUs of its process."""


@pytest.fixture(scope="module")
def cluster():
    """A Ray cluster of two nodes, each with a GPU that nobody looks for."""
    pytest.importorskip("ray.data", reason="needs the extra ray")
    with ray_cluster() as variables, pytest.MonkeyPatch.context() as patched:
        for name, value in variables.items():
            patched.setenv(name, value)
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_ray_makes_the_same_bytes(whole, tmp_path):
    config = replace(whole, output=tmp_path / "ray")
    running = started(config, tmp_path, "ray", 2)
    _, err = running.communicate()
    assert running.returncode == 0, err
    assert digests(config.output) == digests(whole.output)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_actors_of_ray_have_the_gpus_that_a_stage_reserves(whole, tmp_path, monkeypatch):
    (tmp_path / "gpu_judge.py").write_text(WHERE)
    (tmp_path / "seen").mkdir()
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ['PYTHONPATH']}")
    scorer = Scorer("quality", "gpu_judge.Where", None, {"folder": str(tmp_path / "seen")})
    config = replace(whole, output=tmp_path / "ray", quality=QualitySettings(scorers=(scorer,)))
    running = started(config, tmp_path, "ray", 2, "quality_gpus=1")
    _, err = running.communicate()
    assert running.returncode == 0, err
    assert {path.read_text() for path in (tmp_path / "seen").iterdir()} == {"0"}


def test_gpus_without_actors_and_less_than_none():
    with (
        pytest.raises(ValueError, match="GPUs are reserved for actors of Ray; add --engine ray"),
        running_engine("processes", 2, Gpus(faces=0.5)),
    ):
        pass
    with pytest.raises(ValueError, match=r"no GPU or more, got -1\.0 and 0\.0"):
        Gpus(quality=-1.0)


@pytest.mark.parametrize(
    ("module", "absent", "said"),
    [("ray", "ray", "Ray"), ("ray.data", "pandas", "pandas"), ("ray.data", None, "ray.data")],
)
def test_what_ray_lacks_is_named(monkeypatch, module, absent, said):
    """Without pandas Ray was said to be missing."""

    def load(name):
        if name == module:
            raise ImportError(f"No module named {absent}", name=absent)
        return ModuleType(name)

    monkeypatch.setattr(ray_engine, "import_module", load)
    wanted = rf"The engine ray needs {said}, which is not installed; `pip install 'portraitdata\[ray\]'`"
    with pytest.raises(ImportError, match=wanted):
        RayData(2)


def test_settings_that_there_were_not_yet_are_their_defaults(whole, tmp_path):
    settings = plain(whole)
    del settings["faces"]["device"]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    assert changes(replace(whole, output=tmp_path)) == ([], None)
    moved = replace(whole, output=tmp_path, faces=replace(whole.faces, device="cuda"))
    assert changes(moved) == (["faces.device was cpu and is cuda"], "faces")
