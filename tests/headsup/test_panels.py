"""Panels of a validation."""

from pathlib import Path

import torch

from faceops.images.sheet import draw_sheet
from headsup.training.panels import GAP, LABELS, NARROWEST, panel_rows
from portraitdata.restoration.synthetic_datamodule import SyntheticRestorationDataModule


def test_a_row_has_every_picture_under_its_name_and_black_for_a_face_that_is_not_there(tmp_path: Path) -> None:
    data = SyntheticRestorationDataModule(tmp_path, people=4, portraits=3, size=32, batch_size=2, validation_images=2)
    data.prepare_data()
    data.setup("fit")
    batch = data.on_after_batch_transfer(next(iter(data.val_dataloader()[0])), 0)
    restored = torch.rand(batch.hq.shape, generator=torch.Generator().manual_seed(0))
    rows = panel_rows(batch, restored)
    assert len(rows) == len(batch.hq)
    for index, row in enumerate(rows):
        assert tuple(panel.caption for panel in row) == LABELS
        named = {panel.caption: panel.image for panel in row}
        torch.testing.assert_close(named["output"], restored[index], rtol=0, atol=0)
        torch.testing.assert_close(named["truth"], batch.hq[index], rtol=0, atol=0)
        found = bool((batch.faces.image_index == index).any())
        assert bool(named["face of the truth"].any()) == found
    assert draw_sheet(rows, narrowest=NARROWEST, gap=GAP).shape[2] == len(LABELS) * (NARROWEST + GAP) + GAP
