"""Training of the face detector: labels, scenes, targets, losses."""

from pathlib import Path

import numpy as np
import pytest
import torch

from faceops.detection.detectors.any_turn_network import Predictions
from faceops.detection.places import places_of
from faceops.geometry.faces import Faces
from faceops.images.files import Picture, save_picture
from portraitdata.face_finding.labels import (
    COLUMNS,
    LabelledPicture,
    agreed_faces,
    label_pictures,
    read_labels,
    write_labels,
)
from portraitdata.face_finding.losses import finder_losses, paired_overlaps, quality_focal_loss
from portraitdata.face_finding.picture_bank import bank
from portraitdata.face_finding.recall import RecallScores
from portraitdata.face_finding.scene_batch import Scene, SceneBatch, batch_scenes
from portraitdata.face_finding.scenes import SceneDrawer
from portraitdata.face_finding.targets import assign
from portraitdata.face_finding.views import moved, outlines, seen_through, view_matrix

POINTS = torch.tensor([[30.0, 40.0], [50.0, 40.0], [40.0, 50.0], [32.0, 60.0], [48.0, 60.0]])


def faces_at(*lefts: float, shift: float = 0.0) -> Faces:
    boxes = torch.tensor([[left + 20, 20.0, left + 60, 70.0] for left in lefts]).reshape(-1, 4)
    landmarks = torch.stack([POINTS + torch.tensor([left + shift, 0.0]) for left in lefts])
    return Faces(torch.zeros(len(lefts), dtype=torch.int64), boxes, landmarks, torch.ones(len(lefts)))


def test_labels_where_two_detectors_agree() -> None:
    image = torch.zeros(3, 100, 400)
    boxes, landmarks = agreed_faces(image, (lambda _: faces_at(0, 100), lambda _: faces_at(0, 200, shift=2.0)))
    assert boxes[:, 0].tolist() == [20, 120, 220]
    torch.testing.assert_close(landmarks[0], POINTS + torch.tensor([1.0, 0.0]))
    assert landmarks[1:].isnan().all()
    _, apart = agreed_faces(image, (lambda _: faces_at(0), lambda _: faces_at(0, shift=3.1)))  # 15.5 % of 20
    assert apart.isnan().all()
    boxes, landmarks = agreed_faces(image, (lambda _: Faces.none(), lambda _: faces_at(0)))
    assert boxes[:, 0].tolist() == [20]
    assert landmarks.isnan().all()


def test_a_photograph_that_cannot_be_read_is_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut short")
    save_picture(Picture(torch.zeros(3, 100, 400)), tmp_path / "b.png")
    files = [tmp_path / "a.jpg", tmp_path / "b.png"]
    found = list(label_pictures(files, (lambda _: faces_at(0), lambda _: faces_at(0))))
    assert [label.file.name for label in found] == ["b.png"]
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "a.jpg" in sentence
    assert sentence.endswith("It is left out.")


def test_a_table_and_back(tmp_path: Path) -> None:
    some = LabelledPicture(tmp_path / "a/b.jpg", faces_at(0, 100).boxes, faces_at(0, 100).landmarks.clone())
    some.landmarks[1] = torch.nan
    none = LabelledPicture(tmp_path / "c.jpg", torch.zeros(0, 4), torch.zeros(0, 5, 2))
    table = tmp_path / "faces.csv"
    assert write_labels([some, none], tmp_path, table) == (2, 1)
    again, empty = read_labels(table, tmp_path)
    assert (again.file, empty.file) == (some.file, none.file)
    torch.testing.assert_close(again.boxes, some.boxes)
    torch.testing.assert_close(again.landmarks, some.landmarks, equal_nan=True)
    assert again.sure.tolist() == [True, False]
    assert len(empty.boxes) == 0
    table.write_text("file\n")
    with pytest.raises(ValueError, match="is no table of face labels: its columns should be file, left"):
        read_labels(table, tmp_path)
    header = ",".join(COLUMNS)
    for line, said in {"a.jpg,1,2": "has 3 fields, wanted are 1 or 15", "a.jpg" + ",x" * 14: "hold numbers"}.items():
        table.write_text(f"{header}\nb.jpg\n{line}\n")
        with pytest.raises(ValueError, match=f"Line 3 of .*faces.csv .*{said}"):
            read_labels(table, tmp_path)


