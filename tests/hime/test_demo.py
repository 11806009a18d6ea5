"""The demo: real portrait, honest simulation, no network."""

import socket
from pathlib import Path

import numpy as np
import pytest
import torch

from faceops.images.files import load_picture
from hime import demo
from hime.variants import build_variant
from hime.weights.files import save_weights
from hime.weights.model_card import ModelCard
from portraitdata.images.simulated_views import simulate
from portraitdata.scoring.psnr import psnr


@pytest.fixture
def photograph(monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
    def refuse(*_: object) -> None:
        raise AssertionError("the demo asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return demo.astronaut()


def test_exemplars_differ_from_the_original(photograph: torch.Tensor) -> None:
    truth = demo.HEAD.cut(photograph)
    for view in demo.VIEWS:
        assert "simulated" in view.name
        assert psnr(simulate(photograph, view, demo.HEAD)[None], truth[None]).item() < 20


def test_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    folder, output = tmp_path / "weights", tmp_path / "new" / "demo"
    folder.mkdir()
    monkeypatch.setattr("hime.weights.shipped.FOLDER", folder)
    with pytest.raises(ValueError, match="none is installed"):
        demo.run_demo(output)
    torch.manual_seed(0)
    save_weights(build_variant("lean", 8), folder / "small-x8.safetensors", ModelCard())
    scores = demo.run_demo(output)
    demo.print_scores(scores, output)
    (row,) = scores
    assert (row.weights, row.lr_size) == ("small-x8", 16)
    assert 20 < row.bicubic < 24
    assert sorted(path.name for path in output.iterdir()) == [
        "input_16.png",
        "original.png",
        "sheet_small-x8.png",
        *(f"simulated_exemplar_{number}.png" for number in (1, 2, 3)),
        "small-x8.png",
    ]
    assert load_picture(output / "input_16.png").pixels.shape == (3, 16, 16)
    assert np.isclose(
        psnr(load_picture(output / "small-x8.png").pixels[None], demo.HEAD.cut(demo.astronaut())[None]).item(),
        row.together,
        atol=0.05,
    )
    printed = capsys.readouterr().out
    assert "simulated" in printed
    assert "small-x4 are not in this installation" in printed
