"""Memory of upscaling: what is counted, what a process takes, and which tiles fit."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

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


TILES = (160, 0), (128, 1), (96, 3)
"""Side of a tile, and number of exemplars."""


def ran(model: HIME, side: int, exemplars: int) -> None:
    """Run a network on a tile."""
    lr, references = torch.rand(1, 3, side, side), torch.rand(1, exemplars, 3, 4 * side, 4 * side)
    with torch.no_grad():
        model.explain(lr, references if exemplars else None)


def held(what: str) -> int:
    """Bytes that this process holds now (VmRSS), or has held at most (VmHWM)."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[what].split()[0]) * 1024


def measured(side: int, exemplars: int) -> None:
    """Print the bytes that a tile takes, for a process of its own."""
    torch.set_num_threads(1)
    model = network()
    ran(model, 8, exemplars)  # how much of torch's libraries a first run brings into memory depends on the kernel
    Path("/proc/self/clear_refs").write_text("5")  # the most held begins anew
    before = held("VmRSS")
    ran(model, side, exemplars)
    print(held("VmHWM") - before)


@pytest.mark.parametrize(("side", "exemplars"), TILES)
def test_a_tile_takes_what_is_counted(side: int, exemplars: int) -> None:
    code = f"from tests.hime.test_memory import measured; measured({side}, {exemplars})"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    counted = tile_bytes(network(), side, side, exemplars)
    assert int(ended.stdout) <= counted <= 3 * int(ended.stdout)


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
