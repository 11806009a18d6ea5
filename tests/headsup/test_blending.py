"""The whole by one restorer, faces by another and pasted over it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import faceops.weights.cache
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import ARCFACE_112, FFHQ_512, Template
from faceops.geometry.pasting import feathered_mask
from faceops.images.files import Picture, load_picture, save_picture
from headsup.command_options import BlendFilesOptions
from headsup.model.settings import RestorerSettings
from headsup.restoring import blended_files
from headsup.restoring.blended_files import blend_files
from headsup.restoring.blending import BEYOND, blend
from headsup.restoring.face_scores import border_masks, pasted_opacity
from headsup.restoring.files import RestorerSource
from headsup.restoring.jobs import plan_request
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer, ReferenceFaces, Restored
from headsup.restoring.references.face_recognition import FaceRecognition
from headsup.tiling.memory import GB, weight_bytes
from headsup.weights.files import save_weights
from headsup.weights.model_card import ModelCard
from portraitdata.images.resampling import bicubic

SAME = RestoreOptions(scale=1.0)


class Painter(PhotoRestorer):
    """Enlarges and then does as told; remembers what it was given."""

    def __init__(self, paint: Callable[[Tensor], Tensor]) -> None:
        self.paint = paint
        self.given: list[tuple[Tensor, RestoreOptions]] = []

    def __call__(self, picture: Picture, options: RestoreOptions, references: ReferenceFaces | None = None) -> Restored:
        assert references is None
        self.given.append((picture.pixels, options))
        target = options.target(picture.pixels.shape[1], picture.pixels.shape[2])
        enlarged = (
            picture.pixels if target == picture.pixels.shape[1:] else bicubic(picture.pixels, *target).clamp(0, 1)
        )
        return Restored(Picture(self.paint(enlarged), bits=picture.bits), enlarged, {"denoise": 1.0})


def unchanged() -> Painter:
    return Painter(lambda pixels: pixels)


def faces_at(*points: Tensor) -> Faces:
    landmarks = torch.stack(points)
    boxes = torch.cat((landmarks.amin(dim=1), landmarks.amax(dim=1)), dim=1)
    return Faces(torch.zeros(len(points), dtype=torch.long), boxes, landmarks, torch.ones(len(points)))


def upright(left: float, top: float, size: int = 64) -> Tensor:
    """Landmarks of a face whose aligned square of `size` pixels begins at (left, top)."""
    return FFHQ_512.scaled(size).tensor().float() + torch.tensor([left, top])


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_an_unchanged_face_shows_the_input_through_the_mask(scale: int) -> None:
    torch.manual_seed(0)
    picture = Picture(torch.rand(3, 90, 100), bits=16)
    # in pixels of the result the square lies on whole pixels
    faces = faces_at((upright(12, 7) + 0.5) / scale - 0.5)
    out = blend(Painter(lambda x: x / 2), unchanged(), picture, RestoreOptions(scale=float(scale)), faces, 64)
    enlarged = picture.pixels if scale == 1 else bicubic(picture.pixels, 90 * scale, 100 * scale).clamp(0, 1)
    mask = F.pad(feathered_mask(64), (12, 100 * scale - 76, 7, 90 * scale - 71))
    torch.testing.assert_close(out.picture.pixels, enlarged / 2 * (1 - mask) + enlarged * mask, atol=1e-4, rtol=0)
    assert torch.equal(out.enlarged, enlarged)
    assert out.picture.bits == 16
    assert out.seconds["denoise"] == 2
    assert out.seconds["paste"] > 0


@pytest.mark.parametrize("size", [64, 100, 257])
def test_tilted_faces_of_any_size_leave_an_even_slope_as_it_is(size: int) -> None:
    # bilinear interpolation and means are exact on planes; the product of slope and mask, which is warped, is not quite
    # one. Half a pixel of misplacement would be 2e-3.
    rows, columns = torch.meshgrid(torch.arange(200) / 250, torch.arange(240) / 300, indexing="ij")
    slope = torch.stack((rows, columns, 0.9 - (rows + columns) / 2))
    cosine, sine = 0.8, 0.6
    turn = torch.tensor([[cosine, -sine], [sine, cosine]])
    middle = torch.tensor([31.5, 31.5])
    tilted = [
        (upright(0, 0) - middle) @ turn.T * zoom + torch.tensor(at) for zoom, at in ((1, (60, 60)), (1.8, (150, 100)))
    ]
    out = blend(unchanged(), unchanged(), Picture(slope), SAME, faces_at(*tilted), size)
    torch.testing.assert_close(out.picture.pixels, slope, atol=5e-4, rtol=0)


def test_every_face_is_restored_alone_and_the_rest_is_the_general_restorers() -> None:
    picture = Picture(torch.full((3, 80, 220), 0.25))
    white = Painter(torch.ones_like)
    options = RestoreOptions(scale=2.0, fidelity=0.25, colour="adain")
    faces = faces_at(*((upright(left, top) + 0.5) / 2 - 0.5 for left, top in ((10, 20), (180, 40), (350, 70))))
    out = blend(Painter(lambda x: x / 2), white, picture, options, faces, 64).picture.pixels
    assert [(crop.shape, given) for crop, given in white.given] == [
        ((3, 64, 64), RestoreOptions(scale=1.0, fidelity=0.25, colour="adain"))
    ] * 3
    assert (white.given[0][0] - 0.25).abs().max() < 1e-4
    inside = torch.zeros(160, 440, dtype=torch.bool)
    for left, top in ((10, 20), (180, 40), (350, 70)):
        assert (out[:, top + 16 : top + 48, left + 16 : left + 48] - 1).abs().max() < 1e-4
        inside[top - 1 : top + 65, left - 1 : left + 65] = True
    assert (out[:, ~inside] - 0.125).abs().max() < 1e-6


def test_the_last_of_overlapping_faces_is_on_top() -> None:
    shades = iter((1.0, 0.0, 1.0))
    face = Painter(lambda x: torch.full_like(x, next(shades)))
    faces = faces_at(*(upright(8, 8) for _ in range(3)))
    out = blend(unchanged(), face, Picture(torch.full((3, 80, 80), 0.5)), SAME, faces, 64).picture.pixels
    assert (out[:, 24:56, 24:56] - 1).abs().max() < 1e-4


def test_a_face_that_leaves_the_picture_is_seen_on_grey() -> None:
    face = unchanged()
    out = blend(unchanged(), face, Picture(torch.ones(3, 80, 80)), SAME, faces_at(upright(-32, 40)), 64)
    crop = face.given[0][0]
    grey = torch.tensor(BEYOND).reshape(3, 1, 1)
    assert (crop[:, :39, :31] - grey).abs().max() < 1e-4
    assert (crop[:, 41:, :] - grey).abs().max() < 1e-4
    assert (crop[:, :39, 33:] - 1).abs().max() < 1e-4
    assert out.picture.pixels.shape == (3, 80, 80)


def test_without_a_face_the_general_restorer_does_all() -> None:
    torch.manual_seed(0)
    picture, general, face = Picture(torch.rand(3, 50, 70)), Painter(lambda x: 1 - x), unchanged()
    out = blend(general, face, picture, SAME, Faces.none())
    assert torch.equal(out.picture.pixels, 1 - picture.pixels)
    assert face.given == []


def test_faces_too_small_are_refused() -> None:
    with pytest.raises(ValueError, match="64 pixels a side or more, 512 usually; got 32"):
        blend(unchanged(), unchanged(), Picture(torch.rand(3, 50, 70)), SAME, Faces.none(), 32)


def test_the_seam_is_measured_where_the_face_was_pasted() -> None:
    opacity = pasted_opacity(upright(20, 9)[None], 64, 90, 100)
    wanted = F.pad(feathered_mask(64), (20, 16, 9, 17)).unsqueeze(0)
    torch.testing.assert_close(opacity, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_the_borders_are_those_of_what_is_seen_of_each_face(scale: float) -> None:
    # three tilted faces, two of which overlap; painting one white and all else black shows how much of it is seen
    turn = torch.tensor([[0.8, -0.6], [0.6, 0.8]])
    places = [upright(10, 10), upright(40, 25) @ turn.T + torch.tensor([30.0, -10.0]), upright(110, 20)]
    faces, options = faces_at(*places), RestoreOptions(scale=scale)
    picture, size = Picture(torch.rand(3, 90, 180)), (round(90 * scale), round(180 * scale))
    masks = list(border_masks(faces.rescaled(scale), size, 64))
    for number, mask in enumerate(masks):
        shades = iter([float(number == face) for face in range(3)])
        face = Painter(lambda x: torch.full_like(x, next(shades)))  # noqa: B023 - called before the next one
        seen = blend(Painter(torch.zeros_like), face, picture, options, faces, 64).picture.pixels[:1]
        torch.testing.assert_close(mask[0], seen, atol=1e-5, rtol=0)
    alone = pasted_opacity(faces.rescaled(scale).landmarks[:1], 64, *size)
    assert (alone - masks[0]).max() > 0.5  # the second hides a part of the first


# Files ----------------------------------------------------------------------------------------------------------------

SPOTS = ((14.0, 4.0), (90.0, 12.0))
"""Where the faces of the test picture begin."""


class KnownFaces:
    """Finds faces in pictures that are not black, where they are known to be in one 160 pixels wide."""

    def __call__(self, images: Tensor) -> Faces:
        if images.amax() == 0:
            return Faces.none()
        return faces_at(*(upright(*spot) for spot in SPOTS)).rescaled(images.shape[3] / 160)


class MeanColour:
    """Embeds a face as its mean colour."""

    input_template: Template = ARCFACE_112
    input_size: int = 112

    def __call__(self, aligned: Tensor) -> Tensor:
        return F.normalize(aligned.mean(dim=(2, 3)), dim=1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two restorers that differ."""
    found = {}
    for seed, name in enumerate(("general", "face")):
        settings = RestorerSettings(base="random:tiny", layout="placed")
        tensors = settings.build().generator_parameters()
        torch.manual_seed(seed)
        first = tensors["unet.conv_in.own.base_layer.weight"]
        with torch.no_grad():
            first.add_(torch.randn_like(first) * 0.05)
        found[name] = tmp_path_factory.mktemp("weights") / f"{name}.safetensors"
        save_weights(tensors, settings, found[name], ModelCard())
    return found


