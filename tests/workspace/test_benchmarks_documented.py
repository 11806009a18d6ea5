"""Benchmarks that exist for the documents: matching of references, intervals of studies, model cards, memory."""

import re
from math import log
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.faces import boundary_artifact
from benchmarks.faces.boundary_pastes import Portrait
from benchmarks.headsup import scoring_conventions, study_intervals, table2
from benchmarks.headsup.reference_matching import misled, reached
from benchmarks.headsup.shipped_weights import kept, mean_psnr
from benchmarks.hime import shipped_weights
from benchmarks.hime.portrait_scores import Distance, Portraits
from benchmarks.reporting.table import Cell
from benchmarks.speed import profiles
from headsup.profiling.profile_report import report_profile
from hime.network import HIME
from portraitdata.scoring.metric import Column
from portraitdata.scoring.table import ScoreTable


def number(cell: Cell) -> float:
    """A cell that is a number."""
    assert not isinstance(cell, str)
    return cell


def test_shares_reached() -> None:
    assert reached(torch.tensor([0.1, 0.2, 0.3, 0.4]), 0.2) == 75.0


def test_misled_counts_strangers_that_win_with_a_lead() -> None:
    alike = torch.tensor(
        [
            [0.50, 0.10, 0.45],  # the person by 0.4, and by 0.05, which is no lead
            [0.60, 0.30, 0.25],  # a stranger by 0.3; the person by 0.05 over the other
            [0.15, -0.5, 0.00],  # nobody reaches 0.2
        ]
    )
    assert misled(alike) == 50.0
    assert misled(torch.eye(2) * 0.1) == 0.0


def test_intervals_without_tastes_hold_as_often_as_they_should(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_intervals, "TASTE", 1e-9)
    assert study_intervals.true_rate() == pytest.approx(1 / study_intervals.METHODS)
    name, *shares = study_intervals.row(12, 20, 60)
    wilson, people, both, reach = map(number, shares)
    assert name == "12, 20"
    assert wilson > 0.88
    assert people > 0.8
    assert both > 0.95
    assert 0.0 < reach < 0.2


def test_tastes_make_wilson_too_narrow() -> None:
    wilson, _, both, _ = map(number, study_intervals.row(20, 30, 40)[1:])
    assert wilson < 0.85 < both


def test_interval_by_participants_of_equal_ones_is_a_point() -> None:
    assert study_intervals.by_participants(np.tile([1, 0, 0, 1], (6, 1)), 0) == pytest.approx((0.5, 0.5))


def test_card_of_a_network_with_references(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = HIME(scale=4, channels=8, hr_blocks=1, lr_blocks=1, reconstruction_blocks=1, offset_channels=8).eval()
    monkeypatch.setattr(shipped_weights, "load_network", lambda name: network)
    images = torch.randint(0, 256, (2, 4, 3, 32, 32), dtype=torch.uint8)
    people = Portraits(images, torch.ones(2, 3, dtype=torch.bool))
    absolute = Distance("absolute", lambda truths: lambda results: (results - truths).abs().flatten(1).mean(dim=1))
    table = shipped_weights.table("small-x4", dict.fromkeys(("same", "stranger", "blank"), people), absolute)
    assert table.name == "hime_small_x4"
    assert table.columns == ("references", "PSNR, dB", "over bicubic", "over none", "SSIM", "absolute")
    names = [row[0] for row in table.rows]
    assert names == ["bicubic", "0 references", "1 reference", "3 references", "3 of a stranger", "3 blank"]
    least, alone = number(table.rows[0][1]), number(table.rows[1][1])
    for name, psnr, over, gain, *_ in table.rows:
        assert over == number(psnr) - least, name
        assert gain == ("" if name == "bicubic" else number(psnr) - alone), name
    assert table.rows[3][1:] == table.rows[4][1:] == table.rows[5][1:]  # the same photographs under three names
    assert table.rows[2][1] != table.rows[3][1]


def test_autoencoder_of_the_small_model_keeps_most() -> None:
    ramp = torch.linspace(0, 1, 512).expand(3, 512, 512).contiguous()
    table = kept([ramp])
    assert [row[0] for row in table.rows] == [128, 256, 512]
    assert all(20 < number(row[1]) < 60 for row in table.rows)


def test_psnr_is_the_mean_over_images() -> None:
    black = torch.zeros(1, 3, 8, 8)
    expected = (20 + 40) / 2  # errors of 0.1 and 0.01; 1e-8 is added to their squares
    assert mean_psnr([black + 0.1, black + 0.01], [black, black]) == pytest.approx(expected, abs=1e-3)


def test_conventions_say_how_far_apart_they_are() -> None:
    columns = Column("psnr", "", higher_is_better=True), Column("ssim", "", higher_is_better=True)
    y, rgb = (
        ScoreTable(name, 0, columns, {"a": (30.0 - low, 0.5), "b": (20.0 - 2 * low, 0.7)})
        for name, low in (("osediff", 0.0), ("rgb", 1.0))
    )
    table = scoring_conventions.conventions(y, rgb)
    assert table.rows == (("osediff", 25.0, 0.6, "", ""), ("rgb", 23.5, 0.6, 1.0, 2.0))
    example = scoring_conventions.example(y)
    assert example.rows[0] == ("psnr ↑", 25.0, 2, "", "b")


def test_untouched_portraits_without_structure_have_no_seam() -> None:
    photo = torch.full((1, 3, 96, 96), 0.5)
    mask = torch.zeros(1, 1, 96, 96)
    mask[..., 32:64, 32:64] = 1
    plain = Portrait("plain", photo, photo, dict.fromkeys(boundary_artifact.ALONE, mask))
    pasted = Portrait("pasted", photo + 0.2 * mask, photo, plain.masks)
    table = boundary_artifact.untouched([plain, pasted])
    assert [row[:2] for row in table.rows] == [(mask, 1) for mask in boundary_artifact.ALONE]
    assert all(number(row[2]) > 1 for row in table.rows)


def test_training_memory_is_the_sum_of_its_parts() -> None:
    table = profiles.training_memory([report_profile("tiny", 64, "train")])
    ((name, *sizes),) = table.rows
    weights, activations, again, whole, exported = map(number, sizes)
    assert name == "tiny, 64 px"
    assert whole == pytest.approx(weights + activations + again)
    assert 0 < exported < 10


def test_inputs_for_other_software_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table2, "held_out_portraits", lambda: None)
    monkeypatch.setattr(table2, "held_out_lfw", lambda: None)
    lines = Path(__file__).parents[2].joinpath("docs/read-benchmark.md").read_text().splitlines()
    (row,) = (line for line in lines if line.startswith("| rows of other software |"))
    keys = [each.key for each in table2.sets("full")]
    assert [key for key in re.findall(r"`([^`]+)`", row.partition("with KEY ")[2].partition("(")[0])] == keys
    assert "(the quick suite has only `realesrgan`)" in row
    assert [each.key for each in table2.sets("quick")] == ["realesrgan"]


def test_documents_name_what_the_command_measures() -> None:
    assert log(255 / 219, 10) * 20 == pytest.approx(1.3, abs=0.05)  # said in docs/scoring.md
    assert "1.3 dB" in Path(__file__).parents[2].joinpath("docs/scoring.md").read_text()
