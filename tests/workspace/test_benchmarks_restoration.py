"""Parts of the benchmarks of HeadsUp's tables, on synthetic pictures."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from benchmarks.headsup import samples
from benchmarks.headsup.methods import by_four, enlarged, from_folder, reference_pasted
from benchmarks.headsup.named_paths import named_paths
from benchmarks.headsup.portrait_sets import check_unseen, for_testing, held_out
from benchmarks.headsup.published_figures import entries, published_rows, published_table
from benchmarks.headsup.published_sets import published_set
from benchmarks.headsup.samples import DegradedSet, PublishedSamples, Sample, degraded
from benchmarks.headsup.scores import Judges, Scores, score_folder, score_methods
from benchmarks.headsup.sheet import SIDE, sheet
from benchmarks.headsup.table4 import signs
from benchmarks.peers.srvgg import SRVGG
from benchmarks.reporting.table import LeftOutError
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import FFHQ_512
from faceops.images.files import Picture, load_picture, save_picture
from faceops.images.sheet import GAP
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.index.synthetic_index import write_synthetic_portrait_index
from portraitdata.restoration.paired_images import PairedImages
from portraitdata.scoring.metric import Column, ImagePair, NoFaceInImageError, TensorMetric


def picture(seed: int, side: int) -> Tensor:
    """Noise in eight bits."""
    return torch.randint(0, 256, (3, side, side), generator=torch.Generator().manual_seed(seed)).float() / 255


def sample(name: str, seed: int = 0, side: int = 64, reference: Tensor | None = None) -> Sample:
    """A picture whose whole is an aligned face."""
    points = FFHQ_512.scaled(side).tensor().float().unsqueeze(0)
    face = Faces(torch.tensor([0]), torch.tensor([[0.0, 0.0, side, side]]), points, torch.ones(1))
    return Sample(name, picture(seed, side // 4), picture(seed + 100, side), face, reference)


def error(name: str = "psnr") -> TensorMetric:
    """Mean absolute difference, under the name of a known column."""
    return TensorMetric(Column(name, "", higher_is_better=False), lambda x, y: (x - y).abs().flatten(1).mean(dim=1))


class Blind:
    """A metric that finds a face in one picture only."""

    columns = (Column("id", "", higher_is_better=True),)

    def __call__(self, pair: ImagePair) -> tuple[float]:
        if pair.name != "seen":
            raise NoFaceInImageError(pair.name, "target")
        return (0.5,)


def test_held_out_lists_name_pairs_of_people_once() -> None:
    portraits = held_out("portraits")
    assert len(portraits) == len(set(portraits)) == 16
    london = [name for name in portraits if name.startswith("london")]
    assert {name.replace("neutral", "smiling") for name in london if "neutral" in name} == {
        name for name in london if "smiling" in name
    }
    assert len(set(held_out("lfw"))) == 373


def test_what_was_trained_on_is_not_tested(tmp_path: Path) -> None:
    check_unseen(["a", "b"], ["a", "b"], tmp_path)
    with pytest.raises(LeftOutError, match="not the 2 held out"):
        check_unseen(["a"], ["a", "b"], tmp_path)
    splits = pa.table({"path": ["a", "b", "c"], "split": ["test", "train", "train"]})
    pq.write_table(splits, tmp_path / "images.parquet")
    with pytest.raises(LeftOutError, match="trained on"):
        check_unseen(["a", "b"], ["a", "b"], tmp_path)
    check_unseen(["a"], ["a"], tmp_path)


def test_srvgg_adds_to_repeated_pixels() -> None:
    network = SRVGG(width=4, depth=1)
    last = network.body[-1]
    assert isinstance(last, torch.nn.Conv2d)
    torch.nn.init.zeros_(last.weight)
    last.bias = torch.nn.Parameter(torch.arange(48) / 48)
    images = torch.rand(1, 3, 5, 6)
    result = network(images)
    # pixel shuffle: channel 16 c + 4 y + x goes to colour c at row y, column x of the square
    expected = images[0, 1, 2, 3] + (16 + 4 * 3 + 2) / 48
    torch.testing.assert_close(result[0, 1, 4 * 2 + 3, 4 * 3 + 2], expected)
    assert result.shape == (1, 3, 20, 24)


def test_srvgg_reduces_inputs_of_the_truths_size() -> None:
    given = sample("a")
    whole = Sample("b", given.truth, given.truth, given.face)
    network = SRVGG(width=4, depth=1)
    assert by_four(network)(given).shape == by_four(network)(whole).shape == given.truth.shape


def test_pasted_reference_is_the_reference_in_the_middle_and_the_bicubic_at_the_border() -> None:
    reference = torch.full((3, 64, 64), 0.25)
    given = sample("a", reference=reference)
    result = reference_pasted(given)
    torch.testing.assert_close(result[:, 24:40, 24:40], reference[:, 24:40, 24:40])
    torch.testing.assert_close(result[:, 0], enlarged(given)[:, 0])
    assert torch.equal(reference_pasted(sample("a")), enlarged(given))


def test_scores_are_means_of_eight_bit_pictures_and_faces_that_are_missing_are_named() -> None:
    samples = [sample("seen", 1), sample("unseen", 2)]
    judges = Judges((error(), Blind()), {"NIQE": "x", "MUSIQ": "x"})
    scores = score_methods({"truth": lambda s: s.truth + 0.001, "black": lambda s: s.truth * 0}, samples, judges)
    black = sum(s.truth.mean().item() for s in samples) / 2
    assert scores.rows()[0] == ("truth", 0.0, 0.5)
    assert scores.rows()[1][1] == pytest.approx(black)
    assert scores.remark() == "Without NIQE, MUSIQ: needs x. No face is found in unseen."
    assert judges.columns == ("PSNR", "ID-Score")


def test_a_column_without_numbers_is_empty() -> None:
    scores = score_methods({"bicubic": enlarged}, [sample("unseen")], Judges((Blind(),), {}))
    assert scores.rows() == (("bicubic", ""),)


def test_results_of_other_software_are_matched_by_name(tmp_path: Path) -> None:
    samples = [sample("a", 1), sample("b", 2)]
    for each in samples:
        save_picture(Picture(each.truth), tmp_path / f"{each.name}.png")
    assert score_folder("theirs", tmp_path, samples, Judges((error(),), {})) == ("theirs", 0.0)
    with pytest.raises(FileNotFoundError, match="no result for 1 of 3, as c"):
        from_folder(tmp_path, [*samples, sample("c")])
    save_picture(Picture(picture(0, 32)), tmp_path / "a.png")
    with pytest.raises(ValueError, match="32 x 32 pixels, not 64 x 64"):
        from_folder(tmp_path, samples)


def test_folders_of_results_are_named_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTRAIT_RESULTS", f"A=x/a{os.pathsep}B=y")
    assert named_paths("PORTRAIT_RESULTS", "FOLDER") == {"A": Path("x/a"), "B": Path("y")}
    monkeypatch.delenv("PORTRAIT_RESULTS")
    assert named_paths("PORTRAIT_RESULTS", "FOLDER") == {}
    with pytest.raises(ValueError, match="NAME=FOLDER"):
        named_paths("PORTRAIT_RESULTS", "FOLDER", "x/a")


def test_published_sets_are_read_in_their_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTRAIT_TEST_SETS", str(tmp_path))
    assert published_set("DIV2K", aligned=False, limit=None) is None
    for part, side in (("gt", 32), ("lq", 8)):
        (tmp_path / "DIV2K" / part).mkdir(parents=True)
        for number in range(5):
            save_picture(Picture(picture(number, side)), tmp_path / "DIV2K" / part / f"{number}.png")
    found = published_set("DIV2K", aligned=False, limit=2)
    assert found is not None
    assert [each.name for each in found] == ["0", "2"]
    torch.testing.assert_close(found[1].truth, picture(2, 32))
    assert found[0].mask is None
    aligned = PublishedSamples(PairedImages(tmp_path / "DIV2K"), True, None)[:1]
    assert aligned[0].mask is not None


def test_degradation_follows_from_its_seed() -> None:
    truth = picture(0, 64)
    first = degraded(truth, "stablesr", 4, 3)
    assert first.shape == (3, 16, 16)
    assert torch.equal(first, degraded(truth, "stablesr", 4, 3))
    assert not torch.equal(first, degraded(truth, "stablesr", 4, 4))
    assert degraded(truth, "daefr", 1, 0).shape == truth.shape


def test_inputs_for_other_software_follow_their_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "FOLDER", tmp_path / "out")
    index = PortraitIndex.read(write_synthetic_portrait_index(tmp_path / "photos", people=2, portraits=2, size=64))
    for preset in ("realesrgan", "mild"):
        tested = DegradedSet("drawn", for_testing(index), 64, preset, None, "")
        tested.write()
        for each in tested.samples():
            written = load_picture(tmp_path / "out/lq_drawn" / f"{each.name}.png").pixels
            torch.testing.assert_close(written, each.low, atol=1e-6, rtol=0)


def test_sheet_shows_input_results_truth_and_reference() -> None:
    given = sample("a", reference=picture(3, 512))
    drawn = sheet([given, sample("not shown")], {"a": {"bicubic": enlarged(given)}})
    # a gap, then panels of one width with their pictures in the middle
    assert drawn.shape[2] == 4 * SIDE + 5 * GAP
    left = GAP + (SIDE - 64) // 2
    assert drawn.shape[1] < 2 * 64 + 100
    torch.testing.assert_close(
        drawn[:, GAP : GAP + 4, left : left + 4], given.low[:, :1, :1].expand(-1, 4, 4), atol=0.003, rtol=0
    )


def test_signs_are_compared_with_the_papers() -> None:
    judges = Judges((error("psnr"), error("id")), {})
    numbers: dict[str, list[list[float | None]]] = {
        "1 without face losses": [[20.0, 0.2]],
        "2 fidelity": [[21.0, 0.1]],
        "3 identity": [[20.0, 0.3]],
    }
    assert signs(Scores(judges, numbers)) == (
        "Row 1 to 2, with the paper's sign: PSNR +1 (paper +0.58); without: ID-Score -0.1 (paper +0.041). "
        "Row 1 to 3, with the paper's sign: ID-Score +0.1 (paper +0.17); without: PSNR +0 (paper +0.78)."
    )


def test_published_tables_are_whole() -> None:
    sizes = {(entry["table"], entry["data"]): len(entry["rows"]) for entry in entries()}
    assert sizes == {
        (1, "CelebA-Test"): 9,
        (2, "PortraitSR-4K-Te"): 5,
        **{(3, data): 9 for data in ("DIV2K", "RealSR", "DRealSR")},
        (4, "PortraitSR-4K-Te"): 5,
    }
    for table in sizes:
        published = published_table(*table)
        assert {len(row) for row in published.rows} == {len(published.columns)}
        assert all(
            isinstance(row[0], str) and all(isinstance(cell, float) for cell in row[1:]) for row in published.rows
        )
        assert published.source.startswith(f"HeadsUp, Table {table[0]}: ")
    assert published_table(3, "DRealSR").rows[-1][:2] == ("HeadsUp-S1", 27.70)
    with pytest.raises(ValueError, match="no table 3 of Set5; its tables are 1 of CelebA-Test, 2 of PortraitSR-4K-Te"):
        published_table(3, "Set5")


def test_tables_of_several_test_sets_are_shown_as_one() -> None:
    both = published_rows((3, "RealSR"), (3, "DRealSR"))
    assert both.columns[:3] == ("table", "method", "PSNR")
    assert [row[:3] for row in both.rows[8:10]] == [
        ("3, RealSR", "HeadsUp-S1", 25.22),
        ("3, DRealSR", "ResShift-S15", 28.45),
    ]
