"""Contact sheets: layout, readable captions, honest pixels."""

from pathlib import Path

import pytest
import torch

from faceops.images.files import Picture, load_picture, save_picture
from faceops.images.sheet import GAP, Panel
from hime.upscaling.comparison import comparison_sheet, draw_fitted, fit_panel
from hime.upscaling.picture_upscaling import Upscaled

RED = torch.tensor([1.0, 0.0, 0.0]).reshape(3, 1, 1)


def test_tiny_panels_are_enlarged_by_repeating_pixels() -> None:
    image = torch.rand(3, 16, 16)
    sheet = draw_fitted([[Panel(image, "x")]])
    assert sheet.shape[2] == 256 + 2 * GAP
    enlarged = image.repeat_interleave(16, 1).repeat_interleave(16, 2)
    torch.testing.assert_close(sheet[:, GAP : GAP + 256, GAP : GAP + 256], enlarged, atol=1 / 500, rtol=0)


def test_large_panels_are_reduced() -> None:
    sheet = draw_fitted([[Panel(RED.expand(3, 1500, 1000), "x"), Panel(RED.expand(3, 8, 8), "y")]])
    assert sheet.shape[2] == 2 * 768 + 3 * GAP


@pytest.mark.parametrize("shape", [(5, 17), (17, 5), (1, 1), (1000, 3), (300, 400)])
def test_fit_keeps_the_aspect_ratio(shape: tuple[int, int]) -> None:
    height, width = fit_panel(torch.rand(3, *shape), 256).shape[-2:]
    assert max(height, width) == 256
    assert abs(height / width - shape[0] / shape[1]) < 0.5 * max(1, shape[0] / shape[1])


def test_captions_are_dark_text_on_paper_and_wrap() -> None:
    short = draw_fitted([[Panel(RED.expand(3, 8, 8), "word")]])
    long = draw_fitted([[Panel(RED.expand(3, 8, 8), "word " * 30)]])
    assert long.shape[1] > short.shape[1] + 60
    text = short[:, GAP + 256 + 2 :]
    assert text.min() < 0.3
    assert text.max() == 1
    assert (long[:, :, -GAP:] == 1).all()


def test_file_names_longer_than_a_panel_stay_inside() -> None:
    sheet = draw_fitted([[Panel(RED.expand(3, 8, 8), "a" * 300)]], title="b" * 300)
    assert (sheet[:, :, -GAP:] == 1).all()


def test_rows_and_title() -> None:
    panel = Panel(RED.expand(3, 8, 8), "x")
    sheet = draw_fitted([[panel, panel, panel], [panel]])
    assert sheet.shape[2] == 3 * 256 + 4 * GAP
    assert draw_fitted([[panel, panel, panel], [panel]], "title").shape[1] > sheet.shape[1]
    with pytest.raises(ValueError, match="at least one panel"):
        draw_fitted([[]])


def test_comparison_names_every_exemplar(tmp_path: Path) -> None:
    low, high = Picture(torch.rand(3, 6, 9)), Picture(torch.rand(3, 24, 36))
    maps = torch.full((5, 6, 9), 0.2)
    result = Upscaled(high, torch.rand(5, 3, 24, 36), maps, maps)
    save_picture(Picture(comparison_sheet(low, result, list("abcde"), "low.png")), tmp_path / "sheet.png")
    assert load_picture(tmp_path / "sheet.png").pixels.shape[2] == 4 * 256 + 5 * GAP
    alone = Upscaled(high, torch.zeros(0, 3, 24, 36), None, None)
    assert comparison_sheet(low, alone, []).shape[2] == 3 * 256 + 4 * GAP
    with pytest.raises(ValueError, match="5 exemplars need as many names, got 1"):
        comparison_sheet(low, result, ["a"])
