import json

import pytest
import torch

from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import FFHQ_512
from faceops.images.files import Picture, load_picture, save_picture
from faceops.images.sheet import FONT_SIZE, GAP
from faceops.recognition.identity_networks.encoder import FaceEncoder, InputConvention
from portraitdata.scoring import selection
from portraitdata.scoring.folders import score_folders
from portraitdata.scoring.metric import Column, Metric, TensorMetric
from portraitdata.scoring.pairing import pair_folders
from portraitdata.scoring.psnr import psnr
from portraitdata.scoring.selection import ScoringSettings, select_metrics
from portraitdata.scoring.sheet import SIDE, score_sheet
from portraitdata.scoring.ssim import ssim

RGB = ScoringSettings("rgb")


class Colours(torch.nn.Module):
    """Stands in for a recognition network."""

    def forward(self, x):
        return x.mean(dim=(2, 3))


def face_of_bright_pictures(images):
    """Stands in for a detector: one face in pictures that are not dark."""
    if images.mean() < 0.1:
        return Faces.none()
    points = FFHQ_512.scaled(32).tensor().float().unsqueeze(0)
    return Faces(torch.tensor([0]), torch.tensor([[0.0, 0.0, 32.0, 32.0]]), points, torch.tensor([0.9]))


@pytest.fixture
def stand_ins(monkeypatch):
    monkeypatch.setattr(selection, "present_weights", lambda name, download: name)
    monkeypatch.setattr(selection, "build_detector", lambda name, weights, turned, device: face_of_bright_pictures)
    encoder = FaceEncoder(Colours(), InputConvention(), "colours")
    monkeypatch.setattr(selection, "build_identity", lambda path: encoder)


@pytest.fixture
def folders(tmp_path):
    """Three pairs, c the worst: restored as PNG, targets as TIFF; 32 x 40 pixels."""
    generator = torch.Generator().manual_seed(0)
    for folder in ("restored", "target"):
        (tmp_path / folder).mkdir()
    for name, noise in {"a": 0.02, "b": 0.05, "c": 0.1}.items():
        target = torch.rand(3, 40, 32, generator=generator) * 0.8 + 0.1
        save_picture(Picture(target), tmp_path / "target" / f"{name}.tif")
        restored = target + noise * torch.randn(target.shape, generator=generator)
        save_picture(Picture(restored), tmp_path / "restored" / f"{name}.png")
    return tmp_path / "restored", tmp_path / "target"


def test_scores_are_those_of_the_functions_on_what_the_files_hold(folders):
    table = score_folders(*folders, ["psnr", "ssim"], ScoringSettings("osediff", crop=2))
    for name, row in table.rows.items():
        images = [
            load_picture(folder / file).pixels[None]
            for folder, file in zip(folders, (f"{name}.png", f"{name}.tif"), strict=True)
        ]
        expected = [measure(*images, "osediff", 2).item() for measure in (psnr, ssim)]
        assert row == pytest.approx(expected)
    assert list(table.rows) == ["a", "b", "c"]
    assert table.means["psnr"] == pytest.approx(sum(row[0] for row in table.rows.values()) / 3)
    assert table.worst("psnr", 2) == ["c", "b"]
    assert table.problems == ()


def test_json_and_csv_have_numbers_means_and_conventions(folders, tmp_path):
    table = score_folders(*folders, ["psnr", "ssim"], RGB)
    table.write(tmp_path / "t.json")
    record = json.loads((tmp_path / "t.json").read_text())
    assert record["convention"] == "rgb"
    assert [sorted(image) for image in record["images"]] == [["name", "psnr", "ssim"]] * 3
    assert record["images"][0]["name"] == "a"
    assert sorted(record["means"]) == ["psnr", "ssim"]
    assert record["columns"] == {"psnr": "RGB, crop 0", "ssim": "RGB, crop 0"}
    assert set(record["versions"]) == {"faceops", "portraitdata", "torch"}
    table.write(tmp_path / "t.csv")
    header, first, *_, mean = (tmp_path / "t.csv").read_text().splitlines()
    assert header == 'name,"psnr (RGB, crop 0)","ssim (RGB, crop 0)"'
    assert first == f"a,{record['images'][0]['psnr']},{record['images'][0]['ssim']}"
    assert mean.startswith(f"mean,{record['means']['psnr']}")
    with pytest.raises(ValueError, match=r"a \.csv or \.json file, got .*t\.xlsx"):
        table.write(tmp_path / "t.xlsx")


def test_what_cannot_be_read_or_compared_is_said_and_the_others_go_on(folders):
    restored, target = folders
    (restored / "a.png").write_bytes(b"no image")
    save_picture(Picture(torch.rand(3, 20, 16)), restored / "b.png")
    table = score_folders(restored, target, ["psnr"], RGB)
    assert list(table.rows) == ["c"]
    first, second = table.problems
    assert str(restored / "a.png") in first
    assert second == (
        f"{restored / 'b.png'} has 16 x 20 pixels and {target / 'b.tif'} 32 x 40; images are compared at one size, and "
        "none is resized here."
    )
    (restored / "c.png").unlink()
    with pytest.raises(ValueError, match=r"None of the 2 pairs could be scored\. .*c\."):
        score_folders(restored, target, ["psnr"], RGB)


def test_a_metric_that_fails_on_an_image_leaves_its_place_empty(folders):
    def picky(restored, target):
        raise ValueError("too red")

    own = TensorMetric(Column("own", "redness", higher_is_better=False), picky)
    table = score_folders(*folders, ["psnr", own], RGB)
    assert [row[1] for row in table.rows.values()] == [None] * 3
    assert table.problems[0] == "a: too red"
    assert table.means["own"] is None
    assert json.loads(table.as_json())["images"][0]["own"] is None
    assert table.counts == {"psnr": 3, "own": 0}