@pytest.fixture(scope="module")
def restorers(weights: dict[str, Path]) -> dict[Path, PhotoRestorer]:
    return {path: PhotoRestorer.load(path) for path in weights.values()}


def told_to_blend(weights: dict[str, Path], *inputs: Path, **more: Any) -> BlendFilesOptions:
    names = {"general": str(weights["general"]), "face": str(weights["face"])}
    return BlendFilesOptions(inputs, device="cpu", **names, **more)


@pytest.fixture
def blended(
    weights: dict[str, Path], restorers: dict[Path, PhotoRestorer], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    """`blend_files` with restorers that are loaded once and faces that are known."""
    monkeypatch.setattr(RestorerSource, "load", lambda self: restorers[Path(self.weights)])
    monkeypatch.setattr(
        blended_files, "load_recognition", lambda fetch: FaceRecognition(KnownFaces(), MeanColour(), 0.9)
    )

    def run(
        *inputs: Path, output: Path, face_size: int = 64, report: Path | None = None, compare: Path | None = None
    ) -> int:
        told = told_to_blend(weights, *inputs, output=output, face_size=face_size, report=report)
        return blend_files(plan_request(inputs, output, compare, report), SAME, told)

    return run


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    save_picture(Picture(bicubic(torch.rand(3, 10, 20), 80, 160).clamp(0, 1)), tmp_path / "low.png")
    return tmp_path / "low.png"


def test_the_command_changes_faces_only(
    blended: Callable[..., int],
    photograph: Path,
    weights: dict[str, Path],
    restorers: dict[Path, PhotoRestorer],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report, sheet = tmp_path / "r.json", tmp_path / "sheet.png"
    assert blended(photograph, output=tmp_path / "out.png", report=report, compare=sheet) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "out.png")]
    out = load_picture(tmp_path / "out.png").pixels
    whole = restorers[weights["general"]](load_picture(photograph), SAME).picture.pixels
    changed = (out - whole).abs().amax(dim=0) > 0.6 / 255
    expected = sum(pasted_opacity(upright(*spot)[None], 64, 80, 160)[0, 0] for spot in SPOTS)
    assert not changed[expected == 0].any()
    assert changed[expected > 0.9].float().mean() > 0.5
    content = json.loads(report.read_text())
    assert content["report"] == "headsup blend"
    entry = content["pictures"][0]
    assert (entry["weights"], entry["face_weights"]) == (str(weights["general"]), str(weights["face"]))
    assert (entry["face_base"], entry["face_size"]) == ("random:tiny", 64)
    assert list(entry["seconds"]) == ["read", "faces", "encode", "denoise", "decode", "paste", "write", "scores"]
    assert len(entry["faces"]) == 2
    assert all(face["person"] is None and face["seam"] >= 0 for face in entry["faces"])
    assert load_picture(sheet).pixels.shape[1] > 80 + 2 * 320
    # the reports of the two commands are not mixed
    report.write_text(report.read_text().replace("headsup blend", "headsup restore"))
    with pytest.raises(ValueError, match="is no report of headsup blend; name another file"):
        blended(photograph, output=tmp_path / "again.png", report=report)


