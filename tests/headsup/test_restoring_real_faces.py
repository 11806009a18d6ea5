"""Matching on real photographs that are damaged as in training."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from faceops.geometry.alignment import alignment_matrix
from faceops.geometry.faces import Faces
from faceops.images.files import Picture, load_picture, save_picture
from headsup.command_options import RestoreFilesOptions
from headsup.model.settings import RestorerSettings
from headsup.restoring.files import restore_files
from headsup.restoring.jobs import plan_request
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.restoring.references.face_recognition import FaceRecognition, detect_and_embed, load_recognition
from headsup.restoring.references.matching import match_people, reference_faces
from headsup.restoring.references.reference_errors import UnusedReferencesError
from headsup.restoring.references.reference_people import load_people
from headsup.restoring.references.reference_reach import lay_out_reach
from headsup.weights.files import save_weights
from headsup.weights.model_card import ModelCard
from portraitdata.degradation.cpu_executor import degrade
from portraitdata.degradation.drawing import draw_record
from portraitdata.degradation.presets import preset_of
from portraitdata.images.resampling import bicubic

pytestmark = pytest.mark.assets


@pytest.fixture
def london(assets: Path) -> Path:
    return assets / "images/portraits/london_ccby4"


@pytest.fixture
def recognition(assets: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FaceRecognition:
    """The networks, in the cache as a user has them."""
    cache = tmp_path / "cache"
    cache.mkdir()
    shutil.copy(assets / "weights/identity/mobilefacenet_foamliu.pt", cache)
    monkeypatch.setenv("FACEOPS_CACHE", str(cache))
    found = load_recognition(fetch=False)
    assert found is not None
    return found


def damaged(*photographs: Path, draw: int = 0, side: int = 512) -> Tensor:
    """Photographs side by side, reduced to a quarter and damaged by Real-ESRGAN's process, less or more by the draw."""
    squares = [bicubic(load_picture(path).pixels, side, side).clamp(0, 1) for path in photographs]
    sharp = torch.cat(squares, dim=2).permute(1, 2, 0).contiguous().numpy()
    record = draw_record(preset_of("realesrgan"), *sharp.shape[:2], 4, (draw,))
    return torch.from_numpy(degrade(sharp, record)).permute(2, 0, 1).float() / 255


@pytest.mark.parametrize("draw", [0, 4, 7])
def test_two_people_in_one_damaged_picture(london: Path, recognition: FaceRecognition, draw: int) -> None:
    picture = damaged(london / "013_neutral.jpg", london / "002_neutral.jpg", draw=draw)
    seen = detect_and_embed(picture, recognition)
    assert len(seen) == 2
    references = [london / "002_smiling.jpg", london / "013_smiling.jpg"]
    for order in (references, references[::-1]):
        matching = match_people(seen, load_people(order, recognition).people, "both.png")
        names = {
            "left" if box[0] < picture.shape[2] / 2 else "right": match.person.name if match else None
            for box, match in zip(seen.faces.boxes.tolist(), matching.matches, strict=True)
        }
        assert names == {"left": "013_smiling.jpg", "right": "002_smiling.jpg"}


def test_where_nothing_is_left_of_a_face_nobody_is_guessed(london: Path, recognition: FaceRecognition) -> None:
    picture = damaged(london / "013_neutral.jpg", london / "002_neutral.jpg", draw=5)
    people = load_people([london / "002_smiling.jpg", london / "013_smiling.jpg"], recognition).people
    with pytest.raises(UnusedReferencesError, match="too little is left of the face to tell"):
        match_people(detect_and_embed(picture, recognition), people, "both.png")


def test_photographs_of_two_people_are_grouped(london: Path, recognition: FaceRecognition, tmp_path: Path) -> None:
    for name in ("002_neutral", "002_smiling", "013_neutral", "013_smiling"):
        shutil.copy(london / f"{name}.jpg", tmp_path / f"{name}.jpg")
    people = load_people([tmp_path], recognition).people
    assert [[photo.path.stem for photo in person.photos] for person in people] == [
        ["002_neutral", "002_smiling"],
        ["013_neutral", "013_smiling"],
    ]
    # a smile answers a smile
    seen = detect_and_embed(bicubic(load_picture(london / "002_smiling.jpg").pixels, 300, 300).clamp(0, 1), recognition)
    assert people[0].best_for(seen.faces.landmarks[0])[0].path.stem == "002_smiling"


def test_a_stranger_is_noticed(london: Path, recognition: FaceRecognition) -> None:
    seen = detect_and_embed(damaged(london / "002_neutral.jpg"), recognition)
    with pytest.raises(UnusedReferencesError, match=r"is not like 018_smiling\.jpg"):
        match_people(seen, load_people([london / "018_smiling.jpg"], recognition).people, "a.png")