def test_a_metric_of_ones_own_is_a_column(folders):
    own = TensorMetric(Column("mae", "RGB", higher_is_better=False), lambda x, y: (x - y).abs().flatten(1).mean(dim=1))
    assert isinstance(own, Metric)
    table = score_folders(*folders, [own], RGB)
    assert table.values("mae") == sorted(table.values("mae"))
    assert table.worst("mae", 1) == ["c"]


class CountOfFiles:
    """A metric of the whole set."""

    column = Column("files", "a count", higher_is_better=True)

    def __call__(self, restored, target):
        assert [path.stem for path in restored] == [path.stem for path in target]
        return float(len(restored))


def test_a_metric_of_the_set_is_among_the_means_alone(folders):
    restored, target = folders
    (restored / "a.png").write_bytes(b"no image")
    table = score_folders(restored, target, ["psnr", CountOfFiles()], RGB)
    assert table.means["files"] == 2
    assert [column.name for column in table.columns] == ["psnr"]
    assert table.as_csv().splitlines()[0] == 'name,"psnr (RGB, crop 0)",files (a count)'
    assert table.as_csv().splitlines()[1].endswith(",")
    assert table.as_csv().splitlines()[-1].endswith(",2.0")


@pytest.mark.usefixtures("stand_ins")
def test_images_without_a_face_are_named_and_in_no_mean(folders, tmp_path):
    restored, target = folders
    for folder, name in ((restored, "b.png"), (target, "b.tif")):
        save_picture(Picture(torch.full((3, 40, 32), 0.05)), folder / name)
    references = tmp_path / "references"
    references.mkdir()
    save_picture(Picture(load_picture(target / "c.tif").pixels), references / "c.png")
    table = score_folders(restored, target, ["psnr", "id", "ida", "lmd"], RGB, references=references)
    assert [column.name for column in table.columns] == ["psnr", "id", "id_reference", "ida", "lmd"]
    assert table.without_face == ("b (target)",)
    assert table.rows["b"][1:] == (None,) * 4
    assert table.rows["a"][2] is None, "a has no reference"
    assert table.rows["c"][2] == pytest.approx(table.rows["c"][1], abs=1e-5), "the reference of c is its target"
    assert table.counts == {"psnr": 3, "id": 2, "id_reference": 1, "ida": 2, "lmd": 2}
    assert table.problems == ()


def test_absent_weights_skip_a_metric_with_its_reason(monkeypatch, tmp_path, folders):
    monkeypatch.setenv("FACEOPS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    table = score_folders(*folders, ["psnr", "id", "ida_daefr", "lpips", "boundary"], RGB)
    assert list(table.skipped) == ["id", "ida_daefr", "lpips", "boundary"]
    assert 'The weights "mobilefacenet"' in table.skipped["id"]
    assert "nothing is fetched without --download" in table.skipped["ida_daefr"]
    assert "alexnet-owt-7be5be79.pth" in table.skipped["lpips"]
    assert "--masks" in table.skipped["boundary"]
    assert json.loads(table.as_json())["skipped"] == table.skipped
    with pytest.raises(ValueError, match=r"None of the metrics can be computed here\. id: The weights"):
        score_folders(*folders, ["id"], RGB)


def test_weights_given_by_path_must_be_there(folders):
    from faceops.weights.cache import MissingWeightsError

    with pytest.raises(MissingWeightsError, match=r"There is no weights file nowhere\.onnx"):
        score_folders(*folders, ["id"], ScoringSettings("rgb", detector_weights="nowhere.onnx"))


def test_names_are_checked():
    with pytest.raises(ValueError, match="There is no metric 'pnsr'; metrics are psnr, ssim, id,"):
        select_metrics(["pnsr"], RGB)
    with pytest.raises(ValueError, match="psnr is asked for twice"):
        select_metrics(["psnr", "psnr"], RGB)
    with pytest.raises(ValueError, match="0 pixels or more, got -1"):
        ScoringSettings("rgb", crop=-1)


def test_masks_are_read_as_grey_and_must_have_the_targets_size(folders, tmp_path):
    restored, target = folders
    masks = tmp_path / "masks"
    masks.mkdir()
    mask = torch.zeros(1, 40, 32)
    mask[:, 12:28, 8:24] = 1
    save_picture(Picture(mask.expand(3, -1, -1), grey=True), masks / "a.png")
    save_picture(Picture(torch.zeros(3, 8, 8)), masks / "b.png")
    table = score_folders(restored, target, ["boundary"], RGB, masks=masks)
    assert table.rows["a"][0] is not None
    assert table.rows["c"] == (None,), "c has no mask"
    assert "b.png has 8 x 8 pixels and" in table.problems[0]


def test_the_sheet_shows_the_worst_first(folders):
    restored, target = folders
    table = score_folders(restored, target, ["psnr"], RGB)
    sheet = score_sheet(table, pair_folders(restored, target).pairs, rows=2)
    two_lines = GAP // 2 + 2 * (FONT_SIZE * 5 // 4)
    assert sheet.shape == (3, GAP + 2 * (40 + two_lines + GAP), GAP + 3 * (SIDE + GAP))
    expected = load_picture(restored / "c.png").pixels, load_picture(target / "c.tif").pixels
    difference = ((expected[0] - expected[1]).abs() * 4).clamp(0, 1)
    for place, image in enumerate((*expected, difference)):
        left = GAP + place * (SIDE + GAP) + (SIDE - 32) // 2
        torch.testing.assert_close(sheet[:, GAP : GAP + 40, left : left + 32], image, atol=0.51 / 255, rtol=0)
