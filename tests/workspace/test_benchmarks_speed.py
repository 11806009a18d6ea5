"""What speed is compared to: limits of the machine, and work that nobody can avoid."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks.reporting.table import LeftOutError
from benchmarks.speed import builder, compiled_training, degradation, gpu, machine_limits, restoring_stages, startup
from benchmarks.speed.machine_limits import MachineLimits
from benchmarks.speed.timing import peak_bytes
from portraitdata.builder.config import BuildConfig, LocalSource, StageName
from portraitdata.degradation import cpu_executor
from portraitdata.degradation.drawing import draw_record
from portraitdata.degradation.presets import preset_of

ROOT = Path(__file__).parents[2]


def test_the_limit_is_the_slower_of_multiplying_and_moving() -> None:
    limits = MachineLimits(multiplications=4e9, moved=2e9)
    assert limits.seconds(1e9) == 0.25
    assert limits.seconds(1e9, 1e8) == 0.25
    assert limits.seconds(1e9, 1e9) == 0.5
    assert limits.remark() == (
        "The limit is by 4.0 G multiply-accumulates of a matrix product or 2.0 GB copied in a CPU second here."
    )


def test_the_fastest_turn_counts_but_the_first() -> None:
    times = iter([0.0, 0.5, 1.0, 4.0, 4.0, 6.0, 6.0, 9.0, 9.0, 13.0, 13.0, 18.0])
    assert machine_limits.least_seconds(lambda: None, lambda: next(times)) == 2.0


def test_limits_are_speeds_of_what_was_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_limits, "SIDE", 8)
    monkeypatch.setattr(machine_limits, "COPIED", 1024)

    def half_a_second(run: object, clock: object, device: str) -> float:
        return 0.5 if callable(run) and run() is not None else 0.0

    monkeypatch.setattr(machine_limits, "least_seconds", half_a_second)
    assert machine_limits.machine_limits(dtype=torch.bfloat16) == MachineLimits(2 * 8**3, 2 * 2 * 1024)


def test_the_first_step_of_a_compiled_network_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    network = SimpleNamespace(explain=1)
    monkeypatch.setattr(compiled_training, "HIME", lambda scale: SimpleNamespace(to=lambda **_: network))
    monkeypatch.setattr(torch, "compile", lambda function: 2)
    seconds = iter([4.0, 90.0, 1.0, 0.5, 3.0, 0.25, 2.0, 0.75])
    monkeypatch.setattr(compiled_training, "STEPS", 3)
    compiled_anew = []

    def step_seconds(network: object, explain: int) -> float:
        compiled_anew.append(torch.compiler.config.force_disable_caches)
        return next(seconds)

    monkeypatch.setattr(compiled_training, "step_seconds", step_seconds)
    (table,) = compiled_training.measure("quick")
    assert table.rows == (("as it is", 2000.0, 4.0), ("compiled", 500.0, 90.0))
    assert compiled_anew == [True] * 2 + [False] * 6


@pytest.mark.parametrize("preset", ["realesrgan", "mild", "codeformer-2", "daefr"])
def test_the_files_counted_are_those_that_are_written(preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def noted(image: np.ndarray, quality: int) -> np.ndarray:
        written.append((image.shape[:2], quality))
        return image

    monkeypatch.setattr(cpu_executor, "compressed", noted)
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    scale = 1 if preset in ("codeformer-2", "daefr") else 4
    for serial in range(12):
        record = draw_record(preset_of(preset), 64, 64, scale, (0, 0, serial))
        written.clear()
        cpu_executor.degrade(image, record)
        assert degradation.jpegs_of(record) == written


def test_the_least_of_restoring_is_the_work_of_its_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    def counted(architecture: str, size: int, mode: str) -> SimpleNamespace:
        assert (architecture, size, mode) == ("tiny", 1024, "restore")
        return SimpleNamespace(macs={"unet": 2e9, "vae_encoder": 1e9, "vae_decoder": 5e9})

    monkeypatch.setattr(restoring_stages, "report_profile", counted)
    assert restoring_stages.least(MachineLimits(2e9, 1e9)) == ("limit", "", 0.5, 1.0, 2.5, "", 4.0)
    assert restoring_stages.STAGES == ("read", "encode", "denoise", "decode", "write")


class Noting:
    """An engine that does nothing but say what it was asked for."""

    def __init__(self) -> None:
        self.asked: dict[str, list[int]] = {}

    def run(self, stage: StageName, config: BuildConfig, partitions: Sequence[int]) -> Iterator[int]:
        self.asked[stage] = list(partitions)
        yield from partitions


def test_every_stage_of_the_builder_gets_its_images(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(builder, "PARTITION", 2)
    monkeypatch.setattr(builder, "IMAGES", {"index": 6, "download": 6, "quality": 6, "faces": 4})
    pictures = tmp_path / "photographs"
    pictures.mkdir()
    for number in range(6):
        (pictures / f"{number}.jpg").write_bytes(b"never read")
    config = BuildConfig(output=tmp_path / "build", sources=(LocalSource("photographs", pictures),), partition=2)
    engine = Noting()
    taken = builder._seconds(engine, config)
    assert engine.asked == {"index": [0, 1, 2], "download": [0, 1, 2], "quality": [0, 1, 2], "faces": [0, 1]}
    assert taken.keys() == engine.asked.keys()
    seconds = [{"quality": 3.0, "faces": 8.0}, {"quality": 1.5, "faces": 5.0}]
    assert builder._row("quality", "processes", seconds, 512.0) == ("quality, processes", 2.0, 4.0, 2.0, 512.0)
    assert builder._row("faces", "Ray", seconds, "")[1:4] == (0.5, 0.8, 1.6)


def test_without_a_gpu_its_tables_are_left_out(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(LeftOutError, match="needs a CUDA device"):
        gpu.measure("full")


def test_a_gpus_tables_compare_like_with_like(monkeypatch) -> None:
    monkeypatch.setattr(gpu, "TURNS", 1)
    table = gpu.operators("cpu", side=16, images=2)
    assert len(table.rows) == len(gpu.WINDOWS) + 2
    for _, common, ours, faster, *_ in table.rows:
        assert faster == pytest.approx(common / ours)
    rows = gpu.restoring("cpu", "random:tiny", sides=(64,)).rows
    assert [row[0] for row in rows] == ["float32", "bfloat16"]
    assert rows[0][2] == pytest.approx(
        2 * rows[1][2], rel=0.01
    )  # bytes of the weights; the last convolution stays float32
    for row in rows:
        assert row[-1] == pytest.approx(sum(row[4:7]))


def test_the_same_device_gives_the_same_picture() -> None:
    found = gpu.differences(lambda where: torch.full((1, 3, 2, 2), 1.0 if where[1] else 0.5), "cpu")
    assert found == [0, 0, 127.5, 127.5]


def test_the_most_memory_is_that_of_the_process_alone() -> None:
    before = peak_bytes()
    much = b"x" * 1_500_000_000
    assert peak_bytes() > before + 1e9
    code = "from benchmarks.speed.timing import peak_bytes; print(peak_bytes())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    del much
    assert int(done.stdout) < 1e9


def test_processor_time_is_that_of_the_whole_process(tmp_path: Path) -> None:
    busy = "import time\nwhile time.process_time() < 0.4: pass"
    asleep = "import time\ntime.sleep(0.4)"
    worked, slept = (startup.process(("-c", code), tmp_path) for code in (busy, asleep))
    assert worked.cpu >= 0.4
    assert slept.cpu < 0.4 <= slept.wall
    with pytest.raises(RuntimeError, match="ended with 3, not 0"):
        startup.process(("-c", "raise SystemExit(3)"), tmp_path)


def test_a_command_ends_where_it_first_calls_a_network(tmp_path: Path) -> None:
    network = "import torch\nprint(torch.nn.Identity()(1))\nopen('later', 'w')"
    for name, content in (("calling", network), ("idle", "")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"{name}.py").write_text(content)
    startup.process(("-c", startup.UNTIL_FIRST_TILE, "calling"), tmp_path / "calling")
    assert not (tmp_path / "calling" / "later").exists()
    with pytest.raises(RuntimeError, match="No network was called"):
        startup.process(("-c", startup.UNTIL_FIRST_TILE, "idle"), tmp_path / "idle")
