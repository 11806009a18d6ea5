"""Memory of upscaling: what is counted, what a process takes, and which tiles fit."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from benchmarks.fuzz.running import run_forked
from faceops.images.errors import TooLargeImageError
from faceops.images.files import Picture, load_picture, save_picture
from faceops.images.jobs import Job
from faceops.images.memory_budget import memory_budget
from hime.network import HIME
from hime.upscaling import files
from hime.upscaling.files import Setup, run_job
from hime.upscaling.memory import fitting_tiling, smaller_tilings, tile_bytes, whole_bytes
from hime.upscaling.tiling import Tiling
from tests.support.packages import ROOT


def network() -> HIME:
    return HIME(scale=4).eval()


def ran(model: HIME, side: int, exemplars: int) -> None:
    """Run a network on a tile, for a child process."""
    lr, references = torch.rand(1, 3, side, side), torch.rand(1, exemplars, 3, 4 * side, 4 * side)
    with torch.no_grad():
        model.explain(lr, references if exemplars else None)


TILES = (160, 0), (128, 1), (96, 3)
"""Side of a tile, and number of exemplars."""


def measured(folder: str) -> None:
    """Print how each tile's run in a forked child ends, and its memory; for a process of its own."""
    torch.set_num_threads(1)  # a forked child has lost the others
    for side, exemplars in TILES:
        ending = run_forked(partial(ran, network(), side, exemplars), Path(folder), 60)
        print(ending.status, ending.memory, ending.said)


@pytest.fixture(scope="module")
def endings(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, int], list[str]]:
    """Status, memory and words of each tile's run, in a process in which no test has freed memory to be filled."""
    code = f"from tests.hime.test_memory import measured; measured({str(tmp_path_factory.mktemp('tiles'))!r})"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return dict(zip(TILES, (line.split(maxsplit=2) for line in ended.stdout.splitlines()), strict=True))


@pytest.mark.parametrize(("side", "exemplars"), TILES)
def test_a_tile_takes_what_is_counted(side: int, exemplars: int, endings: dict[tuple[int, int], list[str]]) -> None:
    status, memory, *said = endings[side, exemplars]
    assert status == "0", said
    counted = tile_bytes(network(), side, side, exemplars)
    assert int(memory) <= counted <= 3 * int(memory)


def test_more_exemplars_pixels_and_flow_take_more() -> None:
    flow = HIME(scale=4, alignment="flow_dcn")
    rising = [tile_bytes(network(), 64, 64, count) for count in (0, 1, 3)]
    assert rising == sorted(set(rising))
    assert tile_bytes(flow, 64, 64, 1) > rising[1]
    assert tile_bytes(flow, 64, 64, 0) == rising[0]
    assert whole_bytes(100, 2, maps=True, sheet=True) == 100 * (90 + 2 * 56 + 12 * 5)
    assert whole_bytes(100, 0, maps=False, sheet=False) == 9000


def test_a_small_budget_takes_smaller_tiles_and_a_tiny_one_none() -> None:
    model, wanted = network(), Tiling()
    size, whole = (300, 400), 10**7
    fit = partial(fitting_tiling, model, wanted, size, 1, whole, "a.png")
    with memory_budget((whole + tile_bytes(model, 128, 128, 1)) / 1e9):
        assert fit() is wanted
    with memory_budget((whole + tile_bytes(model, 128, 128, 1) - 1) / 1e9):
        assert fit() == Tiling(112, 14, 14)
    with memory_budget((whole + tile_bytes(model, 48, 48, 1)) / 1e9):
        assert fit() == Tiling(48, 6, 6)
    too_small = memory_budget((whole + tile_bytes(model, 48, 48, 1) - 1) / 1e9)
    with too_small, pytest.raises(TooLargeImageError, match=r"a\.png has 1600 x 1200 pixels, .* even in small tiles"):
        fit()
    assert smaller_tilings(48) == []
    with memory_budget((whole + tile_bytes(model, 20, 48, 1)) / 1e9):  # a narrow picture has narrow tiles
        assert fitting_tiling(model, wanted, (20, 400), 1, whole, "a.png").size == 48


def test_a_file_is_upscaled_in_the_tiles_that_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_picture(Picture(torch.rand(3, 20, 60)), tmp_path / "a.png")
    job, taken = Job(tmp_path / "a.png", tmp_path / "o.png", "a.png"), []
    model, upscale = network(), files.upscale

    def noted(*arguments: object) -> object:
        taken.append(arguments[3])
        return upscale(*arguments)

    monkeypatch.setattr(files, "upscale", noted)
    setup = Setup(model, (), Tiling(), None, None, {})
    whole = whole_bytes(16 * 20 * 60, 0, maps=False, sheet=False)
    with memory_budget((whole + tile_bytes(model, 20, 48, 0)) / 1e9):
        run_job(job, setup)
    assert [tiling.size for tiling in taken] == [48]
    assert load_picture(job.output).pixels.shape == (3, 80, 240)
    with memory_budget((whole + 1000) / 1e9), pytest.raises(TooLargeImageError, match="240 x 80 pixels"):
        run_job(job, setup)
