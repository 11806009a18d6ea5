"""The tables that judge a restorer on people outside its training, on drawn pictures and random weights."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks import command_line as command
from benchmarks.headsup import (
    front_picture,
    judged_methods,
    public_methods,
    restorer_clothes,
    restorer_damage,
    restorer_groups,
    restorer_references,
    restorer_sheet,
)
from benchmarks.headsup.damage import Damage
from benchmarks.headsup.methods import Method, enlarged, reference_faces
from benchmarks.headsup.original_portraits import Portrait, spread_names
from benchmarks.headsup.other_days import moved
from benchmarks.headsup.restorer_damage import over_first
from benchmarks.headsup.samples import Sample
from benchmarks.headsup.scores import Judges
from benchmarks.measures.laplacian_band import PixelGrid
from benchmarks.peers.kept_results import kept
from benchmarks.peers.packaged_weights import NoPackageError
from benchmarks.reporting.catalogue import benchmarks
from benchmarks.reporting.table import LeftOutError
from benchmarks.running import belongs
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import FFHQ_512
from faceops.images.files import Picture, save_picture
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.restoring.public_restorers.public_restorer import Maker, PublicRestorer
from headsup.weights.shipped import find_weights
from hime.weights.shipped import find_weights as hime_file
from portraitdata.images.simulated_views import astronaut
from portraitdata.scoring.metric import Column, TensorMetric
from portraitdata.scoring.psnr import psnr

SIDE = 128


def portrait(person: str, seed: int, name: str = "") -> Portrait:
    """A smooth picture whose whole is an aligned face."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 8, 8, generator=generator)
    truth = nn.functional.interpolate(coarse, (SIDE, SIDE), mode="bilinear").mul(255).round()[0] / 255
    points = FFHQ_512.scaled(SIDE).tensor().float().unsqueeze(0)
    box = torch.tensor([[32.0, 32.0, 96.0, 96.0]])
    face = Faces(torch.tensor([0]), box, points, torch.ones(1))
    return Portrait(name or f"{person}_{seed}", person, truth, face, truth)


def two_people() -> list[Portrait]:
    """Two photographs of each."""
    return [portrait("a", 1), portrait("a", 2), portrait("b", 3), portrait("b", 4)]


def simple_judges(*_: object) -> Judges:
    """PSNR and the grid, which need no weights."""
    return Judges((TensorMetric(Column("psnr", "", higher_is_better=True), psnr), PixelGrid()), {"NIQE": "x"})


def test_results_are_kept_by_input_and_size(tmp_path: Path) -> None:
    calls = []

    def method(sample: Sample) -> Tensor:
        calls.append(sample.name)
        return enlarged(sample)

    once = kept(method, tmp_path)
    given = portrait("a", 1).sample(Damage(4), 0)
    assert torch.equal(once(given), once(given))
    np.testing.assert_allclose(once(given), enlarged(given), atol=0.5 / 255 + 1e-6)
    once(portrait("a", 1).sample(Damage(2), 0))
    assert len(calls) == 2


