"""``faceops detect``."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from torch import Tensor

from faceops.commands import detect
from faceops.commands.detect import face_records, run_detect, summary
from faceops.commands.options import DetectOptions
from faceops.detection.drawing import BOX_COLOUR, POINT_COLOURS, draw_faces
from faceops.geometry.faces import Faces
from faceops.images.files import Picture, load_picture, save_picture


def two_faces() -> Faces:
    points = torch.tensor([[10.0, 12.0], [20.0, 12.0], [15.0, 17.0], [11.0, 22.0], [19.0, 22.0]])
    return Faces(
        torch.zeros(2, dtype=torch.int64),
        torch.tensor([[5.0, 5.0, 25.0, 27.0], [31.123, 5.0, 50.0, 27.0]]),
        torch.stack([points, points + 25]),
        torch.tensor([0.9, 0.65432]),
    )


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a picture with two faces (bright) and one with none, and the detector that says so."""

    def build(name: str, weights: str | None, threshold: float | None, *, tiny: bool) -> Callable[[Tensor], Faces]:
        return lambda images: two_faces() if images.mean() > 0.5 else Faces.none()

    monkeypatch.setattr(detect, "build_detector", build)
    folder = tmp_path / "pictures"
    folder.mkdir()
    save_picture(Picture(torch.ones(3, 40, 60)), folder / "bright.png")
    save_picture(Picture(torch.zeros(3, 40, 60)), folder / "dark.png")
    return folder


def test_json(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_detect(DetectOptions([pictures], json=True)) == 0
    bright, dark = json.loads(capsys.readouterr().out)
    assert dark == {"image": str(pictures / "dark.png"), "faces": []}
    assert bright["image"] == str(pictures / "bright.png")
    assert list(bright["faces"][0]) == ["box", "score", "landmarks", "eye_distance"]
    assert bright["faces"][0] == {
        "box": [5.0, 5.0, 25.0, 27.0],
        "score": 0.9,
        "landmarks": [[10.0, 12.0], [20.0, 12.0], [15.0, 17.0], [11.0, 22.0], [19.0, 22.0]],
        "eye_distance": 10.0,
    }
    assert bright["faces"][1]["box"][0] == 31.12
    assert bright["faces"][1]["score"] == 0.6543


def test_lines(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_detect(DetectOptions([pictures / "bright.png", pictures / "dark.png"])) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{pictures / 'bright.png'}: 2 faces, eyes 10, 10 pixels apart",
        f"{pictures / 'dark.png'}: no face",
    ]


def test_a_bad_file_among_others(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pictures / "text.jpg").write_text("a letter")
    assert run_detect(DetectOptions([pictures, pictures / "absent.png"], json=True)) == 1
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)) == 2
    first, second = printed.err.splitlines()
    assert "text.jpg is not an image" in first
    assert "There is no file" in second


def test_drawings(pictures: Path, tmp_path: Path) -> None:
    assert run_detect(DetectOptions([pictures], draw=tmp_path / "drawn")) == 0
    assert sorted(file.name for file in (tmp_path / "drawn").iterdir()) == ["bright.png.png", "dark.png.png"]
    drawn = load_picture(tmp_path / "drawn/bright.png.png").pixels * 255
    assert drawn[:, 12, 10].tolist() == list(POINT_COLOURS[0])  # the left eye, at x 10 and y 12
    assert drawn[:, 12, 20].tolist() == list(POINT_COLOURS[1])
    assert drawn[:, 15, 5].tolist() == pytest.approx(BOX_COLOUR, abs=40)  # lines are smoothed
    assert drawn[:, 38, 2].tolist() == [255] * 3


def test_drawing_leaves_the_image_alone() -> None:
    image = torch.ones(3, 40, 60)
    assert not torch.equal(draw_faces(image, two_faces()), image)
    assert image.min() == 1