def drawn(tmp_path: Path) -> LabelledPicture:
    """Photograph of 200 x 200 pixels whose landmarks are dots on black."""
    pixels = torch.zeros(3, 200, 200)
    points = POINTS * 2
    for x, y in points.int().tolist():
        pixels[:, y - 3 : y + 4, x - 3 : x + 4] = 1.0
    save_picture(Picture(pixels), tmp_path / "dots.png")
    return LabelledPicture(tmp_path / "dots.png", torch.tensor([[40.0, 40.0, 120.0, 140.0]]), points[None])


@pytest.mark.parametrize(("roll", "scale", "mirror"), [(0.0, 1.0, False), (2.5, 0.6, False), (-1.0, 1.3, True)])
def test_landmarks_go_where_the_picture_goes(tmp_path: Path, roll: float, scale: float, mirror: bool) -> None:
    (picture,) = bank([drawn(tmp_path)])
    matrix = view_matrix((80.0, 90.0), (130.0, 120.0), scale, roll, (0.0005, -0.0003))
    view = seen_through(picture, matrix, (250, 260), mirror, (0, 0, 0))
    assert view.sure.tolist() == [True]
    for x, y in view.landmarks[0].round().astype(int):
        assert view.image[y, x].min() > 200
    eyes = view.landmarks[0, 1] - view.landmarks[0, 0]
    turned = np.arctan2(eyes[1], eyes[0])
    assert np.cos(turned - (-roll if mirror else roll)) > 0.99  # the eye on the left stays the first


def test_a_box_turned_by_a_quarter_changes_its_sides() -> None:
    outline = moved(
        view_matrix((50.0, 60.0), (0.0, 0.0), 1.0, np.pi / 2.0, (0.0, 0.0)),
        outlines(np.array([[30.0, 20.0, 70.0, 100.0]])),
    )
    assert outline[0].min(axis=0) == pytest.approx([-40, -20])
    assert outline[0].max(axis=0) == pytest.approx([40, 20])


def test_half_a_face_is_not_sure(tmp_path: Path) -> None:
    (picture,) = bank([drawn(tmp_path)])
    half = seen_through(picture, view_matrix((80.0, 90.0), (0.0, 100.0), 1.0, 0.0, (0.0, 0.0)), (200, 200), False, None)
    assert (len(half.boxes), half.sure.tolist()) == (1, [False])
    away = seen_through(
        picture, view_matrix((80.0, 90.0), (-60.0, 100.0), 1.0, 0.0, (0.0, 0.0)), (200, 200), False, None
    )
    assert len(away.boxes) == 0
    tiny = seen_through(
        picture, view_matrix((80.0, 90.0), (100.0, 100.0), 0.05, 0.0, (0.0, 0.0)), (200, 200), False, None
    )
    assert tiny.sure.tolist() == [False]


def test_scenes_of_a_seed_are_the_same(tmp_path: Path) -> None:
    drawer = SceneDrawer(bank([drawn(tmp_path)]), 128)
    first, again = (drawer.draw(np.random.default_rng(5)) for _ in range(2))
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.boxes, again.boxes)
    assert first.image.shape == (3, 128, 128)
    assert not torch.equal(first.image, drawer.draw(np.random.default_rng(6)).image)


def batch_with(*boxes: tuple[float, ...], sure: bool = True) -> SceneBatch:
    rows = torch.tensor(boxes).reshape(-1, 4)
    middle = (rows[:, :2] + rows[:, 2:]) / 2
    return batch_scenes(
        [
            Scene(
                torch.zeros(3, 128, 128, dtype=torch.uint8),
                rows,
                middle[:, None].expand(-1, 5, 2),
                torch.full((len(rows),), sure),
            )
        ]
    )


def test_every_size_has_a_place() -> None:
    places = places_of(128, 128)
    for side in (6, 8, 20, 35, 50, 75, 100, 128):
        for middle in (60.0, 61.3, 67.9):
            box = (middle - side / 2, middle - side / 2, middle + side / 2, middle + side / 2)
            assert (assign(batch_with(box), places).face == 0).any(), (side, middle)