def test_damage_has_its_size_and_is_the_same_every_time() -> None:
    truth = portrait("a", 1).truth
    for damage in (Damage(4), Damage(2, quality=35), Damage(1, "mild"), Damage(4, "realesrgan")):
        low = damage(truth, 3)
        assert low.shape == (3, SIDE // damage.scale, SIDE // damage.scale)
        assert torch.equal(low, damage(truth, 3))
        torch.testing.assert_close(low.mul(255), low.mul(255).round(), atol=1e-3, rtol=0)
    assert torch.equal(Damage(1)(truth, 0), truth)


def test_gains_are_over_the_first_row() -> None:
    rows = over_first("clean", [("bicubic", 30.0, ""), ("a", "", 1.0), ("b", 29.0, 2.0)])
    assert rows == [("clean", "bicubic", 30.0, 0.0, ""), ("clean", "a", "", "", 1.0), ("clean", "b", 29.0, -1.0, 2.0)]


def test_names_are_spread() -> None:
    assert spread_names("abc", None) == spread_names("abc", 9) == ["a", "b", "c"]
    assert spread_names("abcde", 1) == ["a"]


def test_faces_of_a_part_are_moved() -> None:
    face = portrait("a", 1).face
    there = moved(face, 10, -5)
    assert there.boxes.tolist() == [[42.0, 27.0, 106.0, 91.0]]
    torch.testing.assert_close(there.landmarks, face.landmarks + torch.tensor([10.0, -5.0]))


def test_references_of_a_sample() -> None:
    one, two, three, _ = two_people()
    sample = one.sample(Damage(4), 0, [two, three])
    assert sample.reference is two.aligned
    assert len(sample.further) == 1
    faces = reference_faces(sample, most=3)
    assert torch.equal(faces.references[0], two.aligned)
    torch.testing.assert_close((faces.landmarks + 0.5) * 4 - 0.5, one.face.landmarks)


def test_pairs_of_references() -> None:
    people = two_people()
    names = [(one.name, other.name) for one, other in restorer_references.other_expressions(people)]
    assert names == [("a_1", "a_2"), ("a_2", "a_1"), ("b_3", "b_4"), ("b_4", "b_3")]
    names = [(one.name, other.name) for one, other in restorer_references.next_people(people)]
    assert names == [("a_1", "b_3"), ("a_2", "b_4"), ("b_3", "a_1"), ("b_4", "a_2")]


@pytest.fixture
def drawn_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn portraits instead of photographs, a bicubic instead of the compact network, and simple judges."""
    for module in (restorer_damage, restorer_references):
        monkeypatch.setattr(module, "restoration_judges", simple_judges)
    monkeypatch.setattr(restorer_damage, "everybody", lambda side, limit: two_people()[:limit])
    days = [[portrait(person, seed) for seed in range(10, 14)] for person in "cd"]
    for module in (restorer_references, restorer_clothes, restorer_sheet):
        monkeypatch.setattr(module, "londoners", lambda side, every=1: two_people()[::every])
    for module in (restorer_references, restorer_sheet):
        monkeypatch.setattr(module, "people_of_other_days", lambda count, photos: [some[:photos] for some in days])
    monkeypatch.setattr(judged_methods, "real_esrgan", lambda: enlarged)
    monkeypatch.setattr(judged_methods, "real_esrgan_x4plus", missing)


def missing() -> Method:
    raise NoPackageError("needs the package x")


@pytest.mark.usefixtures("drawn_people")
def test_table_of_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restorer_damage, "DAMAGES", {"quick": (Damage(4), Damage(4, "mild"))})
    monkeypatch.setattr(restorer_damage, "PORTRAITS", {"quick": 1})
    (table,) = restorer_damage.measure("quick")
    assert table.columns == ("damage, truth", "method", "PSNR", "over bicubic, dB", "2 px grid")
    assert [row[:2] for row in table.rows[:3]] == [
        ("none, 512 px", "truth"),
        ("clean x4, 512 px", "bicubic"),
        ("clean x4, 512 px", "Real-ESRGAN compact"),
    ]
    assert len(table.rows) == 1 + 2 * 4
    assert table.rows[0][2:4] == ("", "")
    assert table.rows[1][3] == 0.0
    assert "Without NIQE: needs x. Without Real-ESRGAN x4plus: needs the package x." in table.note


@pytest.mark.usefixtures("drawn_people")
def test_table_of_references(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restorer_references, "DAMAGES", (Damage(4, "mild"),))
    (table,) = restorer_references.measure("quick")
    kinds = dict.fromkeys(row[0] for row in table.rows)
    assert [kind.split(",")[0] for kind in kinds] == ["another expression", "a stranger", "another day"]
    methods = [row[1] for row in table.rows if str(row[0]).startswith("a stranger")]
    assert methods == ["reference pasted", "ours, with reference"]
    assert len(table.rows) == 4 + 2 + 4


@pytest.mark.usefixtures("drawn_people")
def test_table_of_clothes() -> None:
    (table,) = restorer_clothes.measure("quick")
    assert [row[1] for row in table.rows] == ["bicubic", "Real-ESRGAN compact", "ours", "ours, fidelity 1"]


@pytest.mark.usefixtures("drawn_people")
def test_sheets_show_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restorer_sheet, "LEAST", 64)
    (table,) = restorer_sheet.measure("quick")
    assert [row[0] for row in table.rows] == ["a_2", "b_3", "c_10", "d_10"]
    assert [row[2] for row in table.rows] == [1, 1, 3, 3]
    assert len(table.pictures) == 2
    assert all(image.shape[1] >= 64 and image.shape[2] >= 7 * 64 for image in table.pictures.values())


@pytest.mark.usefixtures("drawn_people")
def test_picture_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_picture, "WHITE_HOUSE", tmp_path)
    monkeypatch.setattr(front_picture, "restoration_judges", simple_judges)
    with pytest.raises(LeftOutError, match=r"needs photographs of the White House .*pip download"):
        front_picture.measure("quick")
    for name in ("obama", "obama2"):
        save_picture(Picture(astronaut()), tmp_path / f"{name}.jpg")
    monkeypatch.setattr(front_picture, "PRESIDENT", front_picture.HEAD)
    (table,) = front_picture.measure("quick")
    methods = ["bicubic", "Real-ESRGAN compact"]
    assert [row[1] for row in table.rows] == [*methods, "ours", *methods, "ours, with the reference"]
    (picture,) = table.pictures.values()
    assert (
        picture.shape[2] > 5 * front_picture.SIDE
    )  # input, bicubic, ours, original and the reference of the second row


def test_large_network_is_left_out_where_its_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judged_methods, "real_esrgan", lambda: enlarged)
    monkeypatch.setattr(judged_methods, "real_esrgan_x4plus", missing)
    found = judged_methods.rivals()
    assert list(found.methods) == ["bicubic", "Real-ESRGAN compact"]
    assert found.remark == "Without Real-ESRGAN x4plus: needs the package x."


def test_large_network_gets_our_face(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judged_methods, "real_esrgan", lambda: enlarged)
    monkeypatch.setattr(judged_methods, "real_esrgan_x4plus", lambda: lambda sample: torch.zeros(3, SIDE, SIDE))
    blended = judged_methods.blended(judged_methods.rivals(), PhotoRestorer.load())
    (method,) = blended.values()
    assert list(blended) == ["blending, Real-ESRGAN x4plus + our face"]
    picture = method(portrait("a", 1).sample(Damage(4), 0))
    assert picture[:, SIDE // 2, SIDE // 2].sum() > 0.1  # the face is ours
    assert picture[:, 0, 0].abs().max() < 1e-3  # what is far from it is the other's


class Filled(nn.Module):
    """Paints everything in one shade."""

    def __init__(self, shade: float, scale: int) -> None:
        super().__init__()
        self.shade, self.scale = shade, scale

    def forward(self, image: Tensor) -> Tensor:
        return torch.full((1, 3, image.shape[2] * self.scale, image.shape[3] * self.scale), self.shade)


def test_public_restorers_have_rows_by_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def painter(shade: float, maker: Maker) -> PublicRestorer:
        return PublicRestorer(Filled(shade, maker.scale), maker, public_methods.CPU)

    known = {"general": painter(0.25, Maker("SwinIR", 2)), "face": painter(1.0, Maker("GFPGAN", face_side=512))}
    monkeypatch.setattr(public_methods, "load_spandrel", lambda path, device: known[path.stem])
    monkeypatch.setattr(public_methods, "compact", lambda: painter(0.5, Maker("Real-ESRGAN compact", 4)))
    monkeypatch.setattr(judged_methods, "real_esrgan", lambda: enlarged)
    for name in known:
        (tmp_path / f"{name}.pth").touch()
    files = os.pathsep.join(f"{name.title()}={tmp_path / name}.pth" for name in known)
    monkeypatch.setenv("PORTRAIT_RESTORERS", files)
    rows = judged_methods.rivals().methods
    assert list(rows) == ["bicubic", "Real-ESRGAN compact", "General", "blending, Real-ESRGAN compact + Face"]
    given = portrait("a", 1).sample(Damage(4), 0)
    assert torch.equal(rows["General"](given), torch.full((3, SIDE, SIDE), 0.25))
    blended = rows["blending, Real-ESRGAN compact + Face"](given)
    # the whole picture is an aligned face: its middle is the face's restorer's, its border fades into the other's
    torch.testing.assert_close(blended[:, 32:96, 32:96], torch.ones(3, 64, 64), atol=1e-4, rtol=0)
    torch.testing.assert_close(blended[:, 0, 0], torch.full((3,), 0.5), atol=1e-2, rtol=0)
    (tmp_path / "face.pth").unlink()
    with pytest.raises(FileNotFoundError, match=r"PORTRAIT_RESTORERS names .*face\.pth, but there is no such file"):
        judged_methods.rivals()
    monkeypatch.setenv("PORTRAIT_RESTORERS", "face.pth")
    with pytest.raises(ValueError, match="PORTRAIT_RESTORERS has NAME=FILE, several with"):
        judged_methods.rivals()


def test_other_weights_have_a_folder_and_tables_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert command.output_of(None) == command.OUTPUT
    quick = [name for name, each in benchmarks().items() if belongs(each, "quick", "w.safetensors")]
    assert quick == ["restorer_damage", "restorer_references", "restorer_clothes"]
    for arguments in (["hime_table1"], ["restorer_damage", "--publish"], ["--resume"]):
        monkeypatch.setattr("sys.argv", ["benchmarks", *arguments, "--weights", "w.safetensors"])
        with pytest.raises(SystemExit):
            command.parsed()
    file = tmp_path / "w.safetensors"
    file.write_bytes(find_weights("tiny").read_bytes())
    monkeypatch.setattr("sys.argv", ["benchmarks", "restorer_damage", "--weights", str(file)])
    assert command.parsed().output == Path("outputs/benchmarks/weights/w")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--weights", "nofile.safetensors"], "There is no weights file nofile.safetensors"),
        (["--weights", "small-x4"], "small-x4"),
        (["--weights", str(hime_file("small-x4"))], "holds no weights of headsup export; others are judged on sets"),
        (["--threads", "0"], "--threads is 1 at least, got 0"),
    ],
)
def test_mistakes_are_told_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", "restorer_damage", *arguments])
    with pytest.raises(SystemExit) as ended:
        command.parsed()
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


def test_error_of_a_group_is_that_of_the_change() -> None:
    people = [restorer_groups.Person(name, 20, "female", "white") for name in "ab"]
    gains = {people[0]: restorer_groups.Gain(1.0, 0.5, 0.25), people[1]: restorer_groups.Gain(3.0, 0.875, 0.625)}
    row = restorer_groups.group_rows("mild x4", gains)[0]
    assert row[:5] == ("mild x4", "women", 2, 2.0, 1.0)
    assert row[5:] == (0.4375, 0.6875, 0.0)  # both gain as much, however different they are
