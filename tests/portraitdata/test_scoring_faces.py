import pytest
import torch
from torch import nn

from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import FFHQ_512
from faceops.metrics.ida import angles
from faceops.metrics.seam_scores import seam_scores
from faceops.recognition.identity_networks.encoder import FaceEncoder, InputConvention
from portraitdata.scoring.face_geometry import FaceEmbedder, FaceFinder, aligned_face
from portraitdata.scoring.face_metrics import (
    boundary_metric,
    daefr_ida_metric,
    ida_metric,
    identity_metric,
    landmark_metric,
    reference_identity_metric,
)
from portraitdata.scoring.metric import ImagePair, NoFaceInImageError

SIDE = 96


class Colours(nn.Module):
    """Stands in for a recognition network: the mean colour of the face."""

    def forward(self, x):
        return x.mean(dim=(2, 3))


class Squares:
    """Stands in for a detector: a face of 40 pixels at every pixel whose red is exactly 1; counts its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, images):
        self.calls += 1
        points = FFHQ_512.scaled(40).tensor().float()
        places = (images[0, 0] == 1).nonzero().flip(1).float()
        boxes = torch.cat((places, places + 40 + places[:, :1] / 10), dim=1)  # those to the right are larger
        return Faces(
            torch.zeros(len(places), dtype=torch.int64),
            boxes,
            points + places[:, None],
            torch.full((len(places),), 0.9),
        )


def picture(*places, fill=(0.2, 0.4, 0.6)):
    image = torch.tensor(fill).reshape(1, 3, 1, 1).repeat(1, 1, SIDE, SIDE)
    for x, y in places:
        image[0, 0, y, x] = 1
    return image


@pytest.fixture
def embedder():
    return FaceEmbedder(FaceFinder(Squares()), FaceEncoder(Colours(), InputConvention(), "colours"), "colours")


def pair(**images):
    return ImagePair("ada", **({"restored": picture((10, 10)), "target": picture((10, 10))} | images))


def test_the_same_image_is_the_same_person(embedder):
    same = pair()
    assert identity_metric(embedder)(same)[0] == pytest.approx(1, abs=1e-6)
    assert ida_metric(embedder)(same)[0] == pytest.approx(0, abs=1e-6)
    assert identity_metric(embedder).columns[0].convention == "cosine, colours"


def test_id_and_ida_are_cosine_and_angle_of_one_pair_of_embeddings(embedder):
    other = pair(restored=picture((10, 10), fill=(0.9, 0.1, 0.1)))
    ours, theirs = embedder(other)
    (cosine,), (angle,) = identity_metric(embedder)(other), ida_metric(embedder)(other)
    assert cosine == pytest.approx((ours @ theirs.T).item(), abs=1e-6)
    assert cosine < 0.9
    assert angle == pytest.approx(angles(ours, theirs).item(), abs=1e-6)
    assert embedder.finder.detector.calls == 1, "the face is sought once, on the target"


def test_convention_the_geometry_is_the_targets(embedder):
    # a bright face where the target has its face; the restored image's own mark is elsewhere
    target, restored = picture((10, 10)), picture((50, 50))
    restored[0, 1, 10:50, 10:50] = 1.0
    ours, _ = embedder(pair(restored=restored, target=target))
    elsewhere, _ = embedder(pair(restored=restored, target=picture((50, 50))))
    assert ours[0, 1] > elsewhere[0, 1] + 0.3


def test_the_largest_face_counts():
    detector = Squares()
    faces = FaceFinder(detector).target(pair(target=picture((5, 5), (50, 5))))
    assert len(faces) == 1
    assert faces.boxes[0, 0] == 50


def test_another_pair_is_looked_at_anew(embedder):
    first, second = pair(), pair(restored=picture((10, 10), fill=(0.9, 0.1, 0.1)))
    values = [identity_metric(embedder)(shown)[0] for shown in (first, second, first)]
    assert values[0] == values[2] != values[1]


def test_no_face_names_image_and_role(embedder):
    with pytest.raises(NoFaceInImageError, match="No face was found in the target ada") as caught:
        identity_metric(embedder)(pair(target=picture()))
    assert (caught.value.name, caught.value.role) == ("ada", "target")
    with pytest.raises(NoFaceInImageError, match="in the reference ada"):
        reference_identity_metric(embedder)(pair(reference=picture()))
    with pytest.raises(NoFaceInImageError, match="in the restored image ada"):
        landmark_metric(embedder.finder)(pair(restored=picture()))


def test_reference_is_of_any_size_and_may_be_absent(embedder):
    assert reference_identity_metric(embedder)(pair()) == (None,)
    reference = nn.functional.pad(picture((30, 20)), (0, 20, 0, 8), value=0.3)
    assert reference_identity_metric(embedder)(pair(reference=reference))[0] == pytest.approx(1, abs=0.01)


def test_the_reference_is_compared_with_the_restored_face(embedder):
    """Even if the target is somebody else's."""
    reference = picture((10, 10), fill=(0.9, 0.1, 0.1))
    like, unlike = (
        reference_identity_metric(embedder)(pair(restored=restored, target=target, reference=reference))[0]
        for restored, target in ((reference, picture((10, 10))), (picture((10, 10)), reference))
    )
    assert like == pytest.approx(1, abs=1e-6)
    assert unlike < 0.9


