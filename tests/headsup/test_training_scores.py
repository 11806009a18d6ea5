"""Scores of a validation, by hand: pictures of one colour each."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from faceops.geometry.alignment import alignment_matrix
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import ARCFACE_112, FFHQ_512, Template
from headsup.losses.face_identity import FaceIdentity
from headsup.losses.lpips import PerceptualDistance
from headsup.training.scores import RestorationScores
from portraitdata.restoration.batches import RestorationBatch

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

TRUTH, RESTORED, INPUT = (
    [(1.0, 1.0, 0.0), (0.0, 1.0, 0.0)],
    [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0)],
    [(0.0, 0.0, 1.0), (0.0, 0.6, 0.8)],
)


class Colours(nn.Module):
    """Mean colour of a face, of length one."""

    input_template: Template = ARCFACE_112
    input_size = 112

    def forward(self, aligned):
        return F.normalize(aligned.mean(dim=(2, 3)), dim=1)


class Distance(PerceptualDistance):
    """Ten times the mean absolute difference, in the place of LPIPS."""

    calibrated = False

    def __init__(self) -> None:
        nn.Module.__init__(self)

    def forward(self, images, targets):
        return 10 * (images - targets).abs().mean(dim=(1, 2, 3))


def flat(colours: list[tuple[float, float, float]], size: int) -> torch.Tensor:
    return torch.tensor(colours)[:, :, None, None].expand(-1, -1, size, size).clone()


def batch() -> RestorationBatch:
    """Two pictures with a face in each; the second one has a reference."""
    landmarks = FFHQ_512.scaled(24).tensor().float().expand(2, 5, 2) + 4.0
    known = torch.tensor([False, True])
    return RestorationBatch(
        lq=flat(INPUT, 16),
        hq=flat(TRUTH, 32),
        reference=flat([(0.0, 0.0, 0.0), (0.6, 0.8, 0.0)], 512),
        present=known,
        mask=torch.zeros(2, 1, 32, 32, dtype=torch.bool),
        faces=Faces(torch.arange(2), torch.zeros(2, 4), landmarks, torch.ones(2)),
        referenced=torch.tensor([-1, 1]),
        prompts=["", ""],
        names=["a", "b"],
        same_person=known,
        matrices=alignment_matrix(landmarks),
    )


def flat_ssim(colour: tuple[float, ...], other: tuple[float, ...]) -> float:
    """SSIM of flat pictures: only its first factor differs from 1."""
    channels = zip(colour, other, strict=True)
    return sum((2 * a * b + 1e-4) / (a * a + b * b + 1e-4) for a, b in channels) / 3


def test_scores_are_those_of_the_restored_and_of_the_enlarged_pictures() -> None:
    scores = RestorationScores(Distance(), FaceIdentity(Colours()), face_size=64)
    scores.update(flat(RESTORED, 32), batch())
    found = {name: value.item() for name, value in scores.compute().items()}
    ssim, ssim_bicubic = (
        sum(flat_ssim(own, true) for own, true in zip(pictures, TRUTH, strict=True)) / 2
        for pictures in (RESTORED, INPUT)
    )
    # squared errors: restored 1/3 and 0, where 80 dB are the most; enlarged 1 and (0.16 + 0.64) / 3
    expected = {
        "psnr": (10 * math.log10(3) + 80) / 2,
        "psnr_bicubic": (0 + 10 * math.log10(3 / 0.8)) / 2,
        "ssim": ssim,
        "ssim_bicubic": ssim_bicubic,
        "perceptual": (10 / 3 + 0) / 2,
        "perceptual_bicubic": (10 + 4) / 2,
        "identity": (math.sqrt(0.5) + 1) / 2,
        "identity_bicubic": (0 + 0.6) / 2,
        "identity_to_reference": 0.8,
    }
    assert found == pytest.approx(expected, abs=1e-4)


def test_without_networks_there_are_scores_of_the_pictures_alone() -> None:
    scores = RestorationScores(None, None, face_size=64)
    scores.update(flat(TRUTH, 32), batch())
    found = scores.compute()
    assert found.keys() == {"psnr", "ssim", "psnr_bicubic", "ssim_bicubic"}
    assert found["psnr"].item() == pytest.approx(80, abs=1e-3)
    assert found["ssim"].item() == pytest.approx(1)