def test_no_face_is_said_and_what_is_there_is_left(
    blended: Callable[..., int],
    photograph: Path,
    weights: dict[str, Path],
    restorers: dict[Path, PhotoRestorer],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    black = Picture(torch.zeros(3, 64, 64))
    save_picture(black, tmp_path / "black.png")
    report = tmp_path / "r.json"
    assert blended(photograph, tmp_path / "black.png", output=tmp_path / "out", report=report) == 0
    sentence = "No face was found, so the picture is what the general restorer makes of it."
    assert f"black.png: {sentence}" in capsys.readouterr().err
    assert [entry["notes"] for entry in json.loads(report.read_text())["pictures"]] == [[], [sentence]]
    wanted = restorers[weights["general"]](black, SAME).picture.pixels
    torch.testing.assert_close(load_picture(tmp_path / "out/black.png").pixels, wanted, atol=0.51 / 255, rtol=0)
    (tmp_path / "out/low.png").write_bytes(b"mine")
    again = tmp_path / "again.json"
    assert blended(photograph, tmp_path / "black.png", output=tmp_path / "out", report=again) == 0
    assert [entry["status"] for entry in json.loads(again.read_text())["pictures"]] == ["there already"] * 2
    assert "2 of 2 pictures are there already" in capsys.readouterr().err
    assert (tmp_path / "out/low.png").read_bytes() == b"mine"
    with pytest.raises(ValueError, match="64 pixels a side or more"):
        blended(photograph, output=tmp_path / "other.png", face_size=8)


def test_grey_stays_grey(restorers: dict[Path, PhotoRestorer]) -> None:
    torch.manual_seed(0)
    picture = Picture(torch.rand(1, 80, 80).expand(3, -1, -1), grey=True)
    pixels = blend(*restorers.values(), picture, SAME, faces_at(upright(8, 8)), 64).picture.pixels
    assert pixels.equal(pixels[:1].expand(3, -1, -1))


def test_faces_are_sought_without_a_network(
    photograph: Path,
    weights: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def unreachable(*arguments: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(faceops.weights.cache, "_retrieve", unreachable)
    told = told_to_blend(weights, photograph, output=tmp_path / "out.png")
    monkeypatch.setenv("FACEOPS_CACHE", str(tmp_path / "nothing"))
    assert blend_files(plan_request(told.inputs, told.output), SAME, told) == 0
    assert "No face was found, so the picture is what the general restorer" in capsys.readouterr().err
    assert (tmp_path / "out.png").exists()


def test_the_memory_is_that_of_both(restorers: dict[Path, PhotoRestorer], monkeypatch: pytest.MonkeyPatch) -> None:
    general, face = restorers.values()
    picture, faces = Picture(torch.rand(3, 80, 80)), faces_at(upright(8, 8))
    with pytest.raises(ValueError, match=r"The weights of both restorers take 0\.\d\d GB, so 0\.001 GB of memory"):
        blend(general, face, picture, RestoreOptions(scale=1.0, memory=0.001), faces, 64)
    given = []

    def remember(self: PhotoRestorer, picture: Picture, options: RestoreOptions) -> Restored:
        given.append(options.memory)
        return Restored(picture, picture.pixels)

    monkeypatch.setattr(PhotoRestorer, "__call__", remember)
    blend(general, face, picture, RestoreOptions(scale=1.0, memory=1.0), faces, 64)
    assert given == pytest.approx([1 - weight_bytes(each.restorer) / GB for each in (face, general)])
