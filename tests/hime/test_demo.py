"""The demo: real portrait, honest simulation, no network."""

import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from faceops.images import load_picture
from hime import demo
from hime.model_card import ModelCard
from hime.variants import build_variant
from hime.weights import save_weights


@pytest.fixture
def photograph(monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
    def refuse(*_: object) -> None:
        raise AssertionError("the demo asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return demo.astronaut()


def test_view_without_difference_is_the_head(photograph: torch.Tensor) -> None:
    same = demo.View("", 0.0, 1.0, (0.0, 0.0), False, 1.0, (1.0, 1.0, 1.0), 0.01)
    torch.testing.assert_close(demo.simulate(photograph, same), demo.head(photograph), atol=2e-3, rtol=0)


def test_convention_of_views() -> None:
    photograph = torch.zeros(3, 512, 512)
    middle_x, middle_y = demo.HEAD_LEFT + 64, demo.HEAD_TOP + 64
    photograph[:, middle_y - 2 : middle_y + 2, middle_x + 28 : middle_x + 32] = 1  # a spot right of the middle

    def spot(
        angle: float = 0.0, zoom: float = 1.0, shift: tuple[float, float] = (0.0, 0.0), mirrored: bool = False
    ) -> list:
        view = demo.View("", angle, zoom, shift, mirrored, 1.0, (1.0, 1.0, 1.0), 0.5)
        weight = demo.simulate(photograph, view)[0]
        axis = torch.arange(128) + 0.5 - 64
        x, y = (weight.sum(0) * axis).sum() / weight.sum(), (weight.sum(1) * axis).sum() / weight.sum()
        return [round(x.item()), round(y.item())]

    assert spot() == [30, 0]
    assert spot(angle=90.0) == [0, -30]  # counter-clockwise: right goes up
    assert spot(zoom=1.5) == [45, 0]
    assert spot(shift=(5.0, 7.0)) == [35, 7]
    assert spot(mirrored=True) == [-30, 0]


def test_exemplars_differ_from_the_original(photograph: torch.Tensor) -> None:
    truth = demo.head(photograph)
    for view in demo.VIEWS:
        assert "simulated" in view.name
        assert demo.psnr(demo.simulate(photograph, view), truth) < 20


def test_psnr_is_that_of_scikit_image() -> None:
    a, b = torch.rand(2, 3, 16, 16)
    want = peak_signal_noise_ratio(a.double().numpy(), b.double().numpy(), data_range=1.0)
    assert demo.psnr(b, a) == pytest.approx(want, abs=1e-4)


def test_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    folder, output = tmp_path / "weights", tmp_path / "new" / "demo"
    folder.mkdir()
    monkeypatch.setattr("hime.shipped.FOLDER", folder)
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
        demo.psnr(load_picture(output / "small-x8.png").pixels, demo.head(demo.astronaut())), row.together, atol=0.05
    )
    printed = capsys.readouterr().out
    assert "simulated" in printed
    assert "small-x4 are not in this installation" in printed
