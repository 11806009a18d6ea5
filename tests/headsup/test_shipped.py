"""The small model that comes with the package."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from faceops.images.coded_colours import PRIMARIES, SRGB_CURVE, icc_profile
from faceops.images.files import Picture, load_picture, save_picture
from headsup.cli import main
from headsup.model.autoencoder import decode, encode
from headsup.model.backbone import load_backbone
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.weights.files import read_weights
from headsup.weights.shipped import find_weights, shipped_weights
from portraitdata.degradation.cpu_executor import degrade
from portraitdata.degradation.drawing import draw_record
from portraitdata.degradation.presets import PresetName, preset_of
from portraitdata.images.resampling import bicubic
from portraitdata.scoring.psnr import psnr

HELD_OUT = "london_ccby4/008_neutral.jpg", "london_ccby4/096_smiling.jpg"
"""Photographs of people whom the small model has not seen; its card lists all."""


def test_names_and_files_are_told_apart(tmp_path: Path) -> None:
    assert shipped_weights() == ["guided", "tiny"]
    assert find_weights("tiny").name == "tiny.safetensors"
    with pytest.raises(ValueError, match=r"No weights are called \"big\"; the shipped ones are: guided, tiny\."):
        find_weights("big")
    with pytest.raises(FileNotFoundError, match="There is no weights file"):
        find_weights(tmp_path / "absent.safetensors")
    with pytest.raises(ValueError, match="export it first"):
        find_weights("last.ckpt")
    with pytest.raises(ValueError, match="is a folder"):
        find_weights(tmp_path)


@pytest.mark.parametrize(("name", "base", "free"), [("guided", "random:tiny", True), ("tiny", "tiny", False)])
def test_the_weights_say_where_they_come_from(
    name: str, base: str, free: bool, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    weights = read_weights(name)
    assert weights.settings.base == base
    assert ("Labeled Faces in the Wild" in weights.card.training_data) != free
    assert ("research" in weights.card.licence) != free
    monkeypatch.setattr(sys, "argv", ["headsup", "weights"])
    with pytest.raises(SystemExit) as leave:
        main()
    assert not leave.value.code
    printed = capsys.readouterr().out
    assert f"{name} (" in printed
    assert weights.card.training_data in printed


@pytest.mark.parametrize("name", ["guided", "tiny"])
def test_it_loads_without_a_network_and_gives_the_same_picture_every_time(name: str) -> None:
    restorer = PhotoRestorer.load(name)
    picture = load_picture(Path(__file__).parents[2] / "docs" / "images" / "demo.png")
    small = Picture(picture.pixels[:, :48, :40])
    first, second = (restorer(small, RestoreOptions(scale=2.0)).picture.pixels for _ in range(2))
    assert first.shape == (3, 96, 80)
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_colours_outside_srgb_are_given_back(tmp_path: Path) -> None:
    """Of Display P3: they are off by 30 to 120 of 255 where they are clipped."""
    colours = np.array([[(255, 0, 0), (0, 255, 0), (255, 255, 0)], [(90, 90, 90), (200, 180, 170), (60, 70, 90)]])
    low = Image.fromarray(colours.astype(np.uint8)).resize((72, 48), Image.Resampling.NEAREST)
    low.save(tmp_path / "low.png", icc_profile=icc_profile(PRIMARIES[12], SRGB_CURVE, False))
    result = PhotoRestorer.load("guided")(load_picture(tmp_path / "low.png"), RestoreOptions(scale=2.0)).picture
    save_picture(result, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as out:
        middles = np.asarray(out).reshape(2, 48, 3, 48, 3)[:, 12:36, :, 12:36].mean(axis=(1, 3))
    np.testing.assert_allclose(middles, colours, atol=8)


@pytest.mark.slow
def test_the_python_of_the_page_on_restoring_runs_as_written(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "restore-photos.md").read_text(encoding="utf-8")
    *_, code = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    save_picture(Picture(torch.rand(3, 40, 48)), tmp_path / "grandmother.jpg")
    # in a process of its own, since types are not checked at run time where a user runs it
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert load_picture(tmp_path / "restored.png").pixels.shape == (3, 80, 96)


@pytest.fixture(scope="module")
def portraits(assets: Path) -> list[torch.Tensor]:
    """Middles of the held-out portraits at 256 pixels."""
    pictures = [load_picture(assets / "images" / "portraits" / file).pixels for file in HELD_OUT]
    return [bicubic(p[None, :, 200:1150, 200:1150], 256, 256).clamp(0, 1) for p in pictures]


@pytest.mark.assets
def test_its_autoencoder_keeps_portraits(portraits: list[torch.Tensor]) -> None:
    vae = load_backbone("tiny").vae
    with torch.no_grad():
        quality = [psnr(decode(vae, encode(vae, image)).clamp(0, 1), image).item() for image in portraits]
    assert min(quality) >= 30


@pytest.mark.assets
@pytest.mark.parametrize(("damage", "least"), [("clean", 0.2), ("jpeg", 0.4), ("mild", 0.8), ("realesrgan", 0.8)])
def test_it_is_closer_than_a_bicubic_whatever_the_damage(
    portraits: list[torch.Tensor], damage: PresetName, least: float
) -> None:
    """The restored and the faithful picture both; a picture without damage comes to no harm."""
    restorer = PhotoRestorer.load()
    restored, faithful = [], []
    for number, image in enumerate(portraits):
        record = draw_record(preset_of(damage), 256, 256, 4, (number,))
        lq = degrade(image[0].permute(1, 2, 0).numpy(), record)
        result = restorer(Picture(torch.from_numpy(lq).permute(2, 0, 1) / 255), RestoreOptions(scale=4.0))
        assert result.faithful is not None
        least_so_far = psnr(result.enlarged[None], image)
        restored.append((psnr(result.picture.pixels[None], image) - least_so_far).item())
        faithful.append((psnr(result.faithful[None], image) - least_so_far).item())
    assert sum(restored) / len(restored) > least
    assert sum(faithful) / len(faithful) > least / 2