def test_where_drawings_cannot_go(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is a file, but a folder is needed"):
        run_detect(DetectOptions([pictures], draw=tmp_path / "file"))
    other = tmp_path / "other"
    other.mkdir()
    save_picture(Picture(torch.ones(3, 4, 4)), other / "dark.png")
    with pytest.raises(ValueError, match="would have the same name; draw them apart"):
        run_detect(DetectOptions([pictures, other / "dark.png"], draw=tmp_path / "drawn"))


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="There are no pictures in"):
        run_detect(DetectOptions([tmp_path]))


def test_records_and_summary_of_one_face() -> None:
    face = two_faces().select(torch.tensor([0]))
    assert summary(Path("a.jpg"), face) == "a.jpg: 1 face, eyes 10 pixels apart"
    assert len(face_records(face)) == 1


@pytest.mark.assets
def test_real_pictures(assets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = assets / "images/portraits/lisa_cc0/lisa1.jpg"
    save_picture(Picture(torch.rand(3, 1, 1)), tmp_path / "one.png")
    assert run_detect(DetectOptions([picture, tmp_path / "one.png"], json=True)) == 0
    found, none = json.loads(capsys.readouterr().out)
    assert none["faces"] == []
    assert len(found["faces"]) == 1
    assert found["faces"][0]["eye_distance"] == pytest.approx(159, abs=8)


def test_drawings_of_folders_in_folders(pictures: Path, tmp_path: Path) -> None:
    (pictures / "deep").mkdir()
    (pictures / "bright.png").rename(pictures / "deep/dark.png")
    assert run_detect(DetectOptions([pictures], draw=tmp_path / "drawn", recursive=True)) == 0
    names = [path.relative_to(tmp_path / "drawn").as_posix() for path in sorted((tmp_path / "drawn").rglob("*.png"))]
    assert names == ["dark.png.png", "deep/dark.png.png"]


def test_drawings_replace_nothing_unasked(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_picture(Picture(torch.ones(3, 4, 4)), pictures / "dark.png.png")
    with pytest.raises(ValueError, match=r"dark\.png\.png is an input and would be replaced by a drawing"):
        run_detect(DetectOptions([pictures], draw=pictures, overwrite=True))
    drawn = tmp_path / "drawn"
    drawn.mkdir()
    (drawn / "dark.png.png").write_text("mine")
    assert run_detect(DetectOptions([pictures / "dark.png"], draw=drawn)) == 2
    assert "dark.png.png exists already; give --overwrite to replace it" in capsys.readouterr().err
    assert (drawn / "dark.png.png").read_text() == "mine"
    assert run_detect(DetectOptions([pictures / "dark.png"], draw=drawn, overwrite=True)) == 0
    assert load_picture(drawn / "dark.png.png").pixels.shape == (3, 40, 60)


def test_drawings_that_cannot_be_written_are_refused_before_any_work(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="file is a file, but a folder is needed there"):
        run_detect(DetectOptions([pictures], draw=tmp_path / "file/x"))


def test_warnings_are_sentences_about_a_picture(
    pictures: Path, capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    files = [pictures / "d.tif", pictures / "e.tif"]
    for file in files:
        tifffile.imwrite(file, np.full((40, 60, 3), 1.2, np.float32), photometric="rgb")
    assert run_detect(DetectOptions(files)) == 0
    wanted = [f"{file}: Floats from 1.2 to 1.2 are clipped to 0 and 1." for file in files]
    assert capsys.readouterr().err.splitlines() == wanted
    assert not recwarn.list


def test_a_name_as_long_as_names_can_be_has_a_drawing(pictures: Path, tmp_path: Path) -> None:
    long = (pictures / "bright.png").rename(pictures / ("a" * 251 + ".png"))
    assert run_detect(DetectOptions([long], draw=tmp_path / "drawn")) == 0
    assert [file.name for file in (tmp_path / "drawn").iterdir()] == ["a" * 251 + ".png"]
    other = pictures / ("a" * 251 + ".jpg")
    other.write_bytes(long.read_bytes())
    with pytest.raises(ValueError, match="would have the same name; draw them apart"):
        run_detect(DetectOptions([long, other], draw=tmp_path / "drawn", overwrite=True))
