"""The demonstration: a real portrait, spoilt and restored without a network."""

import socket
from pathlib import Path

import pytest
import torch

from faceops.images.files import load_picture
from headsup import demo
from portraitdata.images.simulated_views import astronaut
from portraitdata.scoring.psnr import psnr


def test_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the demo asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    output = tmp_path / "new" / "demo"
    scores = demo.run_demo(output)
    demo.print_scores(scores, output)
    names = ["enlarged", "restored", "with_reference"]
    assert [score.name for score in scores] == names
    assert sorted(path.stem for path in output.iterdir()) == sorted([*names, "spoilt", "original", "sheet"])
    truth = load_picture(output / "original.png").pixels[None]
    for score in scores:
        written = load_picture(output / f"{score.name}.png").pixels[None]
        assert psnr(written, truth).item() == pytest.approx(score.psnr, abs=0.05)
    enlarged, alone, together = scores
    assert together.ssim > alone.ssim > enlarged.ssim  # what the shipped weights are for
    assert together.psnr > enlarged.psnr
    printed = capsys.readouterr().out
    assert "simulated from the same photograph" in printed
    assert "not Stable Diffusion" in printed


def test_the_portrait_is_spoilt_alike_every_time() -> None:
    truth = demo.PORTRAIT.cut(astronaut())
    low = demo.spoilt(truth)
    assert low.pixels.shape == (3, 64, 64)
    assert torch.equal(low.pixels, demo.spoilt(truth).pixels)


def test_the_reference_shows_the_face_upright() -> None:
    face = demo.reference(astronaut())
    assert face.references.shape == (1, 3, 256, 256)
    # where FFHQ's template has the eyes, a pupil is darker than the cheek below
    left, right = (face.references[0, :, 118:122, x - 2 : x + 3].mean() for x in (96, 160))
    cheeks = face.references[0, :, 145:155, 90:100].mean()
    assert max(left, right) < cheeks - 0.1


def test_missing_photograph_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "skimage.data", None)
    with pytest.raises(ValueError, match="pip install scikit-image"):
        demo.run_demo(tmp_path)


def test_a_file_instead_of_the_folder_is_refused_before_the_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(demo, "astronaut", lambda: pytest.fail("the work has begun"))
    (tmp_path / "demo").touch()
    with pytest.raises(ValueError, match="demo is a file, but a folder is needed there"):
        demo.run_demo(tmp_path / "demo")
