"""Picture files in, picture files out; networks for faces are stood in for by blocks of colour."""

import errno
import http.client
import importlib
import io
import json
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from PIL import ExifTags, Image, ImageCms
from torch import Tensor

from faceops.detection.selection import build_detector
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import ARCFACE_112, Template
from faceops.images import decoding
from faceops.images.coded_colours import PRIMARIES, SRGB_CURVE, icc_profile
from faceops.images.decoding import open_image, picture_count
from faceops.images.description import Description
from faceops.images.files import Picture, load_picture, save_picture
from headsup.command_options import RestoreFilesOptions
from headsup.model.settings import RestorerSettings
from headsup.model.text_encoder import EMBEDDINGS_FILE, has_text_encoder
from headsup.restoring import files, photo_restorer, picture_restoration
from headsup.restoring.files import RestorerSource, restore_files
from headsup.restoring.jobs import plan_request
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.restoring.references import face_recognition
from headsup.restoring.references.face_recognition import (
    FACE_BOX_LANDMARKS,
    FaceRecognition,
    detect_and_embed,
    enlarged_for_faces,
)
from headsup.tiling.memory import GB, denoise_bytes, weight_bytes
from headsup.weights.files import save_weights
from headsup.weights.model_card import ModelCard
from portraitdata.images.resampling import bicubic

HUES = {"ann": (1.0, 0.0, 0.0), "ben": (0.0, 1.0, 0.0), "cleo": (0.0, 0.0, 1.0)}
TWICE = RestoreOptions(scale=2.0, colour="none")
FROM_FILE = RestorerSource("w.safetensors", device="cpu")


class BlockDetector:
    """Finds blocks of the hues above on grey, one of a hue."""

    def __call__(self, images: Tensor) -> Faces:
        found = []
        for hue in HUES.values():
            colour = images.new_tensor(hue).reshape(1, 3, 1, 1)
            inside = ((images - 0.5) * (colour - 0.5)).sum(dim=1) > 0.4
            for index, mask in enumerate(inside):
                if mask.sum() < 16:
                    continue
                rows, columns = mask.any(dim=1).nonzero(), mask.any(dim=0).nonzero()
                box = torch.stack((columns.min(), rows.min(), columns.max(), rows.max())).float()
                points = box[:2] + torch.tensor(FACE_BOX_LANDMARKS) * (box[2:] - box[:2])
                found.append(Faces(torch.tensor([index]), box[None], points[None], torch.ones(1)))
        return Faces.concatenate(found)


class HueEncoder:
    """Embeds a face as the direction of its mean colour from grey."""

    input_template: Template = ARCFACE_112
    input_size: int = 112

    def __call__(self, aligned: Tensor) -> Tensor:
        return F.normalize(aligned[:, :, 40:72, 40:72].mean(dim=(2, 3)) - 0.5, dim=1)


