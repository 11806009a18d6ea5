import csv
import json
import shutil
from pathlib import Path

import pytest
import torch

from faceops.images.files import Picture, load_picture, save_picture
from portraitdata.commands.score import run_score
from portraitdata.commands.scoring_options import ScoreOptions
from portraitdata.images.resampling import bicubic, to_8_bit


@pytest.fixture
def folders(tmp_path):
    """Two pairs of 24 x 16 pixels."""
    generator = torch.Generator().manual_seed(0)
    made = tmp_path / "restored", tmp_path / "target"
    for folder in made:
        folder.mkdir()
        for name in ("a", "b"):
            save_picture(Picture(torch.rand(3, 16, 24, generator=generator)), folder / f"{name}.png")
    return made


def scored(restored: Path, target: Path, convention: str = "rgb", **options: object) -> int:
    return run_score(ScoreOptions(restored=restored, target=target, convention=convention, **options))


def test_prints_means_with_their_convention_and_writes_the_table(folders, tmp_path, capsys):
    output, sheet = tmp_path / "t.csv", tmp_path / "sheet.png"
    assert scored(*folders, convention="osediff", output=output, sheet=sheet) == 0
    told = capsys.readouterr()
    assert "2 images, convention osediff: Y of YCbCr, crop 0" in told.out
    assert "psnr ↑" in told.out
    assert told.err == ""
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["a", "b", "mean"]
    assert load_picture(sheet).pixels.shape[0] == 3


def test_json_is_alone_on_stdout(folders, tmp_path, capsys):
    assert scored(*folders, metrics="psnr", json=True, output=tmp_path / "t.json") == 0
    told = capsys.readouterr()
    record = json.loads(told.out)
    assert record == json.loads((tmp_path / "t.json").read_text())
    assert sorted(record["images"][0]) == ["name", "psnr"]
    assert told.err == f"{tmp_path / 't.json'}\n"


def test_a_bad_image_is_one_line_and_the_exit_status(folders, capsys):
    (folders[0] / "a.png").write_bytes(b"no image")
    assert scored(*folders) == 1
    told = capsys.readouterr()
    assert len(told.err.splitlines()) == 1
    assert str(folders[0] / "a.png") in told.err
    assert told.out.startswith("1 image, convention rgb: RGB, crop 0")


def test_a_missing_partner_is_the_exit_status(folders, capsys):
    (folders[0] / "b.png").unlink()
    assert scored(*folders) == 1
    assert capsys.readouterr().err == f"{folders[0]} has no restored image for 1 name: b.\n"


def test_what_is_skipped_is_said(folders, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert scored(*folders, metrics="psnr,lpips") == 0
    assert capsys.readouterr().err.startswith("skipped lpips: Its weights alexnet-owt-7be5be79.pth are not in")


def test_what_cannot_be_written_is_said_before_any_work(tmp_path):
    nowhere = Path("nowhere")
    with pytest.raises(ValueError, match=r"a \.csv or \.json file, got t\.txt"):
        scored(nowhere, nowhere, output=Path("t.txt"))
    with pytest.raises(FileNotFoundError, match=r"absent that t\.csv is to be written to does not exist"):
        scored(nowhere, nowhere, output=tmp_path / "absent" / "t.csv")
    with pytest.raises(ValueError, match=r"The sheet is written to one of \.png"):
        scored(nowhere, nowhere, sheet=tmp_path / "sheet.gif")
    with pytest.raises(ValueError, match=r"Name the metrics to compute, as psnr,ssim; got ' , '"):
        scored(nowhere, nowhere, metrics=" , ")


@pytest.mark.assets
def test_real_portraits(assets, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FACEOPS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for folder in ("cache", "restored", "target", "references"):
        (tmp_path / folder).mkdir()
    shutil.copy(assets / "weights/identity/mobilefacenet_foamliu.pt", tmp_path / "cache")
    portraits = sorted((assets / "images/portraits/london_ccby4").glob("*_neutral.jpg"))[:4]
    for path in portraits:
        target = to_8_bit(bicubic(load_picture(path).pixels, 512, 512))
        restored = bicubic(bicubic(target, 128, 128), 512, 512)
        save_picture(Picture(target), tmp_path / "target" / f"{path.stem}.png")
        save_picture(Picture(restored), tmp_path / "restored" / f"{path.stem}.png")
    smiling = portraits[0].with_name(portraits[0].name.replace("neutral", "smiling"))
    shutil.copy(smiling, tmp_path / "references" / portraits[0].name)
    options = {"metrics": "psnr,ssim,id,lmd,lpips", "references": tmp_path / "references", "json": True}
    assert scored(tmp_path / "restored", tmp_path / "target", "osediff", **options) == 0
    told = capsys.readouterr()
    record = json.loads(told.out)
    assert list(record["skipped"]) == ["lpips"]
    assert record["counts"] == {"psnr": 4, "ssim": 4, "id": 4, "id_reference": 1, "lmd": 4}
    means = record["means"]
    assert 34 < means["psnr"] < 38
    assert 0.93 < means["ssim"] < 0.97
    assert 0.95 < means["id"] < 1
    assert 0.7 < means["id_reference"] < means["id"]
    assert 0.0005 < means["lmd"] < 0.03
