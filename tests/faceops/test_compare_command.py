import json
import shutil

import pytest
import torch

from faceops.commands import compare as compare_command
from faceops.commands.compare import run_compare
from faceops.commands.options import CompareOptions
from faceops.commands.pictures import NoFaceError
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import ARCFACE_112
from faceops.images.files import Picture, save_picture
from faceops.recognition.identity import THRESHOLDS
from faceops.recognition.identity_networks.encoder import FaceEncoder, InputConvention


class Colour(torch.nn.Module):
    """A stand-in for a recognition network: the mean colour of the face."""

    def forward(self, x):
        return x.mean(dim=(2, 3)) + 1


def one_face(images):
    """A stand-in for a detector: one face in every picture but black ones."""
    if images.max() == 0:
        return Faces.none()
    points = ARCFACE_112.scaled(40).tensor().float().unsqueeze(0)
    return Faces(torch.tensor([0]), torch.tensor([[0.0, 0.0, 40.0, 40.0]]), points, torch.tensor([0.9]))


@pytest.fixture
def stand_ins(monkeypatch):
    monkeypatch.setattr(compare_command, "build_detector", lambda name: one_face)
    encoder = FaceEncoder(Colour(), InputConvention(), "colour", threshold=0.9)
    monkeypatch.setattr(compare_command, "build_identity", lambda name: encoder)
    return encoder


@pytest.fixture
def coloured(tmp_path):
    """Pictures of one colour each."""
    paths = {}
    colours = {"red": (1.0, 0.1, 0.1), "rose": (0.9, 0.2, 0.2), "green": (0.0, 1.0, 0.0), "black": (0.0, 0.0, 0.0)}
    for name, colour in colours.items():
        paths[name] = tmp_path / f"{name}.png"
        save_picture(Picture(torch.tensor(colour).reshape(3, 1, 1).expand(3, 40, 40)), paths[name])
    return paths


@pytest.mark.usefixtures("stand_ins")
def test_json_has_similarity_verdict_and_threshold(coloured, capsys):
    run_compare(CompareOptions(coloured["red"], coloured["rose"], json=True))
    result = json.loads(capsys.readouterr().out)
    assert sorted(result) == ["same_person", "similarity", "threshold"]
    assert result["same_person"] is True
    assert result["threshold"] == 0.9
    run_compare(CompareOptions(coloured["red"], coloured["green"], json=True))
    result = json.loads(capsys.readouterr().out)
    assert result["same_person"] is False
    assert result["similarity"] < 0.2


@pytest.mark.usefixtures("stand_ins")
def test_the_line_for_people_names_threshold_and_network(coloured, capsys):
    run_compare(CompareOptions(coloured["red"], coloured["red"]))
    assert capsys.readouterr().out == "similarity 1.000: probably the same person (threshold 0.900 of colour)\n"
    run_compare(CompareOptions(coloured["red"], coloured["rose"], threshold=1.0))
    assert "probably different people (threshold 1.000" in capsys.readouterr().out


@pytest.mark.usefixtures("stand_ins")
def test_no_face_is_a_sentence(coloured):
    with pytest.raises(NoFaceError, match=r"No face was found in .*black\.png\."):
        run_compare(CompareOptions(coloured["red"], coloured["black"]))


def test_a_network_without_a_threshold_wants_one(stand_ins, coloured):
    stand_ins.threshold = None
    with pytest.raises(ValueError, match="Nobody has measured a threshold for colour; give one"):
        run_compare(CompareOptions(coloured["red"], coloured["rose"]))
    with pytest.raises(ValueError, match="between -1 and 1, got 40"):
        run_compare(CompareOptions(coloured["red"], coloured["rose"], threshold=40.0))


@pytest.mark.assets
@pytest.mark.parametrize("network", THRESHOLDS)
def test_real_people(assets, tmp_path, monkeypatch, capsys, network):
    monkeypatch.setenv("FACEOPS_CACHE", str(tmp_path))
    for file in (assets / "weights/identity").iterdir():
        shutil.copy(file, tmp_path)
    portraits = assets / "images/portraits/london_ccby4"
    answers = []
    for other in ("002_smiling.jpg", "005_neutral.jpg"):
        run_compare(CompareOptions(portraits / "002_neutral.jpg", portraits / other, network=network, json=True))
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0]["threshold"] == THRESHOLDS[network]
    assert [answer["same_person"] for answer in answers] == [True, False]
    assert answers[0]["similarity"] > 0.6
    assert answers[1]["similarity"] < 0.2