def test_a_box_in_place_of_the_detector(london: Path, recognition: FaceRecognition) -> None:
    picture = damaged(london / "002_neutral.jpg")
    found = detect_and_embed(picture, recognition)
    left, top, right, bottom = found.faces.boxes[0].tolist()
    # as if it had not been found
    blind = replace(recognition, detector=lambda images: Faces.none())
    given = detect_and_embed(picture, blind, (left, top, right, bottom))
    distance = (given.faces.landmarks - found.faces.landmarks).norm(dim=2).mean()
    assert distance < 0.15 * found.faces.eye_distance()[0]
    people = load_people([london / "002_smiling.jpg"], recognition).people
    assert match_people(given, people, "a.png").matches[0] is not None
    # a box around a face that is found is that face, with the landmarks that were found
    around = detect_and_embed(picture, recognition, (left - 3, top - 3, right + 3, bottom + 3))
    assert torch.equal(around.faces.landmarks, found.faces.landmarks)


@pytest.mark.parametrize("person", ["008", "042"])
def test_around_the_face_a_reference_changes_nothing(london: Path, recognition: FaceRecognition, person: str) -> None:
    """People whom the weights have not seen, before an even wall, on which one pass leaves a rim."""
    restorer = PhotoRestorer.load("tiny")
    picture = Picture(damaged(london / f"{person}_neutral.jpg", draw=4, side=256))
    truth = bicubic(load_picture(london / f"{person}_neutral.jpg").pixels, 256, 256).clamp(0, 1)
    seen = detect_and_embed(picture.pixels, recognition)
    people = load_people([london / f"{person}_smiling.jpg"], recognition).people
    references = reference_faces(seen, match_people(seen, people, "a.png", force=True))
    without = restorer(picture, RestoreOptions()).picture.pixels
    confined = restorer(picture, RestoreOptions(), references).picture.pixels
    single = restorer(picture, RestoreOptions(confine_references=False), references).picture.pixels

    matrix = alignment_matrix(references.rescaled(4.0, 4.0).landmarks, 256)
    reach = lay_out_reach(matrix, 256, torch.tensor([0]), (1, 256, 256))[0, 0]
    # the decoder looks some pixels around, and its norms over the whole picture
    around = torch.nn.functional.max_pool2d(reach[None], 17, 1, 8)[0] == 0
    face = reach == 1
    assert around.sum() > 5000
    changes = [(result - without)[:, around].abs().mean().item() for result in (confined, single)]
    assert changes[0] < 0.2 * changes[1]
    assert psnr(confined[:, around], truth[:, around]) > psnr(single[:, around], truth[:, around])
    # the face itself is that of the one pass, but for the norms of the decoder and the colours
    assert (confined - single)[:, face].abs().mean() < 0.5 * (confined - without)[:, face].abs().mean()


def psnr(result: Tensor, truth: Tensor) -> float:
    return -10 * (result - truth).square().mean().log10().item()


def test_the_whole_command(london: Path, recognition: FaceRecognition, tmp_path: Path) -> None:
    settings = RestorerSettings(base="random:tiny", layout="placed")
    weights = tmp_path / "random.safetensors"
    save_weights(settings.build().generator_parameters(), settings, weights, ModelCard())
    save_picture(Picture(damaged(london / "013_neutral.jpg", london / "002_neutral.jpg")), tmp_path / "low.png")
    told = RestoreFilesOptions(
        [tmp_path / "low.png"],
        output=tmp_path / "out",
        reference=[london / "002_smiling.jpg", london / "013_smiling.jpg"],
        weights=str(weights),
        device="cpu",
        report=tmp_path / "report.json",
    )
    jobs = plan_request(told.inputs, told.output, tmp_path / "sheet.png")
    status = restore_files(jobs, RestoreOptions(scale=1.5), told)
    assert status == 0
    picture = json.loads((tmp_path / "report.json").read_text())["pictures"][0]
    assert picture["output_size"] == [384, 192]
    assert {face["person"] for face in picture["faces"]} == {"002_smiling.jpg", "013_smiling.jpg"}
    assert all(face["input_to_reference"] > 0.2 for face in picture["faces"])
    assert load_picture(tmp_path / "sheet.png").pixels.shape[1] > 192 + 2 * 320


def test_the_command_says_that_a_reference_does_not_smile(
    london: Path, recognition: FaceRecognition, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = RestorerSettings(base="random:tiny", layout="placed")
    weights = tmp_path / "random.safetensors"
    save_weights(settings.build().generator_parameters(), settings, weights, ModelCard())
    small = bicubic(load_picture(london / "103_smiling.jpg").pixels, 128, 128).clamp(0, 1)
    save_picture(Picture(small), tmp_path / "low.png")
    told = RestoreFilesOptions(
        [tmp_path / "low.png"],
        output=tmp_path / "out",
        reference=[london / "103_neutral.jpg"],
        weights=str(weights),
        device="cpu",
        report=tmp_path / "report.json",
    )
    status = restore_files(plan_request(told.inputs, told.output), RestoreOptions(scale=1.0), told)
    assert status == 0
    (note,) = json.loads((tmp_path / "report.json").read_text())["pictures"][0]["notes"]
    assert note.startswith("The face seems to have another expression than in 103_neutral.jpg: the mouths differ.")
    assert note in capsys.readouterr().err
