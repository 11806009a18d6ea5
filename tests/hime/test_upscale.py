"""Upscaling of pictures and picture files, any size, any number of exemplars."""

import io
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from torch import nn

from faceops.device import select_device
from faceops.images.coded_colours import PRIMARIES, SRGB_CURVE, icc_profile
from faceops.images.description import Description
from faceops.images.errors import MissingImageError
from faceops.images.files import Picture, load_picture, save_picture
from hime.command_options import UpscaleOptions
from hime.network import HIME
from hime.upscaling.exemplars import Exemplar, cover, stack_exemplars
from hime.upscaling.files import upscale_files
from hime.upscaling.jobs import plan_upscaling
from hime.upscaling.picture_upscaling import check_size, upscale
from hime.upscaling.tiling import Tiling
from hime.weights.files import save_weights
from hime.weights.model_card import ModelCard
from portraitdata.images.resampling import bicubic

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network() -> HIME:
    torch.manual_seed(0)
    network = HIME(
        4,
        channels=8,
        hr_blocks=1,
        lr_blocks=1,
        reconstruction_blocks=1,
        offset_channels=8,
        offset_layers=1,
        offset_groups=4,
    )
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network


@pytest.fixture(scope="module")
def weights(network: HIME, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("weights") / "net.safetensors"
    save_weights(network, path, ModelCard(lr_size=16))
    return str(path)


def picture(height: int, width: int, seed: int = 0) -> Picture:
    smooth = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return Picture(bicubic(smooth, height, width).clamp(0, 1))


@pytest.mark.parametrize(("height", "width"), [(4, 4), (5, 23), (16, 16), (31, 7)])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_equals_the_network_itself(network: HIME, height: int, width: int, count: int) -> None:
    low = picture(height, width)
    exemplars = [picture(4 * height, 4 * width, seed) for seed in range(1, count + 1)]
    result = upscale(network, low, exemplars)
    references = torch.stack([e.pixels for e in exemplars])[None] if exemplars else None
    with torch.inference_mode():
        want = network.explain(low.pixels[None], references)
    torch.testing.assert_close(result.picture.pixels, want.image[0].clamp(0, 1))
    if count:
        torch.testing.assert_close(result.weight, want.weight[0])
        torch.testing.assert_close(result.similarity, want.similarity[0])
        assert result.weight.sum(dim=0).sub(1).abs().max() < 1e-5
    else:
        assert result.weight is None
        assert result.similarity is None


@pytest.mark.parametrize(("alignment", "aggregation"), [("none", "cofa"), ("conv", "average"), ("dcn", "max")])
def test_other_networks(alignment: str, aggregation: str) -> None:
    network = HIME(4, alignment, aggregation, reconstruction_blocks=1)  # type: ignore[arg-type]
    result = upscale(network, picture(8, 8), [picture(32, 32, 1)])
    assert result.similarity is None
    assert (result.weight is None) == (alignment == "none")


@pytest.mark.filterwarnings("ignore:Exemplar 1 has")
def test_tiles_are_close_to_the_whole(network: HIME) -> None:
    low, exemplars = picture(40, 56), [picture(100, 100, 1)]
    whole = upscale(network, low, exemplars)
    tiled = upscale(network, low, exemplars, Tiling(32, 10, 4))
    torch.testing.assert_close(tiled.picture.pixels, whole.picture.pixels, atol=1e-4, rtol=0)
    torch.testing.assert_close(tiled.weight, whole.weight, atol=1e-4, rtol=0)


def test_cover_keeps_the_middle() -> None:
    image = torch.zeros(3, 20, 60)
    image[:, :, 20:40] = 1
    assert (cover(image, 40, 40) > 0.999).all()
    assert (cover(image.mT, 40, 40) > 0.999).all()
    same = torch.rand(3, 12, 16)
    torch.testing.assert_close(cover(same, 12, 16), same)
    assert cover(torch.rand(3, 1, 500), 16, 16).shape == (3, 16, 16)
    assert stack_exemplars([], 8, 8).shape == (0, 3, 8, 8)
    assert stack_exemplars([Exemplar(torch.rand(3, 9, 5)), Exemplar(torch.rand(3, 50, 60))], 8, 12).shape == (
        2,
        3,
        8,
        12,
    )


def test_what_is_not_pixels_is_kept(network: HIME) -> None:
    alpha = torch.zeros(1, 6, 8)
    alpha[..., 4:] = 1
    low = replace(picture(6, 8), alpha=alpha, bits=16, icc_profile=b"profile", exif=b"exif")
    result = upscale(network, low).picture
    assert (result.bits, result.icc_profile, result.exif, result.grey) == (16, b"profile", b"exif", False)
    assert result.alpha is not None
    torch.testing.assert_close(result.alpha, bicubic(alpha, 24, 32).clamp(0, 1))


def test_grey_stays_grey(network: HIME) -> None:
    grey = replace(picture(8, 8), grey=True)
    pixels = upscale(network, grey, [picture(32, 32, 1)]).picture.pixels
    assert torch.equal(pixels[0], pixels[1])
    assert torch.equal(pixels[0], pixels[2])


def test_sizes_far_from_training_are_warned_of(network: HIME) -> None:
    with pytest.warns(UserWarning, match=r"has 40 x 40 pixels, but the weights were trained on 16 x 16: .*little help"):
        upscale(network, picture(40, 40), trained_lr_size=16)
    with pytest.warns(UserWarning, match="invented more than restored"):
        upscale(network, picture(7, 7), trained_lr_size=16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        upscale(network, picture(30, 32), trained_lr_size=16)


def test_exemplars_that_are_too_small_are_warned_of(network: HIME) -> None:
    with pytest.warns(UserWarning, match="Exemplar 2 has 20 x 30 pixels, the result 32 x 32: it holds little"):
        upscale(network, picture(8, 8), [picture(32, 40), picture(30, 20)])


def test_impossible_sizes(network: HIME) -> None:
    with pytest.raises(ValueError, match="at least 4 pixels high and wide, got 20 x 3"):
        upscale(network, picture(3, 20))
    with pytest.raises(ValueError, match="would be 256 megapixels"):
        check_size(4000, 4000, 4)


def test_device() -> None:
    assert select_device("cpu") == CPU
    assert select_device("auto").type in ("cpu", "cuda", "mps")
    for name in ("cuda", "mps"):
        there = torch.cuda.is_available() if name == "cuda" else torch.backends.mps.is_available()
        if not there:
            with pytest.raises(ValueError, match=f"torch sees no {name} device here"):
                select_device(name)  # type: ignore[arg-type]


# --- files ---


def files(
    weights: str,
    low: Path,
    output: Path,
    exemplars: tuple[Path, ...] = (),
    compare: Path | None = None,
    **options: object,
) -> int:
    settings: dict = {"align": "middle", "device": "cpu"}
    told = UpscaleOptions(low, output=output, exemplars=exemplars, compare=compare, **(settings | options))
    return upscale_files(plan_upscaling(told), told, weights)


def test_picture_to_picture(weights: str, network: HIME, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    low, one, more = tmp_path / "low.png", tmp_path / "a.jpg", tmp_path / "more"
    more.mkdir()
    save_picture(picture(12, 16), low)
    save_picture(picture(60, 50, 1), one)
    save_picture(picture(48, 64, 2), more / "b.png")
    output, sheet, maps = tmp_path / "new/out.png", tmp_path / "sheets/sheet.png", tmp_path / "maps"
    assert files(weights, low, output, (one, more), maps=maps, compare=sheet) == 0
    want = upscale(network, load_picture(low), [load_picture(one), load_picture(more / "b.png")])
    torch.testing.assert_close(load_picture(output).pixels, want.picture.pixels, atol=0.5 / 255 + 1e-5, rtol=0)
    assert sorted(path.name for path in maps.iterdir()) == [
        "similarity_1.png",
        "similarity_2.png",
        "weight_1.png",
        "weight_2.png",
    ]
    assert load_picture(maps / "weight_2.png").pixels.shape == (3, 48, 64)
    assert load_picture(sheet).pixels.shape[2] > 700
    assert capsys.readouterr().out.strip() == str(output)


def test_from_pipe_to_pipe(weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary) -> None:
    save_picture(picture(8, 8), tmp_path / "low.png")
    assert files(weights, tmp_path / "low.png", tmp_path / "out.png") == 0
    capsysbinary.readouterr()
    piped = io.BytesIO((tmp_path / "low.png").read_bytes())
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=piped, isatty=lambda: False))
    assert files(weights, Path("-"), Path("-")) == 0
    assert capsysbinary.readouterr().out == (tmp_path / "out.png").read_bytes()
    with pytest.raises(MissingImageError, match="There is no file -"):
        files(weights, tmp_path / "low.png", tmp_path / "a.png", (Path("-"),))


def test_nothing_is_overwritten_unasked(weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    low, output = tmp_path / "low.png", tmp_path / "out.png"
    save_picture(picture(8, 8), low)
    output.write_text("precious")
    assert files(weights, low, output) == 0
    assert f"{output} is there already; --overwrite makes it again." in capsys.readouterr().err
    assert files(weights, low, output, (low,), maps=tmp_path / "maps") == 0
    assert "maps is not there: maps are made with their results" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"low\.png is an input and would be replaced"):
        files(weights, low, tmp_path)
    with pytest.raises(ValueError, match=r"new\.png would be written twice"):
        files(weights, low, tmp_path / "new.png", compare=tmp_path / "new.png")
    (tmp_path / "maps").mkdir()
    save_picture(picture(32, 32), tmp_path / "maps/weight_1.png")
    with pytest.raises(ValueError, match=r"weight_1\.png is an input and would be replaced"):
        files(weights, low, tmp_path / "new.png", (tmp_path / "maps/weight_1.png",), maps=tmp_path / "maps")
    with pytest.raises(ValueError, match=r"weight_1\.png would be written twice"):
        files(weights, low, tmp_path / "maps/weight_1.png", (low,), maps=tmp_path / "maps")
    assert output.read_text() == "precious"
    assert files(weights, low, output, overwrite=True) == 0
    assert load_picture(output).pixels.shape == (3, 32, 32)


def test_a_folder_goes_on_with_what_is_missing(
    weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    low, output = tmp_path / "low", tmp_path / "out"
    low.mkdir()
    for name in ("a.png", "b.png"):
        save_picture(picture(8, 8), low / name)
    output.mkdir()
    (output / "a.png").write_text("precious")
    assert files(weights, low, output) == 0
    told = capsys.readouterr()
    assert told.out.split() == [str(output / "b.png")]
    assert "1 of 2 pictures are there already; --overwrite makes them again." in told.err
    assert (output / "a.png").read_text() == "precious"


def test_a_folder_goes_on_after_a_bad_file(weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    low, output = tmp_path / "low", tmp_path / "out"
    low.mkdir()
    save_picture(picture(8, 8), low / "a.png")
    (low / "b.jpg").write_text("no picture")
    save_picture(picture(3, 30), low / "c.png")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(low / "d.gif")
    assert files(weights, low, output, compare=tmp_path / "sheets", maps=tmp_path / "maps") == 1
    assert sorted(path.name for path in output.iterdir()) == ["a.png", "d.gif.png"]
    assert sorted(path.name for path in (tmp_path / "sheets").iterdir()) == ["a.png.png", "d.gif.png"]
    errors = capsys.readouterr().err
    assert "b.jpg" in errors
    assert "got 30 x 3" in errors
    assert "2 of 4 pictures could not be upscaled" in errors
    assert "No exemplars are given" in errors


@pytest.mark.filterwarnings("ignore:Exemplar")
def test_maps_have_a_folder_of_their_own_and_the_result_comes_last(
    weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    low, output = tmp_path / "low", tmp_path / "out"
    low.mkdir()
    for name in ("a.png", "b.png"):
        save_picture(picture(8, 8), low / name)
    save_picture(picture(32, 32), tmp_path / "e.png")
    with pytest.raises(ValueError, match=r"out/[ab]\.png would be a file and a folder of others"):
        files(weights, low, output, (tmp_path / "e.png",), maps=output)
    written: list[str] = []

    def note(saved: Picture, path: Path) -> None:
        written.append(path.relative_to(tmp_path).as_posix())

    monkeypatch.setattr("hime.upscaling.files.save_picture", note)
    monkeypatch.setattr("hime.upscaling.files.save_picture", note)
    sheet, maps = tmp_path / "s.png", tmp_path / "maps"
    assert files(weights, low / "a.png", output, (tmp_path / "e.png",), sheet, maps=maps) == 0
    assert written == ["maps/weight_1.png", "maps/similarity_1.png", "s.png", "out/a.png"]


def test_a_rerun_reads_neither_sheets_nor_maps(tmp_path: Path) -> None:
    album, exemplar = tmp_path / "album", tmp_path / "e.png"
    album.mkdir()
    for path in (album / "a.png", album / "b.png", exemplar):
        save_picture(picture(12, 16), path)
    told = UpscaleOptions(
        album,
        output=album / "out",
        exemplars=[exemplar],
        compare=album / "sheets",
        maps=album / "maps",
        recursive=True,
    )
    for _ in range(2):
        assert [job.name for job in plan_upscaling(told)] == ["a.png", "b.png"]
        for made in ("out/a.png", "sheets/a.png.png", "maps/a.png/weight_1.png"):
            (album / made).parent.mkdir(parents=True, exist_ok=True)
            save_picture(picture(12, 16), album / made)


@pytest.mark.filterwarnings("ignore:Exemplar")
def test_maps_are_seen_however_small_the_similarities(network: HIME, tmp_path: Path) -> None:
    shy = HIME(*network.arguments)
    shy.load_state_dict(network.state_dict())
    for conv, value in ((shy.aggregation.g1, 40.0), (shy.aggregation.g2, -40.0)):
        nn.init.constant_(conv.bias, value)
    path = tmp_path / "shy.safetensors"
    save_weights(shy, path, ModelCard())
    for number in range(3):
        save_picture(picture(32, 32, number), tmp_path / f"{number}.png")
    low, *exemplars = (tmp_path / f"{number}.png" for number in range(3))
    result = upscale(shy, load_picture(low), [load_picture(exemplar) for exemplar in exemplars])
    assert not result.similarity.any()  # every sigmoid underflows
    assert files(str(path), low, tmp_path / "out.png", tuple(exemplars), maps=tmp_path / "maps") == 0
    for kind in ("similarity", "weight"):
        drawn = torch.stack([load_picture(tmp_path / f"maps/{kind}_{number}.png").pixels for number in (1, 2)])
        assert (drawn.amax(dim=0).mean(dim=0) > 0.4).all(), kind  # some exemplar is the best everywhere


@pytest.mark.filterwarnings("ignore:Exemplar")
def test_weights_that_know_no_exemplars_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_weights(HIME(4, "none", reconstruction_blocks=1), tmp_path / "none.safetensors", ModelCard())
    for name in ("low.png", "ann.png"):
        save_picture(picture(32, 32), tmp_path / name)
    given = (tmp_path / "ann.png",)
    assert files(str(tmp_path / "none.safetensors"), tmp_path / "low.png", tmp_path / "o.png", given) == 0
    assert "know no exemplars: those that are given have no effect" in capsys.readouterr().err


def test_maps_need_exemplars(weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_picture(picture(8, 8), tmp_path / "low.png")
    assert files(weights, tmp_path / "low.png", tmp_path / "out.png", maps=tmp_path / "maps") == 0
    assert "Maps show exemplars, so there are none to write" in capsys.readouterr().err
    assert not (tmp_path / "maps").exists()


def test_messages_before_any_work(weights: str, tmp_path: Path) -> None:
    low = tmp_path / "low.png"
    save_picture(picture(8, 8), low)
    for folder in ("empty", "album"):
        (tmp_path / folder).mkdir()
    with pytest.raises(ValueError, match=r"out\.xyz must end in one of .*got '\.xyz'"):
        files(weights, low, tmp_path / "out.xyz")
    with pytest.raises(ValueError, match="There are no pictures in"):
        files(weights, tmp_path / "empty", tmp_path / "out")
    with pytest.raises(ValueError, match="There are no pictures in"):
        files(weights, low, tmp_path / "out.png", (tmp_path / "empty",))
    save_picture(picture(8, 8), tmp_path / "album/a.png")
    with pytest.raises(ValueError, match=r"low\.png is a file, but a folder is needed"):
        files(weights, tmp_path / "album", low)
    with pytest.raises(ValueError, match=r"low\.png is a file, but a folder is needed"):
        files(weights, low, tmp_path / "out.png", (low,), maps=low)
    with pytest.raises(ValueError, match=r"low\.png is a file, but a folder is needed"):
        files(weights, low, low / "out.png")
    with pytest.raises(ValueError, match=r"There is no file .*missing\.png"):
        files(weights, tmp_path / "missing.png", tmp_path / "out.png")


def test_deep_transparent_profiled_files(weights: str, tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    low = tmp_path / "low.png"
    save_picture(replace(picture(8, 10), alpha=torch.rand(1, 8, 10), bits=16, icc_profile=profile), low)
    files(weights, low, tmp_path / "out.png", (low,))
    out = load_picture(tmp_path / "out.png")
    assert out.pixels.shape == (3, 32, 40)
    assert out.bits == 16
    assert out.alpha is not None
    assert out.icc_profile == profile


def test_colours_outside_srgb_are_given_back(tmp_path: Path) -> None:
    """Of Display P3: they are off by 30 to 120 of 255 where they are clipped."""
    profile = icc_profile(PRIMARIES[12], SRGB_CURVE, False)
    colours = np.array([[(255, 0, 0), (0, 255, 0), (255, 255, 0)], [(90, 90, 90), (200, 180, 170), (60, 70, 90)]])
    low = Image.fromarray(colours.astype(np.uint8)).resize((48, 32), Image.Resampling.NEAREST)
    low.save(tmp_path / "low.png", icc_profile=profile)
    files("free-x2", tmp_path / "low.png", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as out:
        assert out.info["icc_profile"] == profile
        middles = np.asarray(out).reshape(2, 32, 3, 32, 3)[:, 8:24, :, 8:24].mean(axis=(1, 3))
    np.testing.assert_allclose(middles, colours, atol=8)


@pytest.mark.assets
def test_real_photographs(weights: str, assets: Path, tmp_path: Path) -> None:
    exemplars = sorted((assets / "images/portraits/lisa_cc0").glob("*.jpg"))
    pixels = cover(load_picture(exemplars[0]).pixels, 64, 64)
    save_picture(Picture(bicubic(pixels, 16, 16)), tmp_path / "low.png")
    assert files(weights, tmp_path / "low.png", tmp_path / "out.png", tuple(exemplars[1:3])) == 0
    assert load_picture(tmp_path / "out.png").pixels.shape == (3, 64, 64)


def test_hidden_colours_of_a_cut_out_do_not_leak(network: HIME) -> None:
    alpha = torch.zeros(1, 12, 16)
    alpha[:, 4:8, 4:12] = 1
    cut_outs = [
        replace(picture(12, 16), pixels=torch.where(alpha > 0, picture(12, 16).pixels, hidden), alpha=alpha)
        for hidden in (0.0, 1.0)
    ]
    black, white = (upscale(network, each).picture.pixels for each in cut_outs)
    assert black.equal(white)


def test_the_limit_of_a_format_is_met_before_the_work(weights: str, tmp_path: Path) -> None:
    save_picture(Picture(torch.zeros(3, 4, 4096)), tmp_path / "low.png")
    with pytest.raises(ValueError, match=r"a\.webp would have 16384 x 16 pixels, .* at most 16383; write \.png or"):
        files(weights, tmp_path / "low.png", tmp_path / "a.webp")


def test_metadata_are_kept_or_left_out(weights: str, tmp_path: Path) -> None:
    told = Description(b"<x:xmpmeta/>", None, (300.0, 300.0))
    save_picture(replace(picture(16, 16), description=told), tmp_path / "low.webp")
    for strip, wanted in ((False, told), (True, Description(density=told.density))):
        assert files(weights, tmp_path / "low.webp", tmp_path / f"{strip}.webp", strip_metadata=strip) == 0
        assert load_picture(tmp_path / f"{strip}.webp").description == wanted
