"""Second looks at faces that their landmarks turn upright, of stand-ins for a detector."""

import pytest
import torch
from torch import Tensor

from faceops.detection.leaning import rolls_of
from faceops.detection.turned_views import about
from faceops.detection.upright_look import UprightLook, look_upright
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import FFHQ_512
from faceops.geometry.similarity import apply
from faceops.geometry.warping import warp_affine
from tests.faceops.test_leaning import EYES, MOUTH, NOSE, MarkedEyes, picture


class EitherWay(MarkedEyes):
    """The stand-in that also knows mirrored faces, whose eyes have changed colours; no face is on its head."""

    def _face(self, image: Tensor, index: int) -> Faces | None:
        red, green = (self._middle(image[channel])[0] for channel in (0, 1))
        return super()._face(image[[1, 0, 2]] if red > green else image, index)


class Misplacing:
    """A stand-in for a first look: faces of known landmarks, misplaced and turned a little."""

    def __init__(self, landmarks: Tensor, score: float) -> None:
        self.landmarks, self.score = landmarks, score

    def __call__(self, images: Tensor) -> Faces:
        middle = self.landmarks.mean(dim=1)[0].tolist()
        wrong = apply(about(*middle, 20.0, 1.1, 1).float(), self.landmarks)
        wrong = wrong - wrong.mean(dim=1, keepdim=True) + self.landmarks.mean(dim=1, keepdim=True) + 4
        box = torch.cat([wrong.amin(dim=1), wrong.amax(dim=1)], dim=1)
        count = len(images)
        return Faces(
            torch.arange(count), box.repeat(count, 1), wrong.repeat(count, 1, 1), torch.full((count,), self.score)
        )


def landmarks_at(angle: float) -> Tensor:
    """Those of `picture` turned by an angle."""
    return apply(about(89.5, 89.5, angle, 1.0, 180).float(), torch.tensor([[*EYES, NOSE, *MOUTH]]))


@pytest.mark.parametrize("angle", [0.0, 50.0, 90.0, 180.0, -130.0])
def test_landmarks_are_found_where_the_face_is_upright(angle: float) -> None:
    """The network sees half of a lean: looked at again, turned by what was seen first, a quarter of it is left."""
    wanted = landmarks_at(angle)
    first = Misplacing(wanted, 0.8)
    assert (first(picture(angle)).landmarks - wanted).norm(dim=-1).max() > 8
    images = torch.cat([picture(angle), picture(angle)])
    faces = UprightLook(first, EitherWay(), 0.5, sides=(128, 160))(images)
    assert faces.image_index.tolist() == [0, 1]
    assert (faces.landmarks - wanted).norm(dim=-1).max() < 7.5  # what ten degrees are at the mouth
    again = look_upright(EitherWay(), images, faces, (160,))
    assert (again.landmarks - wanted).norm(dim=-1).max() < 4
    assert ((rolls_of(again) - angle + 180) % 360 - 180).abs().max() == pytest.approx(5, abs=0.5)


def test_a_mirrored_look_is_not_the_other_eye() -> None:
    """A detector that always errs to the right errs to the left in the mirror: the mean is right."""

    def leaning_to_the_right(images: Tensor) -> Faces:
        points = FFHQ_512.scaled(128).tensor().float()[None] + torch.tensor([3.0, 0.0])
        box = torch.tensor([[30.0, 30.0, 96.0, 100.0]])
        count = len(images)
        return Faces(torch.arange(count), box.repeat(count, 1), points.repeat(count, 1, 1), torch.full((count,), 0.9))

    points = FFHQ_512.scaled(128).tensor().float()[None] * 2 + 7
    known = Faces(torch.tensor([0]), torch.tensor([[50.0, 50.0, 200.0, 200.0]]), points, torch.tensor([0.5]))
    (face,) = look_upright(leaning_to_the_right, torch.rand(1, 3, 300, 300), known, (128,)).landmarks
    # the mirrored template is not quite the template: its eyes differ by a fifth of a pixel in 128
    torch.testing.assert_close(face, points[0], rtol=0, atol=1.5)


def test_the_score_is_the_mean_of_both_looks() -> None:
    face = Misplacing(landmarks_at(0.0), 0.7)
    seen = look_upright(EitherWay(), picture(), face(picture()), (128,))
    assert 0.7 < seen.scores.item() < (0.7 + 0.95) / 2
    lost = look_upright(EitherWay(), torch.zeros(1, 3, 180, 180), face(picture()), (128,))
    assert lost.scores.item() == pytest.approx(0.35)
    torch.testing.assert_close(lost.landmarks, face(picture()).landmarks)


def test_what_is_not_seen_again_is_no_face() -> None:
    face = Misplacing(landmarks_at(0.0), 0.9)
    assert len(UprightLook(face, EitherWay(), 0.5)(torch.zeros(1, 3, 180, 180))) == 0
    assert len(UprightLook(face, EitherWay(), 0.4)(torch.zeros(1, 3, 180, 180))) == 1


def test_one_face_that_was_found_twice_is_one() -> None:
    class Twice(Misplacing):
        def __call__(self, images: Tensor) -> Faces:
            face = super().__call__(images)
            aside = Faces(face.image_index, face.boxes + 25, face.landmarks + 6, face.scores - 0.2)
            return Faces.concatenate([face, aside])

    image = warp_affine(picture(), torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]), 180)
    assert len(UprightLook(Twice(landmarks_at(0.0), 0.9), EitherWay(), 0.5)(image)) == 1


def test_no_face_and_landmarks_in_one_place() -> None:
    nothing = UprightLook(lambda images: Faces.none(images.device), EitherWay(), 0.5)
    assert len(nothing(picture())) == 0
    point = Faces(torch.tensor([0]), torch.zeros(1, 4), torch.ones(1, 5, 2), torch.ones(1))
    assert len(UprightLook(lambda _: point, EitherWay(), 0.5)(picture())) == 0


class Upright(MarkedEyes):
    """The stand-in that sees nothing but a face whose blue mouth is below its eyes."""

    def _face(self, image: Tensor, index: int) -> Faces | None:
        face = super()._face(image, index)
        below = face is not None and self._middle(image[2])[1] > face.landmarks[0, :2, 1].mean()
        return face if below else None


@pytest.mark.parametrize("angle", [0.0, 90.0, 180.0, -90.0])
def test_a_face_whose_turn_was_taken_for_another_is_found(angle: float) -> None:
    """The first look is a quarter turn off; the network sees nothing that leans by more than an eighth."""
    image = picture()
    image[0, 2, 96:105, 86:95] = 1
    image = warp_affine(image, about(89.5, 89.5, angle, 1.0, 180).float(), 180)
    wanted = landmarks_at(angle)
    middle = wanted.mean(dim=1, keepdim=True)
    box = torch.cat([middle[:, 0] - 40, middle[:, 0] + 40], dim=1)
    across, down = (wanted - middle).unbind(dim=2)
    lying = middle + torch.stack((-down, across), dim=2)
    first = Faces(torch.tensor([0]), box, lying, torch.tensor([0.9]))
    network = Upright(blind_beyond=45)
    faces = UprightLook(lambda _: first, network, 0.5)(image)
    assert len(faces) == 1
    assert (faces.landmarks - wanted).norm(dim=-1).max() < 4
    unsure = Faces(first.image_index, box, lying, torch.tensor([0.45]))
    assert not len(UprightLook(lambda _: unsure, network, 0.5)(image))