def portrait(*people: str, side: int = 40) -> Tensor:
    """Faces side by side on grey, each in the middle of a square."""
    squares = []
    for name in people:
        square = torch.full((3, side, side), 0.5)
        square[:, side // 4 : -side // 4, side // 4 : -side // 4] = torch.tensor(HUES[name]).reshape(3, 1, 1)
        squares.append(square)
    return torch.cat(squares, dim=2) if squares else torch.full((3, side, side), 0.5)


def write(path: Path, *people: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    save_picture(Picture(portrait(*people)), path)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights whose first convolution looks at references and masks, as those that are not trained do not."""
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    settings = RestorerSettings(base="random:tiny", layout="placed")
    tensors = settings.build().generator_parameters()
    torch.manual_seed(0)
    first = tensors["unet.conv_in.own.base_layer.weight"]
    with torch.no_grad():
        first.add_(torch.randn_like(first) * 0.05)
    save_weights(tensors, settings, path, ModelCard())
    return path


@pytest.fixture(autouse=True)
def _one_restorer(weights: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """The restorer is loaded once, the networks for faces are stood in for; tests marked real load their own."""
    if "loads" in request.fixturenames:
        yield
        return
    monkeypatch.setattr(RestorerSource, "load", lambda self: cached(weights))
    recognition = FaceRecognition(BlockDetector(), HueEncoder(), 0.9)
    monkeypatch.setattr(files, "load_recognition", lambda fetch: recognition)
    yield


@pytest.fixture
def loads() -> None:
    """Asks for a restorer that is loaded as a user's is."""


RESTORERS: dict[Path, PhotoRestorer] = {}


def cached(weights: Path) -> PhotoRestorer:
    if weights not in RESTORERS:
        RESTORERS[weights] = PhotoRestorer.load(weights)
    return RESTORERS[weights]


def restore(
    *inputs: Path,
    output: Path,
    options: RestoreOptions = TWICE,
    weights: RestorerSource = FROM_FILE,
    compare: Path | None = None,
    report: Path | None = None,
    **others,
) -> int:
    told = RestoreFilesOptions(inputs, output=output, compare=compare, report=report, **vars(weights), **others)
    return restore_files(plan_request(list(inputs), output, compare, report), options, told)


def test_what_a_file_has_besides_its_pixels_is_kept(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"  # shown turned by a quarter
    pixels = (portrait("ann", "ben").permute(1, 2, 0) * 255).byte().numpy()
    low = tmp_path / "low"
    low.mkdir()
    Image.fromarray(pixels).save(low / "turned.jpg", exif=exif, icc_profile=profile, quality=95)
    Image.fromarray(pixels).convert("L").save(low / "grey.png")
    alpha = torch.ones(1, 40, 80)
    alpha[:, :, :40] = 0.25
    save_picture(Picture(portrait("ann", "ben"), alpha=alpha, bits=16), low / "deep.png")
    Image.fromarray(pixels).quantize(16).save(low / "indexed.gif")
    assert restore(low, output=tmp_path / "out") == 0

    with Image.open(tmp_path / "out/turned.jpg") as turned:
        assert (turned.size, turned.mode) == ((80, 160), "RGB")
        assert turned.getexif()[0x010F] == "maker"
        assert turned.getexif().get(0x0112, 1) == 1
        assert turned.info["icc_profile"] == profile
    with Image.open(tmp_path / "out/grey.png") as grey:
        assert (grey.size, grey.mode) == ((160, 80), "L")
    deep = load_picture(tmp_path / "out/deep.png")
    assert (deep.bits, deep.pixels.shape) == (16, (3, 80, 160))
    assert deep.alpha is not None
    assert deep.alpha[0, 40, 10].item() == pytest.approx(0.25, abs=1e-3)
    assert deep.alpha[0, 40, 150].item() == pytest.approx(1, abs=1e-3)
    # 16 bits are used, not padded
    assert (deep.pixels * 65535).round().remainder(257).count_nonzero() > 1000
    assert (tmp_path / "out/indexed.gif.png").is_file()


def test_grey_stays_grey_wherever_it_is_seen(tmp_path: Path) -> None:
    Image.effect_noise((24, 20), 60).save(tmp_path / "grey.png")
    picture = load_picture(tmp_path / "grey.png")
    for restorer in map(PhotoRestorer.load, ("guided", "tiny")):
        restored = restorer(picture, RestoreOptions(scale=2.0, colour="none"))
        for pixels in (restored.picture.pixels, *([] if restored.faithful is None else [restored.faithful])):
            assert pixels.equal(pixels[:1].expand(3, -1, -1))


def test_colours_outside_srgb_are_given_back(tmp_path: Path) -> None:
    """Those of a telephone, where the result keeps to the input."""
    profile = icc_profile(PRIMARIES[12], SRGB_CURVE, False)
    pixels = (portrait("ann", "ben").permute(1, 2, 0) * 255).byte().numpy()
    Image.fromarray(pixels).save(tmp_path / "low.png", icc_profile=profile)
    options = RestoreOptions(scale=2.0, fidelity=1.0)
    assert restore(tmp_path / "low.png", output=tmp_path / "out.png", options=options) == 0
    with Image.open(tmp_path / "out.png") as out:
        assert out.info["icc_profile"] == profile
        assert [out.getpixel(place) for place in ((40, 40), (120, 40), (4, 4))] == [
            (255, 0, 0),
            (0, 255, 0),
            (127, 127, 127),
        ]


def test_the_same_bytes_every_time_and_the_size_wanted(tmp_path: Path) -> None:
    source = write(tmp_path / "a.png", "ann")
    options = RestoreOptions(size=(90, 70))
    for name in ("one.png", "two.png"):
        assert restore(source, output=tmp_path / name, options=options) == 0
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert load_picture(tmp_path / "one.png").pixels.shape == (3, 70, 90)


def test_fidelity_leads_from_what_is_restored_to_the_input(weights: Path, tmp_path: Path) -> None:
    picture = load_picture(write(tmp_path / "a.png", "ann", "ben"))
    shares = 0.0, 0.25, 0.5, 1.0
    restored = [cached(weights)(picture, RestoreOptions(scale=2.0, fidelity=share)) for share in shares]
    distances = [(each.picture.pixels - each.enlarged).square().mean().sqrt().item() for each in restored]
    assert distances[0] > 0.01
    for share, distance in zip(shares, distances, strict=True):
        assert distance == pytest.approx((1 - share) * distances[0], rel=1e-3, abs=1e-6)


def test_hidden_colours_of_a_cut_out_do_not_leak(weights: Path) -> None:
    alpha = torch.zeros(1, 40, 40)
    alpha[:, 10:30, 10:30] = 1
    cut_outs = [Picture(torch.where(alpha > 0, portrait("ann"), hidden), alpha=alpha) for hidden in (0.0, 1.0)]
    black, white = (cached(weights)(each, TWICE) for each in cut_outs)
    assert black.picture.pixels.equal(white.picture.pixels)
    torch.testing.assert_close(black.enlarged, torch.tensor(HUES["ann"]).reshape(3, 1, 1).expand(3, 80, 80))


def test_the_limit_of_a_format_is_met_before_the_work(tmp_path: Path) -> None:
    save_picture(Picture(torch.zeros(3, 2, 100)), tmp_path / "a.png")
    options = RestoreOptions(size=(16_384, 64))
    with pytest.raises(ValueError, match=r"a\.webp would have 16384 x 64 pixels, .* at most 16383; write \.png or"):
        restore(tmp_path / "a.png", output=tmp_path / "a.webp", options=options)


def test_metadata_are_kept_or_left_out(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Zoe"
    told = Description(b"<x:xmpmeta/>", b"\x1c\x02\x78\0\1a", (300.0, 300.0))
    original = Picture(portrait("ann"), exif=exif.tobytes(), description=told)
    save_picture(original, tmp_path / "a.jpg")
    assert restore(tmp_path / "a.jpg", output=tmp_path / "kept.jpg") == 0
    kept = load_picture(tmp_path / "kept.jpg")
    assert kept.description == told
    assert kept.exif is not None
    assert b"Zoe" in kept.exif
    options = RestoreOptions(scale=2.0, colour="none", strip_metadata=True)
    assert restore(tmp_path / "a.jpg", output=tmp_path / "bare.jpg", options=options) == 0
    bare = load_picture(tmp_path / "bare.jpg")
    assert bare.description == Description(density=(300.0, 300.0))
    assert bare.exif is None


def test_any_name_and_any_depth(tmp_path: Path) -> None:
    low, out = tmp_path / "low", tmp_path / "out"
    names = [os.fsdecode(name) for name in (b"a\xe9.png", b"\xe5\xb1\xb1.png", b"[1]" + 247 * b"a" + b".png")]
    for folder in (low, low / "deep"):
        for name in names:
            write(folder / name, "ann")
    jobs = plan_request([low], out, tmp_path / "sheets", recursive=True)
    told = RestoreFilesOptions([low], output=out, report=tmp_path / "r.json", **vars(FROM_FILE))
    assert restore_files(jobs, TWICE, told) == 0
    for name in names:
        assert load_picture(out / name).pixels.shape == load_picture(out / "deep" / name).pixels.shape == (3, 80, 80)
    assert {entry["output"] for entry in pictures(tmp_path / "r.json")} == {str(job.output) for job in jobs}
    assert len(list((tmp_path / "sheets").rglob("*.png"))) == 6


def test_a_rerun_reads_neither_results_nor_sheets(tmp_path: Path) -> None:
    album = tmp_path / "album"
    write(album / "a.png", "ann"), write(album / "deep/b.png", "ann")
    places = album / "restored", album / "sheets"
    for _ in range(2):
        jobs = plan_request([album], *places, recursive=True)
        assert [job.name for job in jobs] == ["a.png", "deep/b.png"]
        for target in (target for job in jobs for target in job.targets):
            target.parent.mkdir(parents=True, exist_ok=True)
            write(target, "ann")


def test_a_link_as_output_is_written_through(tmp_path: Path) -> None:
    source = write(tmp_path / "a.png", "ann")
    (tmp_path / "store.png").touch()
    (tmp_path / "link.png").symlink_to("store.png")
    assert restore(source, output=tmp_path / "link.png", overwrite=True) == 0
    assert (tmp_path / "link.png").is_symlink()
    assert load_picture(tmp_path / "store.png").pixels.shape == (3, 80, 80)


def test_a_rerun_makes_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    low, out = tmp_path / "low", tmp_path / "out"
    write(low / "a.png", "ann"), write(low / "b.png", "ben")
    assert restore(low, output=out) == 0
    assert capsys.readouterr().out.split() == [str(out / "a.png"), str(out / "b.png")]
    (out / "a.png").write_bytes(b"mine")
    (out / "b.png").unlink()
    assert restore(low, output=out, report=tmp_path / "r.json") == 0
    seen = capsys.readouterr()
    assert seen.out.split() == [str(out / "b.png")]
    assert "1 of 2 pictures are there already; --overwrite makes them again." in seen.err
    assert (out / "a.png").read_bytes() == b"mine"
    assert [entry["status"] for entry in pictures(tmp_path / "r.json")] == ["there already", "restored"]
    assert restore(low / "a.png", output=out) == 0
    assert f"{out / 'a.png'} is there already; --overwrite makes it again." in capsys.readouterr().err
    assert restore(low, output=out, overwrite=True) == 0
    assert load_picture(out / "a.png").pixels.shape == (3, 80, 80)


def test_where_all_is_there_the_report_says_so_and_nothing_is_loaded(
    tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    low, out, report = tmp_path / "low", tmp_path / "out", tmp_path / "r.json"
    write(low / "a.png", "ann"), write(out / "a.png", "ann"), write(low / "b.png", "ben"), write(out / "b.png", "ben")
    monkeypatch.setattr(RestorerSource, "load", lambda self: pytest.fail("there is nothing to do"))
    source = RestorerSource(str(weights), device="cpu")
    assert restore(low, output=out, report=report, compare=tmp_path / "sheets", weights=source) == 0
    assert [(entry["status"], entry["base"]) for entry in pictures(report)] == [("there already", "random:tiny")] * 2
    told = capsys.readouterr().err
    assert "2 sheets are not there: sheets are made with their results, which --overwrite makes again." in told


def test_the_result_is_written_after_its_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has a result is there already for a rerun, which would never make the sheet."""
    low, sheet, out = write(tmp_path / "a.png", "ann"), tmp_path / "s.png", tmp_path / "o.png"
    written: list[Path] = []
    monkeypatch.setattr(picture_restoration, "save_picture", lambda saved, path: written.append(path))
    assert restore(low, output=out, compare=sheet) == 0
    assert written == [sheet, out]


def test_a_reference_is_never_replaced(tmp_path: Path) -> None:
    low, reference = write(tmp_path / "low/ann.png", "ann"), write(tmp_path / "sharp/ann.png", "ann")
    for references, output, sheet in (
        ([reference], reference, None),
        ([reference.parent], reference.parent, None),
        ([reference.parent], tmp_path / "o.png", reference),
    ):
        with pytest.raises(ValueError, match=r"sharp/ann\.png is an input and would be replaced"):
            plan_request([low], output, sheet, references=references)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="There are no pictures in"):
        plan_request([low], tmp_path / "o.png", references=[tmp_path / "empty"])


def pictures(report: Path) -> list[dict]:
    return json.loads(report.read_text())["pictures"]


def test_bad_files_do_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    low, report = tmp_path / "low", tmp_path / "r.json"
    good = write(low / "c.png", "ann")
    (low / "a.png").write_bytes(b"")
    (low / "b.png").write_bytes(good.read_bytes()[:60])
    (low / "d.png").write_text("no picture at all")
    assert restore(low, tmp_path / "missing.png", output=tmp_path / "out", report=report) == 1
    errors = capsys.readouterr().err
    assert "4 of 5 pictures could not be restored; the others are done:" in errors
    for name in ("a.png", "b.png", "d.png", "missing.png"):
        assert errors.count(name) >= 2  # when it happened, and in the summary
    assert [entry["status"] for entry in pictures(report)] == ["failed", "failed", "restored", "failed", "failed"]
    assert "There is no file" in pictures(report)[-1]["error"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["c.png"]
    assert restore(low, output=tmp_path / "out") == 1  # the rerun fails for three, and one is there
    with pytest.raises(ValueError, match=r"a\.png"):
        restore(low / "a.png", output=tmp_path / "x.png")


def test_an_interruption_leaves_whole_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    low = tmp_path / "low"
    for name in ("a.png", "b.png", "c.png"):
        write(low / name, "ann")
    real, calls = picture_restoration.save_picture, []

    def interrupted(picture: Picture, path: Path) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(picture, path)

    monkeypatch.setattr(picture_restoration, "save_picture", interrupted)
    with pytest.raises(KeyboardInterrupt):
        restore(low, output=tmp_path / "out", report=tmp_path / "r.json")
    assert "1 of 3 pictures are done; the same command goes on with the rest." in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]
    assert len(pictures(tmp_path / "r.json")) == 1
    assert restore(low, output=tmp_path / "out", report=tmp_path / "r.json") == 0
    assert [entry["status"] for entry in pictures(tmp_path / "r.json")] == ["restored"] * 3


def test_a_full_disk_stops_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    low = tmp_path / "low"
    write(low / "a.png", "ann"), write(low / "b.png", "ann")
    write(low / "c.png", "ann")
    real, calls, room = picture_restoration.save_picture, [], 0

    def full(picture: Picture, path: Path) -> None:
        calls.append(path)
        if len(calls) > room:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        real(picture, path)

    monkeypatch.setattr(picture_restoration, "save_picture", full)
    with pytest.raises(OSError, match="No space left"):
        restore(low, output=tmp_path / "out")
    assert len(calls) == 1
    # with room for one the status says that a part is done
    calls, room = [], 1
    assert restore(low, output=tmp_path / "out") == 1
    assert len(calls) == 2
    told = capsys.readouterr().err
    assert "1 of 3 pictures are done; the same command goes on with the rest." in told
    assert f"{tmp_path / 'out/b.png'}: No space left on device." in told
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]


def test_memory_that_runs_out_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    low = tmp_path / "low"
    write(low / "a.png", "ann"), write(low / "b.png", "ann")

    def greedy(self, *arguments: object) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 7 GiB")

    monkeypatch.setattr(PhotoRestorer, "__call__", greedy)
    assert restore(low, output=tmp_path / "out") == 2
    assert "a.png: the memory ran out; --memory GB or a smaller --scale" in capsys.readouterr().err


def test_huge_results_and_wrong_options_are_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "a.png", "ann")
    with pytest.raises(ValueError, match="would have 40000 x 40000 pixels, which is more than 200 megapixels"):
        restore(source, output=tmp_path / "o.png", options=RestoreOptions(scale=1000.0))
    with pytest.raises(ValueError, match=r"The weights alone take .* GB, so 1e-06 GB of memory are too few"):
        restore(source, output=tmp_path / "o.png", options=RestoreOptions(memory=1e-6))
    with pytest.raises(ValueError, match=r"--report is a file ending in \.json"):
        restore(source, output=tmp_path / "o.png", report=tmp_path / "r.txt")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match="is no report of headsup restore"):
        restore(source, output=tmp_path / "o.png", report=tmp_path / "other.json")
    with pytest.raises(ValueError, match="got 3 numbers for 1 pictures"):
        restore(source, output=tmp_path / "o.png", face_box=(1.0, 2.0, 3.0))


def test_little_memory_makes_the_tiles_smaller(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    restorer, tiles = cached(weights), []

    def spy(denoise: object, z: Tensor, conditions: object, tile: int, overlap: int, together: int) -> Tensor:
        tiles.append((tile, overlap))
        return z

    monkeypatch.setattr(photo_restorer, "denoise_tiled", spy)
    # the autoencoder's own tiles take their time
    monkeypatch.setattr(photo_restorer, "encode", lambda vae, images, memory: restorer.restorer.encode(images))
    monkeypatch.setattr(photo_restorer, "decode", lambda vae, latents, memory: restorer.restorer.decode(latents))
    picture = Picture(portrait("ann", "ben"))  # 40 x 20 latent pixels at four times the size
    unet = restorer.restorer.unet
    enough = (denoise_bytes(unet, 1, 20, 32) + denoise_bytes(unet, 1, 20, 40)) / 2 + weight_bytes(restorer.restorer)
    for memory in (None, 8.0, enough / GB):
        restorer(picture, RestoreOptions(scale=4.0, memory=memory))
    assert tiles == [(128, 32), (128, 32), (32, 10)]


def test_without_a_stated_memory_the_machine_bounds_encoder_and_decoder(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restorer, given = cached(weights), []

    def encoded(vae: object, images: Tensor, memory: float | None) -> Tensor:
        given.append(memory)
        return restorer.restorer.encode(images)

    def decoded(vae: object, latents: Tensor, memory: float | None) -> Tensor:
        given.append(memory)
        return restorer.restorer.decode(latents)

    monkeypatch.setattr(photo_restorer, "encode", encoded)
    monkeypatch.setattr(photo_restorer, "decode", decoded)
    picture, taken = Picture(portrait("ann")), weight_bytes(restorer.restorer)
    for machine, stated in ((taken + 6 * GB, None), (taken - 1, None), (None, None), (taken + 6 * GB, 2.0)):
        monkeypatch.setattr(photo_restorer, "machine_memory", lambda machine=machine: machine)
        restorer(picture, RestoreOptions(scale=1.0, memory=stated))
    half, left = 3 * GB, 2 * GB - taken
    assert given == [half, half, 0, 0, None, None, left, left]


def test_a_result_too_large_for_the_machine_is_a_sentence(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    restorer = cached(weights)
    monkeypatch.setattr(photo_restorer, "machine_memory", lambda: weight_bytes(restorer.restorer) + 1000)
    with pytest.raises(ValueError, match=r"This picture takes .* GB beyond the weights even in the smallest tiles"):
        restorer(Picture(portrait("ann")), RestoreOptions(scale=4.0))


def test_each_face_gets_its_own_person(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "both.png", "ben", "ann")
    ann, ben = write(tmp_path / "refs/ann.png", "ann"), write(tmp_path / "refs/ben.png", "ben")
    report = tmp_path / "r.json"
    assert restore(source, output=tmp_path / "o.png", reference=[ann, ben], report=report) == 0
    first, second = pictures(report)[0]["faces"]
    by_left = sorted((first, second), key=lambda face: face["box"][0])
    assert [face["person"] for face in by_left] == ["ben.png", "ann.png"]
    assert [face["reference"] for face in by_left] == [str(ben), str(ann)]
    assert all(face["input_to_reference"] > 0.99 for face in by_left)
    assert all(-1 <= face["output_to_reference"] <= 1 and face["seam"] >= 0 for face in by_left)
    # blocks from pixel 10 to 29 and from 50 to 69
    assert by_left[0]["box"] == pytest.approx([10, 10, 29, 29], abs=1)
    assert by_left[1]["box"] == pytest.approx([50, 10, 69, 29], abs=1)
    assert pictures(report)[0]["used"] == {"ann.png": [str(ann)], "ben.png": [str(ben)]}
    assert capsys.readouterr().err.splitlines() == [
        "The references show 2 people:",
        "  ann.png",
        "  ben.png",
        "Used:",
        "  ann.png",
        "  ben.png",
    ]


def test_people_whose_photographs_have_one_name_are_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, report = write(tmp_path / "ann.png", "ann"), tmp_path / "r.json"
    references = [write(tmp_path / f"{name}/portrait.png", name) for name in ("ann", "ben")]
    assert restore(source, output=tmp_path / "o.png", reference=references, report=report) == 0
    (picture,) = pictures(report)
    assert picture["used"] == {"ann/portrait.png": [str(references[0])]}
    assert [face["person"] for face in picture["faces"]] == ["ann/portrait.png"]
    assert "No face is like ben/portrait.png (-0.33), so it is not used" in capsys.readouterr().err


def test_references_change_the_result_and_their_order_does_not(tmp_path: Path) -> None:
    source = write(tmp_path / "both.png", "ben", "ann")
    refs = [write(tmp_path / f"refs/{name}.png", name) for name in ("ann", "ben")]
    assert restore(source, output=tmp_path / "without.png") == 0
    assert restore(source, output=tmp_path / "ab.png", reference=refs) == 0
    assert restore(source, output=tmp_path / "ba.png", reference=refs[::-1]) == 0
    assert restore(source, output=tmp_path / "folder.png", reference=[tmp_path / "refs"]) == 0
    assert (tmp_path / "ab.png").read_bytes() == (tmp_path / "ba.png").read_bytes()
    assert (tmp_path / "ab.png").read_bytes() == (tmp_path / "folder.png").read_bytes()
    assert (tmp_path / "ab.png").read_bytes() != (tmp_path / "without.png").read_bytes()


def test_strangers_and_pictures_without_faces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ann, empty = write(tmp_path / "ann.png", "ann"), write(tmp_path / "empty.png")
    cleo = write(tmp_path / "cleo.png", "cleo")
    with pytest.raises(ValueError, match=r"The face in .*ann\.png is not like cleo\.png"):
        restore(ann, output=tmp_path / "o.png", reference=[cleo])
    assert not (tmp_path / "o.png").exists()
    assert restore(ann, output=tmp_path / "o.png", reference=[cleo], force=True) == 0
    assert "because you said so" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"No face was found in .*empty\.png.*--face-box"):
        restore(empty, output=tmp_path / "e.png", reference=[cleo])
    with pytest.raises(ValueError, match=r"any of the references \(empty\.png\)\. .* or leave --reference out"):
        restore(ann, output=tmp_path / "e.png", reference=[empty])
    assert restore(ann, output=tmp_path / "e.png", reference=[empty], force=True) == 0
    assert "No face was found in empty.png, so it is not used." in capsys.readouterr().err
    with pytest.raises(
        ValueError, match=r"is not like cleo\.png.* If you know that it is the same person, give --force"
    ):
        restore(ann, output=tmp_path / "f.png", reference=[cleo])
    both = write(tmp_path / "both.png", "ann", "ben")
    assert restore(ann, output=tmp_path / "f.png", reference=[both]) == 0
    assert "Of the 2 faces in both.png the largest is taken." in capsys.readouterr().err


def test_references_without_strength_are_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, report = write(tmp_path / "ann.png", "ann"), tmp_path / "r.json"
    strangers = [write(tmp_path / f"{name}.png", name) for name in ("ben", "cleo")]
    assert restore(ann, output=tmp_path / "without.png") == 0
    asked, real = [], files.load_recognition

    def noted(fetch: bool) -> FaceRecognition:
        asked.append(fetch)
        return real(fetch)

    monkeypatch.setattr(files, "load_recognition", noted)
    none = replace(TWICE, reference_strength=0.0)
    assert restore(ann, output=tmp_path / "o.png", options=none, reference=[*strangers, ann]) == 0
    assert asked == []
    assert capsys.readouterr().err == "The strength of the references is 0, so they are not used.\n"
    assert (tmp_path / "o.png").read_bytes() == (tmp_path / "without.png").read_bytes()
    assert restore(ann, output=tmp_path / "p.png", options=none, reference=[ann], report=report) == 0
    assert asked == [False]
    (record,) = pictures(report)
    assert (record["references"], record["used"], record["unused"]) == ([], {}, [])
    assert [face["reference"] for face in record["faces"]] == [None]


def test_a_box_stands_for_a_face_that_is_not_found(tmp_path: Path) -> None:
    pale = portrait("ann").lerp(torch.tensor(0.5), 0.7)  # too pale for the detector
    save_picture(Picture(pale), tmp_path / "pale.png")
    ann, report = write(tmp_path / "ann.png", "ann"), tmp_path / "r.json"
    with pytest.raises(ValueError, match="No face was found"):
        restore(tmp_path / "pale.png", output=tmp_path / "o.png", reference=[ann])
    box = (10.0, 10.0, 30.0, 30.0)
    assert restore(tmp_path / "pale.png", output=tmp_path / "o.png", reference=[ann], face_box=box, report=report) == 0
    face = pictures(report)[0]["faces"][0]
    assert face["box"] == list(box)
    assert face["person"] == "ann.png"


def test_a_box_around_a_face_that_is_found_means_that_face(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen = detect_and_embed(
        portrait("ann", "ben"), FaceRecognition(BlockDetector(), HueEncoder(), 0.9), (49.0, 8.0, 72.0, 31.0)
    )
    assert len(seen) == 1
    torch.testing.assert_close(seen.faces.boxes[0], torch.tensor([50.0, 10.0, 69.0, 29.0]), atol=0.6, rtol=0)
    assert seen.embeddings[0].argmax() == 1
    # one that has less than half in common with it is another
    other = detect_and_embed(
        portrait("ann", "ben"), FaceRecognition(BlockDetector(), HueEncoder(), 0.9), (40.0, 0.0, 70.0, 30.0)
    )
    assert other.faces.boxes[0].tolist() == [40, 0, 70, 30]
    source = write(tmp_path / "a.png", "ann")
    assert restore(source, output=tmp_path / "o.png", face_box=(1.0, 1.0, 9.0, 9.0)) == 0
    assert "--face-box says which face the references are for; without any it is not used." in capsys.readouterr().err


def test_strips_are_not_enlarged_beyond_reason() -> None:
    for size, factor in (
        ((3, 2000), 2),
        ((2000, 1), 2),
        ((1, 1), 512),
        ((100, 3000), 1),
        ((64, 512), 8),
        ((600, 600), 1),
    ):
        images, found = enlarged_for_faces(torch.rand(3, *size))
        assert (found, images.shape) == (factor, (1, 3, size[0] * factor, size[1] * factor))
    assert (
        len(detect_and_embed(torch.full((3, 3, 2000), 0.5), FaceRecognition(BlockDetector(), HueEncoder(), 0.9))) == 0
    )


def test_of_an_animation_the_first_picture_is_restored_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = [Image.fromarray((portrait(name).permute(1, 2, 0) * 255).byte().numpy()) for name in HUES]
    for name in ("a.gif", "b.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
    whole = (tmp_path / "a.gif").read_bytes()
    as_it_is = RestoreOptions(scale=2.0, fidelity=1.0)
    assert restore(tmp_path / "a.gif", tmp_path / "b.webp", output=tmp_path / "out", options=as_it_is) == 0
    assert capsys.readouterr().err.count("The file holds 3 pictures, and the first is restored.") == 2
    # red, as the first is
    assert load_picture(tmp_path / "out/b.webp").pixels[:, 40, 40].argmax() == 0
    assert picture_count(open_image(whole[: len(whole) * 2 // 5], "a.gif")) == 1
    frames[0].save(tmp_path / "c.jpg", "MPO", save_all=True, append_images=frames[1:])
    assert picture_count(open_image((tmp_path / "c.jpg").read_bytes(), "c.jpg")) == 1


def test_a_header_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, names = decoding.open_header, []

    def counted(file: io.BytesIO, name: str) -> Image.Image:
        names.append(name)
        return real(file, name)

    source = write(tmp_path / "ann.png", "ann")
    monkeypatch.setattr(decoding, "open_header", counted)
    assert restore(source, output=tmp_path / "o.png") == 0
    assert names == [str(source)]


def test_from_pipe_to_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary) -> None:
    source = write(tmp_path / "ann.png", "ann")
    assert restore(source, output=tmp_path / "o.png") == 0
    capsysbinary.readouterr()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(source.read_bytes()), isatty=lambda: False))
    assert restore(Path("-"), output=Path("-"), report=tmp_path / "r.json") == 0
    assert capsysbinary.readouterr().out == (tmp_path / "o.png").read_bytes()
    assert [(each["input"], each["output"]) for each in pictures(tmp_path / "r.json")] == [("stdin", "-")]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"no picture"), isatty=lambda: False))
    with pytest.raises(ValueError, match="stdin is not an image in any of the formats"):
        restore(Path("-"), output=tmp_path / "p.png")


def test_a_size_that_nobody_chose_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr("headsup.restoring.options.DEFAULT_PIXELS", 40 * 40 * 4)
    source = write(tmp_path / "a.png", "ann")
    assert restore(source, output=tmp_path / "o.png", options=RestoreOptions()) == 0
    assert "a.png: The picture is large, so the result has 80 x 80 pixels" in capsys.readouterr().err


def test_the_picture_as_its_own_reference_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "ann.png", "ann")
    assert restore(source, output=tmp_path / "o.png", reference=[source]) == 0
    assert "The reference ann.png is the picture itself" in capsys.readouterr().err


def test_the_report_says_how_and_how_long(tmp_path: Path) -> None:
    source, report = write(tmp_path / "ann.png", "ann"), tmp_path / "deep/r.json"
    assert restore(source, output=tmp_path / "o.png", report=report) == 0
    picture = pictures(report)[0]
    assert (picture["base"], picture["precision"], picture["device"]) == ("random:tiny", "float32", "cpu")
    assert picture["options"]["scale"] == 2
    assert (picture["input_size"], picture["output_size"]) == ([40, 40], [80, 80])
    assert list(picture["seconds"]) == ["read", "faces", "encode", "denoise", "decode", "write", "scores"]
    assert picture["seconds"]["decode"] > 0
    assert picture["faces"][0]["person"] is None
    assert picture["faces"][0]["input_to_reference"] is None


def test_the_sheet_shows_faces_and_references(tmp_path: Path) -> None:
    source, ann = write(tmp_path / "both.png", "ann", "ben"), write(tmp_path / "ann.png", "ann")
    assert restore(source, output=tmp_path / "o.png", reference=[ann], compare=tmp_path / "s.png") == 0
    sheet = load_picture(tmp_path / "s.png").pixels
    red = (sheet - torch.tensor(HUES["ann"]).reshape(3, 1, 1)).abs().amax(dim=0) < 0.05
    # in the enlarged input, in the face of the input and in the reference
    assert red.sum() > 40 * 40 + 2 * 100 * 100
    assert sheet.shape[1] > 80 + 2 * 320
    write(tmp_path / "low/a.png", "ann")
    assert restore(tmp_path / "low", output=tmp_path / "out", compare=tmp_path / "sheets") == 0
    assert (tmp_path / "sheets/a.png.png").is_file()


def test_transparency_that_is_lost_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_picture(Picture(portrait("ann"), alpha=torch.full((1, 40, 40), 0.5)), tmp_path / "a.png")
    assert restore(tmp_path / "a.png", output=tmp_path / "o.jpg", report=tmp_path / "r.json") == 0
    assert "JPEG has no transparency" in capsys.readouterr().err
    assert "JPEG has no transparency" in pictures(tmp_path / "r.json")[0]["notes"][0]


def test_convention_faces_are_in_pixels_of_the_input_however_small() -> None:
    recognition = FaceRecognition(BlockDetector(), HueEncoder(), 0.9)
    for side in (40, 400):
        seen = detect_and_embed(portrait("ann", "ben", side=side), recognition)
        left = seen.faces.boxes[:, 0].sort().values
        torch.testing.assert_close(left, torch.tensor([side / 4, side * 5 / 4]), atol=0.6, rtol=0)


def test_a_restorer_of_ones_own_without_networks(
    loads: None, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "ann.png", "ann")
    half = RestorerSource(str(weights), device="cpu", precision="bfloat16")
    full = RestorerSource(str(weights), device="cpu")
    assert restore(source, output=tmp_path / "full.png", weights=full, report=tmp_path / "r.json") == 0
    assert "Faces are not compared; they are after `faceops weights fetch mobile" in capsys.readouterr().err
    assert pictures(tmp_path / "r.json")[0]["faces"] == []  # a square is none
    assert restore(source, output=tmp_path / "half.png", weights=half) == 0
    one, other = (load_picture(tmp_path / name).pixels for name in ("full.png", "half.png"))
    assert 0 < (one - other).abs().mean() < 0.02
    with pytest.raises(ValueError, match='No weights are called "nothing"'):
        restore(source, output=tmp_path / "x.png", weights=RestorerSource("nothing"))


def test_a_tagger_describes_each_picture(tmp_path: Path, weights: Path, loads: None, monkeypatch) -> None:
    """The picture it sees is the enlarged one; the result is that of its text as a prompt."""
    (tmp_path / "one_tagger.py").write_text(
        "SEEN = []\nclass One:\n    side = 4\n    def __call__(self, images):\n"
        "        SEEN.append(images)\n        return ['man, hat'] * len(images)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    picture = Picture(portrait("ann"))
    tagged = RestorerSource(str(weights), prompt="sharp", device="cpu", tagger="one_tagger.One").load()(picture, TWICE)
    (seen,) = importlib.import_module("one_tagger").SEEN
    assert seen.shape == (1, 3, 80, 80)
    assert seen[0].equal(tagged.enlarged)
    said = RestorerSource(weights, prompt="man, hat, sharp", device="cpu").load()(picture, TWICE)
    silent = RestorerSource(weights, prompt="sharp", device="cpu").load()(picture, TWICE)
    assert tagged.picture.pixels.equal(said.picture.pixels)
    assert not tagged.picture.pixels.equal(silent.picture.pixels)
    source = RestorerSource(str(weights), device="cpu", tagger="one_tagger.One")
    restore(
        write(tmp_path / "low.png", "ann"), output=tmp_path / "high.png", weights=source, report=tmp_path / "r.json"
    )
    (record,) = json.loads((tmp_path / "r.json").read_text())["pictures"]
    assert record["tagger"] == "one_tagger.One"


def test_texts_that_no_one_reads_are_said(
    tmp_path: Path, weights: Path, loads: None, capsys: pytest.CaptureFixture[str]
) -> None:
    RestorerSource(str(weights), device="cpu").load()
    assert capsys.readouterr().err == ""
    RestorerSource(str(weights), prompt="a man in a suit", device="cpu").load()
    told = f"The base model of {weights}, random:tiny, has no text encoder, so the prompt is of no use.\n"
    assert capsys.readouterr().err == told
    with pytest.raises(FileNotFoundError, match="dape"):
        RestorerSource(prompt="a man", tagger="dape", device="cpu").load()
    told = "The base model of guided, random:tiny, has no text encoder, so the prompt and the tagger are of no use.\n"
    assert capsys.readouterr().err == told
    assert has_text_encoder(str(tmp_path))
    (tmp_path / EMBEDDINGS_FILE).touch()
    assert not has_text_encoder(str(tmp_path))


def test_a_tagger_without_weights_is_one_sentence(tmp_path: Path, weights: Path, loads: None) -> None:
    source = RestorerSource(str(weights), device="cpu", tagger="headsup.model.taggers.ram.DapeTagger")
    with pytest.raises(FileNotFoundError, match=r"The weights \"dape\" .* Get DAPE\.pth"):
        restore(write(tmp_path / "low.png", "ann"), output=tmp_path / "high.png", weights=source)


def test_of_many_references_one_summary_and_nothing_for_each_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ann", "ben", "cleo"):
        (tmp_path / f"family/{name}").mkdir(parents=True)
        for side in (60, 80):
            save_picture(Picture(portrait(name, side=side)), tmp_path / f"family/{name}/{side}.png")
    for name, shown in (("a", ["ann"]), ("b", ["cleo", "ann"]), ("c", ["ann"])):
        write(tmp_path / f"low/{name}.png", *shown)
    report = tmp_path / "r.json"
    assert restore(tmp_path / "low", output=tmp_path / "out", reference=[tmp_path / "family"], report=report) == 0
    assert [line for line in capsys.readouterr().err.splitlines() if line] == [
        "The references show 3 people:",
        "  ann: 2 photographs",
        "  ben: 2 photographs",
        "  cleo: 2 photographs",
        "Used:",
        "  ann, in 3 of 3 pictures: 80.png",  # these weights lay down one photograph
        "  cleo, in 1 of 3 pictures: 80.png",
        "No face is like ben (-0.33), so it is not used; 0.20 is wanted.",
    ]
    first, second, _ = pictures(report)
    assert [face["person"] for face in first["faces"]] == ["ann"]
    assert first["used"] == {"ann": [str(tmp_path / "family/ann/80.png")]}
    assert first["unused"] == [{"person": name, "similarity": -0.3333, "taken_for": None} for name in ("ben", "cleo")]
    assert {face["person"] for face in second["faces"]} == {"ann", "cleo"}
    assert first["notes"] == []


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be fetched; faces are found, by the stand-in, but no network tells people apart."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("there is no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(face_recognition, "build_detector", BlockDetector)
    monkeypatch.setattr(files, "load_recognition", face_recognition.load_recognition)


def test_without_a_network_one_face_gets_its_reference(
    no_network: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, ann, report = write(tmp_path / "a.png", "ann"), tmp_path / "ann.png", tmp_path / "r.json"
    save_picture(Picture(portrait("ann", side=60)), ann)
    assert restore(source, output=tmp_path / "without.png") == 0
    assert restore(source, output=tmp_path / "o.png", reference=[ann], report=report, compare=tmp_path / "s.png") == 0
    fetching, used = capsys.readouterr().err.splitlines()
    assert fetching == "To tell people apart, mobilefacenet (4.1 MB) is fetched, once."
    assert used == "The reference is used without comparing faces, since no network tells people apart."
    assert (tmp_path / "o.png").read_bytes() != (tmp_path / "without.png").read_bytes()
    (face,) = pictures(report)[0]["faces"]
    assert (face["person"], face["reference"]) == ("ann.png", str(ann))
    assert [face[key] for key in ("input_to_reference", "output_to_input", "output_to_reference")] == [None] * 3
    assert face["seam"] >= 0


def test_a_page_to_log_in_instead_of_the_network_stops_nothing(
    no_network: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def page(*_: object, **__: object) -> http.client.HTTPResponse:
        """Answer whatever is asked as a proxy or a hotel does."""
        sent = io.BytesIO(b"HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n<html>Log in</html>")
        response = http.client.HTTPResponse(SimpleNamespace(makefile=lambda _: sent))
        response.begin()
        return response

    monkeypatch.setenv("FACEOPS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("urllib.request.urlopen", page)
    source = write(tmp_path / "both.png", "ben", "ann")
    ann, ben = (write(tmp_path / f"{name}.png", name) for name in ("ann", "ben"))
    assert restore(source, output=tmp_path / "o.png", reference=[ben, ann]) == 0
    assert "sent is another file. Nothing was kept" in capsys.readouterr().err
    assert (tmp_path / "o.png").is_file()


def test_without_a_network_the_order_decides_and_one_sentence_says_what_to_do(
    no_network: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, report = write(tmp_path / "both.png", "ben", "ann"), tmp_path / "r.json"
    folder = tmp_path / "ben"
    folder.mkdir()
    ann, ben = write(tmp_path / "ann.png", "ann"), [write(folder / f"{n}.png", "ben") for n in "12"]
    assert restore(source, output=tmp_path / "o.png", reference=[folder, ann], report=report) == 0
    faces = sorted(pictures(report)[0]["faces"], key=lambda face: face["box"][0])
    assert [face["person"] for face in faces] == ["ben", "ann.png"]
    told = capsys.readouterr().err
    assert told.count("from left to right they get the references in the order given, and a folder is one person.") == 1
    assert "fetching it failed: there is no network. Get mobilefacenet_foamliu.pt from https://github.com/" in told
    assert "  ben: 2 photographs\n  ann.png\n" in told
    assert "both.png: No network tells people apart, so the order of the references decides, from left to right" in told
    assert "Traceback" not in told
    # nobody compares: a person in the wrong place is taken as the order says
    assert restore(source, output=tmp_path / "turned.png", reference=[ann, ben[0]], report=report) == 0
    faces = sorted(pictures(report)[-1]["faces"], key=lambda face: face["box"][0])
    assert [face["person"] for face in faces] == ["ann.png", "1.png"]


@pytest.mark.assets
def test_without_a_network_faces_are_found_by_the_detector_that_comes_along(
    no_network: None, assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face_recognition, "build_detector", build_detector)
    source, report = tmp_path / "a.png", tmp_path / "r.json"
    photograph = load_picture(assets / "images/portraits/london_ccby4/042_smiling.jpg").pixels
    save_picture(Picture(bicubic(photograph, 128, 128).clamp(0, 1)), source)
    reference = assets / "images/portraits/london_ccby4/042_neutral.jpg"
    assert restore(source, output=tmp_path / "o.png", reference=[reference], report=report) == 0
    (face,) = pictures(report)[0]["faces"]
    assert face["person"] == "042_neutral.jpg"


def test_faces_are_reported_where_nothing_compares_them(
    no_network: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restore(write(tmp_path / "a.png", "ann"), output=tmp_path / "o.png", report=tmp_path / "r.json") == 0
    told = "Faces are not compared; they are after `faceops weights fetch mobilefacenet` (4 MB).\n"
    assert capsys.readouterr().err == told
    assert [face["output_to_input"] for face in pictures(tmp_path / "r.json")[0]["faces"]] == [None]
