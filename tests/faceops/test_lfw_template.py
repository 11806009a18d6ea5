"""The frame of Labeled Faces in the Wild: aligned to it, its photographs stay nearly where they are."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from faceops.detection.selection import build_detector
from faceops.geometry.alignment import alignment_matrix
from faceops.geometry.landmarks import LFW_250


@pytest.mark.assets
def test_photographs_of_it_are_framed_so(assets: Path) -> None:
    with tarfile.open(assets / "images/lfw_min4_max10.tar") as archive:
        members = [member for member in archive if member.isfile()][::300]
        files = [archive.extractfile(member) for member in members]
        arrays = [np.asarray(Image.open(io.BytesIO(file.read())).convert("RGB")) for file in files if file is not None]
    images = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float() / 255
    faces = build_detector()(images).largest()
    matrix = alignment_matrix(faces.landmarks, LFW_250.size, LFW_250, "least_squares")
    scale, turn = torch.linalg.det(matrix[:, :, :2]).sqrt(), torch.atan2(matrix[:, 1, 0], matrix[:, 0, 0]).rad2deg()
    assert len(faces) >= 12
    assert scale.median() == pytest.approx(1, abs=0.05)
    assert turn.median() == pytest.approx(0, abs=2)
    moved = matrix @ torch.tensor([124.5, 124.5, 1.0]) - 124.5
    assert moved.median(dim=0).values.abs().max() < 5
