"""Exemplars brought to the face of the input."""

import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor

from faceops.detection.selection import build_detector
from faceops.geometry.faces import Faces
from faceops.geometry.similarity import least_squares_similarity
from faceops.geometry.warping import warp_affine
from faceops.images.files import Picture, load_picture, save_picture
from hime import cli
from hime.network import HIME
from hime.upscaling.exemplars import Exemplar, align_exemplars, cover, input_landmarks
from hime.upscaling.picture_upscaling import upscale
from portraitdata.images.resampling import bicubic

POINTS = torch.tensor([[22.0, 24.0], [43.0, 26.0], [33.0, 34.0], [25.0, 45.0], [41.0, 46.0]])
"""Landmarks in an output of 64 x 64 pixels; no two sides alike."""


class Known:
    """Detector that knows the landmarks in images of some sizes, and finds nothing in others."""

    def __init__(self, landmarks: dict[tuple[int, int], Tensor]) -> None:
        self.landmarks = landmarks

    def __call__(self, images: Tensor) -> Faces:
        points = self.landmarks.get(tuple(images.shape[-2:]))
        if points is None:
            return Faces.none()
        box = torch.cat((points.amin(0), points.amax(0)))
        return Faces(torch.tensor([0]), box[None], points[None], torch.ones(1))


def smooth(side: int, seed: int = 0) -> Tensor:
    noise = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return bicubic(noise, side, side).clamp(0, 1)


def moved(points: Tensor, matrix: Tensor) -> Tensor:
    return points @ matrix[:, :2].T + matrix[:, 2]


def test_a_turned_and_shifted_copy_comes_back() -> None:
    truth = smooth(64)
    matrix = torch.tensor([[1.8, -0.5, 40.0], [0.5, 1.8, 22.0]])  # enlarged, turned by 15 degrees, shifted
    exemplar = warp_affine(truth[None], matrix[None], (190, 201))[0]
    # the small input is enlarged to 128 pixels for the detector: twice the output
    known = Known({(128, 128): (POINTS + 0.5) * 2 - 0.5, (190, 201): moved(POINTS, matrix)})
    aligned = align_exemplars(bicubic(truth, 16, 16), [Exemplar.seen_by(known, exemplar)], 4, known)
    assert aligned.input_has_face
    assert aligned.without_face == ()
    assert (aligned.images[0] - truth)[:, 2:-2, 2:-2].abs().max() < 0.02
    assert (cover(exemplar, 64, 64) - truth).abs().mean() > 0.1


def test_convention_landmarks_are_pixel_centres_of_the_output() -> None:
    # the top left low-resolution pixel of four is centred at 1.5 of the output, not at 0
    known = Known({(128, 256): torch.full((5, 2), 3.5)})
    landmarks = input_landmarks(torch.rand(3, 16, 32), 4, known)
    assert landmarks is not None
    assert landmarks.tolist() == [[1.5, 1.5]] * 5


def test_the_middle_where_there_is_no_face() -> None:
    lr, photographs = smooth(16), [smooth(100, 1), smooth(90, 2)]
    known = Known({(128, 128): POINTS, (100, 100): POINTS})
    exemplars = [Exemplar.seen_by(known, photograph) for photograph in photographs]
    aligned = align_exemplars(lr, exemplars, 4, known)
    assert aligned.without_face == (1,)
    torch.testing.assert_close(aligned.images[1], cover(photographs[1], 64, 64))
    blind = align_exemplars(lr, exemplars, 4, Known({}))
    assert (blind.input_has_face, blind.without_face) == (False, ())
    torch.testing.assert_close(blind.images[0], cover(photographs[0], 64, 64))
    assert align_exemplars(lr, [], 4, known).images.shape == (0, 3, 64, 64)


def test_a_strip_is_not_enlarged_by_the_square_of_its_length() -> None:
    seen: list[int] = []

    def noting(images: Tensor) -> Faces:
        seen.extend(images.shape[-2:])
        return Faces.none()

    align_exemplars(torch.rand(3, 4, 3000), [Exemplar(smooth(64))], 4, noting)
    assert max(seen) <= 4096


def test_what_has_no_face_is_said() -> None:
    network = HIME(4, channels=8, hr_blocks=1, lr_blocks=1, reconstruction_blocks=1, offset_channels=8, offset_layers=1)
    low, photographs = Picture(smooth(16)), [Picture(smooth(100, 1)), Picture(smooth(90, 2))]
    with pytest.warns(UserWarning, match="No face was found in exemplar 2: of such an exemplar the middle is taken"):
        upscale(network, low, photographs, detector=Known({(128, 128): POINTS, (100, 100): POINTS}))
    with pytest.warns(UserWarning, match="No face was found in the picture, so the exemplars are not aligned"):
        upscale(network, low, photographs, detector=Known({}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        upscale(network, low, detector=Known({}))


@pytest.mark.assets
@pytest.mark.parametrize("side", [16, 32])
def test_a_real_face_sixteen_pixels_wide_is_found(assets: Path, side: int) -> None:
    portrait = load_picture(assets / "images/portraits/london_ccby4/002_neutral.jpg").pixels
    detector = build_detector()
    landmarks = detector(portrait[None]).largest().landmarks[0]
    # the head, framed as the weights want it: eyes 43 pixels apart in 128, where they lie in LFW
    framed = torch.tensor([[43.0, 52.0], [86.0, 51.0], [65.0, 77.0], [46.0, 97.0], [84.0, 96.0]])
    matrix = least_squares_similarity(landmarks[None], framed)
    truth = warp_affine(portrait[None], matrix, 128, antialias=True)[0]
    exemplar = load_picture(assets / "images/portraits/london_ccby4/002_smiling.jpg").pixels
    seen = Exemplar.seen_by(detector, exemplar)
    aligned = align_exemplars(bicubic(truth, side, side).clamp(0, 1), [seen], 128 // side, detector)
    assert aligned.input_has_face
    wanted, got = (detector(image[None]).largest().landmarks[0] for image in (truth, aligned.images[0]))
    assert (wanted - got).norm(dim=1).mean() < 6


@pytest.mark.assets
def test_the_command_aligns_by_faces(
    assets: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    portrait = load_picture(assets / "images/portraits/london_ccby4/002_neutral.jpg").pixels
    save_picture(Picture(bicubic(portrait[:, 200:1200, 175:1175], 32, 32).clamp(0, 1)), tmp_path / "low.png")
    exemplar = assets / "images/portraits/london_ccby4/002_smiling.jpg"

    def run(name: str, *options: str) -> Tensor:
        command = ["hime", "upscale", tmp_path / "low.png", "--exemplars", exemplar, "--output", tmp_path / name]
        monkeypatch.setattr(sys, "argv", [*map(str, command), *options])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 0
        return load_picture(tmp_path / name).pixels

    by_default, by_faces, by_middle = run("a.png"), run("b.png", "--align", "faces"), run("c.png", "--align", "middle")
    level = 1.1 / 255  # each run loads the networks anew, and rounding may go the other way
    torch.testing.assert_close(by_default, by_faces, rtol=0, atol=level)
    assert (by_default - by_middle).abs().max() > 10 * level