def test_landmarks_are_measured_by_the_distance_of_the_true_eyes():
    found = landmark_metric(FaceFinder(Squares()))(pair(restored=picture((13, 14)), target=picture((10, 10))))
    assert found[0] == pytest.approx(5 / FFHQ_512.scaled(40).eye_distance(), rel=1e-4)


def test_a_face_elsewhere_is_not_the_targets():
    with pytest.raises(NoFaceInImageError, match="restored image ada"):
        landmark_metric(FaceFinder(Squares()))(pair(restored=picture((50, 50)), target=picture((5, 5))))


def test_the_face_at_the_targets_place_is_taken_even_if_another_is_larger():
    found = landmark_metric(FaceFinder(Squares()))(pair(restored=picture((10, 10), (50, 50)), target=picture((10, 10))))
    assert found == (0.0,)


def test_aligned_sets_need_no_detector():
    finder = FaceFinder(None, aligned=True)
    embedder = FaceEmbedder(finder, FaceEncoder(Colours(), InputConvention(), "colours"), "colours")
    assert identity_metric(embedder)(pair())[0] == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(finder.target(pair()).landmarks[0], FFHQ_512.scaled(SIDE).tensor().float())
    with pytest.raises(ValueError, match="ada is 96 x 48 pixels; aligned faces are square"):
        aligned_face(picture()[:, :, :48], "ada")
    with pytest.raises(ValueError, match="Landmarks of aligned faces need a detector"):
        finder.detected(pair())
    with pytest.raises(ValueError, match="not aligned need a detector"):
        FaceFinder(None)


class GreyMeans(nn.Module):
    """Stands in for DAEFR's network: means of the four quarters of a grey face."""

    def forward(self, faces):
        assert faces.shape[1:] == (1, 128, 128)
        return nn.functional.avg_pool2d(faces, 64).flatten(1)


def test_ida_daefr_sees_aligned_images_as_they_are():
    generator = torch.Generator().manual_seed(0)
    restored, target = torch.rand(2, 1, 3, 512, 512, generator=generator)
    target[..., :256] *= 0.1
    metric = daefr_ida_metric(FaceFinder(None, aligned=True), GreyMeans())
    weights = torch.tensor([0.1140, 0.5870, 0.2989]).reshape(3, 1, 1)
    # bilinear from 512 to 128 takes the middle two of every four pixels
    grey = [
        (image * weights).sum(dim=1)[0].unfold(0, 4, 4).unfold(1, 4, 4)[..., 1:3, 1:3] for image in (restored, target)
    ]
    x, y = (g.mean(dim=(2, 3)).reshape(2, 64, 2, 64).mean(dim=(1, 3)).flatten() for g in grey)
    expected = torch.nn.functional.cosine_similarity(x, y, dim=0).arccos().item()
    assert metric(ImagePair("a", restored, target))[0] == pytest.approx(expected, abs=1e-4)


def test_ida_daefr_aligns_what_is_not_aligned():
    metric = daefr_ida_metric(FaceFinder(Squares()), GreyMeans())
    assert metric(pair())[0] == pytest.approx(0, abs=1e-6)


def test_boundary_is_that_of_faceops_beyond_the_target_and_needs_a_mask():
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(1, 3, SIDE, SIDE, generator=generator) * 0.1 + 0.4
    mask = torch.zeros(1, 1, SIDE, SIDE)
    mask[:, :, 24:72, 24:72] = 1
    restored = target + 0.1 * mask
    found = boundary_metric()(ImagePair("a", restored, target, mask=mask))
    assert found == (pytest.approx(seam_scores(restored, mask, target).total.item()),)
    assert found[0] > 1
    assert boundary_metric()(ImagePair("a", restored, target)) == (None,)
    assert boundary_metric()(ImagePair("a", restored, target, mask=0 * mask)) == (None,)
