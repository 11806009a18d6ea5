"""Sheets: where panels lie, and that their pixels are those of the pictures."""

import pytest
import torch

from faceops.images.sheet import GAP, Panel, draw_sheet


def test_rows_lie_below_each_other_and_no_picture_is_resized() -> None:
    wide, tall = torch.rand(3, 10, 40), torch.rand(3, 30, 20)
    sheet = draw_sheet([[Panel(wide), Panel(tall)], [Panel(tall)]], gap=4)
    assert sheet.shape == (3, 4 + 30 + 4 + 30 + 4, 4 + 40 + 4 + 20 + 4)
    nearly = {"atol": 0.51 / 255, "rtol": 0}
    torch.testing.assert_close(sheet[:, 14:24, 4:44], wide, **nearly)  # in the middle of its row
    torch.testing.assert_close(sheet[:, 4:34, 48:68], tall, **nearly)
    torch.testing.assert_close(sheet[:, 38:68, 4:24], tall, **nearly)
    assert (sheet[:, 38:68, 24:] == 1).all()


def test_narrow_pictures_lie_in_the_middle_of_their_panels() -> None:
    sheet = draw_sheet([[Panel(torch.zeros(3, 10, 20)), Panel(torch.zeros(3, 10, 60))]], narrowest=40)
    assert sheet.shape[2] == 3 * GAP + 40 + 60
    columns = (sheet[0, GAP : GAP + 10] == 0).all(dim=0).nonzero().flatten().tolist()
    assert columns == [*range(GAP + 10, GAP + 30), *range(2 * GAP + 40, 2 * GAP + 100)]


def test_captions_stay_below_their_own_panel() -> None:
    black = torch.zeros(3, 10, 60)
    plain = draw_sheet([[Panel(black), Panel(black)]])
    sheet = draw_sheet([[Panel(black, "word " * 9), Panel(black)]])
    assert sheet.shape[1] > plain.shape[1] + 60
    assert (sheet[:, plain.shape[1] :, : GAP + 60] < 0.5).any()
    assert (sheet[:, GAP + 10 :, GAP + 60 :] == 1).all()


def test_a_sheet_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one panel"):
        draw_sheet([[], []])