def test_places_by_hand() -> None:
    """A face of 20 pixels around (64, 64): the place of stride 8 there, and none of the others, 8 pixels away."""
    places = places_of(128, 128)
    targets = assign(batch_with((54.0, 54.0, 74.0, 74.0)), places)
    learns = (targets.face[0] == 0).nonzero().squeeze(1)
    assert places[learns].tolist() == [[64.0, 64.0, 8.0]]
    ignored = places[targets.ignored[0]]
    assert sorted(ignored.tolist()) == [[56.0, 64.0, 8.0], [64.0, 56.0, 8.0], [64.0, 72.0, 8.0], [72.0, 64.0, 8.0]]


def test_the_nearer_face_gets_a_place_and_unsure_ones_none() -> None:
    places = places_of(128, 128)
    two = assign(batch_with((54.0, 54.0, 74.0, 74.0), (57.0, 54.0, 77.0, 74.0)), places)
    at_first = (places == torch.tensor([64.0, 64.0, 8.0])).all(dim=1)
    assert two.face[0][at_first].item() == 0
    unsure = assign(batch_with((54.0, 54.0, 74.0, 74.0), sure=False), places)
    assert (unsure.face == -1).all()
    assert unsure.ignored[0][at_first].item()
    assert not unsure.ignored[0][0].item()


def test_losses_of_perfect_predictions() -> None:
    batch, places = batch_with((54.0, 54.0, 74.0, 74.0)), places_of(128, 128)
    targets = assign(batch, places)
    logits = torch.where(targets.face >= 0, 30.0, -30.0)
    boxes = torch.zeros(1, len(places), 4)
    boxes[..., 2:] = torch.log(20 / places[:, 2:])
    perfect = finder_losses(Predictions(logits, boxes, torch.zeros(1, len(places), 5, 2)), places, batch, targets)
    assert [value.item() for value in perfect] == pytest.approx([0, 0, 0], abs=1e-5)
    aside = finder_losses(Predictions(logits, boxes, torch.ones(1, len(places), 5, 2)), places, batch, targets)
    assert aside.landmarks.item() == pytest.approx(16 / 20)  # a stride in x and in y, of a size of 20


def test_gradients_of_the_losses() -> None:
    torch.manual_seed(0)
    batch, places = batch_with((54.0, 50.0, 74.0, 78.0)), places_of(128, 128).double()
    batch = batch._replace(boxes=batch.boxes.double(), landmarks=batch.landmarks.double())
    targets = assign(batch, places)
    chosen = targets.face[0] >= 0
    targets = targets._replace(face=targets.face[:, chosen], ignored=targets.ignored[:, chosen])
    count = int(chosen.sum())
    boxes = (0.1 * torch.randn(1, count, 4)).double().requires_grad_()
    landmarks = torch.randn(1, count, 5, 2).double().requires_grad_()

    def geometric(boxes: torch.Tensor, landmarks: torch.Tensor) -> torch.Tensor:
        losses = finder_losses(
            Predictions(torch.zeros(1, count).double(), boxes, landmarks), places[chosen], batch, targets
        )
        return losses.box + losses.landmarks

    assert torch.autograd.gradcheck(geometric, (boxes, landmarks))
    logits = torch.randn(7).double().requires_grad_()
    quality = torch.rand(7).double()
    assert torch.autograd.gradcheck(lambda x: quality_focal_loss(x, quality), (logits,))


def test_overlap_of_one_box_with_itself() -> None:
    box = torch.tensor([[1.0, 2.0, 5.0, 9.0]])
    assert [value.item() for value in paired_overlaps(box, box)] == [1.0, 1.0]


def test_recall_by_hand() -> None:
    batch = batch_with((0.0, 0.0, 40.0, 40.0), (60.0, 60.0, 100.0, 100.0))
    batch.landmarks[0, 0] = torch.tensor([[10.0, 10.0], [30.0, 10.0], [20.0, 20.0], [12.0, 30.0], [28.0, 30.0]])
    boxes = torch.tensor([[0.0, 0.0, 40.0, 44.0], [0.0, 80.0, 30.0, 110.0]])
    landmarks = batch.landmarks[0, :1].expand(2, 5, 2) + 1.0
    scores = RecallScores()
    scores.add(Faces(torch.zeros(2, dtype=torch.int64), boxes, landmarks, torch.ones(2)), batch)
    taken = {name: value.item() for name, value in scores.taken().items()}
    assert taken == pytest.approx({"recall": 0.5, "false": 1.0, "eyes_off": 2**0.5 / 20})
    assert scores.taken()["recall"].item() == 0.0
