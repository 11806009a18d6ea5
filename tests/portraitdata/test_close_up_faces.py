"""Close-ups to learn landmarks from: the same for a seed, and the picture where its landmarks say."""

import numpy as np
import pytest
import torch

from faceops.detection.exact_landmarks.landmark_network import SIDE, WINDOW
from portraitdata.face_finding import close_up_faces
from portraitdata.face_finding.close_up_faces import DrawnCloseUps, jitter, upright
from portraitdata.face_finding.picture_bank import BankedPicture
from portraitdata.face_finding.views import moved
from tests.portraitdata.test_face_finding_expressions import POINTS, dotted


def dots(sure: bool = True, factor: float = 1.0) -> BankedPicture:
    """A face of dots; its surroundings are black."""
    box = np.array([[45.0, 40.0, 155.0, 175.0]])
    return BankedPicture((dotted(POINTS),), box * factor, POINTS[None] * factor, np.array([sure]))


def test_close_ups_of_a_seed_are_the_same() -> None:
    first, again = (DrawnCloseUps([dots()], 10, 3)[7] for _ in range(2))
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.landmarks, again.landmarks)
    assert not torch.equal(first.landmarks, DrawnCloseUps([dots()], 10, 3)[8].landmarks)
    assert first.image.shape == (3, SIDE, SIDE)


def test_the_picture_is_where_the_landmarks_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for change in ("lit", "damaged"):
        monkeypatch.setattr(close_up_faces, change, lambda image, rng: image)
    monkeypatch.setattr(close_up_faces, "cover", lambda image, box, rng: None)
    drawn = DrawnCloseUps([dots()], 30, 0)
    for number in range(30):
        close_up = drawn[number]
        image = close_up.image.permute(1, 2, 0).numpy()
        for x, y in close_up.landmarks.tolist():
            ys, xs = np.mgrid[:SIDE, :SIDE]
            near = (xs - x) ** 2 + (ys - y) ** 2 < 9
            assert image[..., 0][near].max() == image[..., 0][(xs - x) ** 2 + (ys - y) ** 2 < 25].max() > 60


def test_a_face_without_jitter_is_in_the_window() -> None:
    matrix = upright(2 * WINDOW.tensor().numpy() + 17)
    there = moved(matrix, 2 * WINDOW.tensor().numpy() + 17)
    np.testing.assert_allclose(there, WINDOW.tensor().numpy(), atol=1e-6)


def test_a_first_look_is_off_by_a_little() -> None:
    rng = np.random.default_rng(0)
    corners = np.array([[0.0, 0.0], [SIDE - 1, 0.0], [(SIDE - 1) / 2, (SIDE - 1) / 2]])
    found = np.stack([moved(jitter(rng), corners) for _ in range(2000)])
    middle = found[:, 2] - (SIDE - 1) / 2
    assert middle.std(axis=0) == pytest.approx([0.05 * SIDE] * 2, rel=0.1)
    edge = found[:, 1] - found[:, 0]
    assert np.degrees(np.arctan2(edge[:, 1], edge[:, 0])).std() == pytest.approx(8, rel=0.1)
    assert np.log(np.hypot(*edge.T) / (SIDE - 1)).std() == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize("picture", [dots(sure=False), dots(factor=0.2)])
def test_faces_that_teach_nothing_are_left_out(picture: BankedPicture) -> None:
    with pytest.raises(ValueError, match="no face to draw from whose eyes are at least 16 pixels apart"):
        DrawnCloseUps([picture], 10, 0)
    assert len(DrawnCloseUps([picture, dots()], 10, 0).faces) == 1
