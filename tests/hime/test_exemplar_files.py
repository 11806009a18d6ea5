"""Exemplar files: each seen once, kept in few bytes, and counted together."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor

from faceops.geometry.faces import Faces
from faceops.images.errors import TooLargeImageError
from faceops.images.files import Picture, load_picture, save_picture
from faceops.images.jobs import Job
from faceops.images.memory_budget import DECODING_BYTES, memory_budget
from hime.command_options import UpscaleOptions
from hime.network import HIME
from hime.upscaling import files
from hime.upscaling.exemplar_files import read_exemplars
from hime.upscaling.exemplars import Exemplar
from hime.upscaling.files import Setup, run_job, upscale_files
from hime.upscaling.jobs import plan_upscaling
from hime.upscaling.memory import tile_bytes, whole_bytes
from hime.upscaling.picture_upscaling import upscale
from hime.upscaling.tiling import Tiling
from hime.weights.files import save_weights
from hime.weights.model_card import ModelCard


class CountingDetector:
    """Finds a face in the middle of whatever it sees, and counts the sizes that it saw."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[int, int]] = Counter()

    def __call__(self, images: Tensor) -> Faces:
        height, width = images.shape[-2:]
        self.seen[height, width] += 1
        points = torch.tensor([[0.35, 0.4], [0.65, 0.4], [0.5, 0.55], [0.4, 0.7], [0.6, 0.7]])
        landmarks = (points * torch.tensor([width, height])).float()[None]
        return Faces(torch.tensor([0]), torch.tensor([[0.0, 0.0, width, height]]), landmarks, torch.ones(1))


@pytest.fixture(scope="module")
def network() -> HIME:
    torch.manual_seed(0)
    return HIME(4, channels=8, hr_blocks=1, lr_blocks=1, reconstruction_blocks=1, offset_channels=8, offset_layers=1)


def drawn(path: Path, height: int, width: int) -> Path:
    path.parent.mkdir(exist_ok=True)
    save_picture(Picture(torch.rand(3, height, width, generator=torch.Generator().manual_seed(height))), path)
    return path


def test_each_exemplar_is_looked_at_once_for_a_folder_of_inputs(
    network: HIME, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_weights(network, tmp_path / "net.safetensors", ModelCard())
    for number in range(3):
        drawn(tmp_path / f"low/{number}.png", 16, 16)
    for side in (70, 80):
        drawn(tmp_path / f"photographs/{side}.png", side, 90)
    detector = CountingDetector()
    monkeypatch.setattr(files, "exemplar_detector", lambda align: detector)
    told = UpscaleOptions(
        tmp_path / "low", output=tmp_path / "out", exemplars=(tmp_path / "photographs",), device="cpu"
    )
    assert upscale_files(plan_upscaling(told), told, str(tmp_path / "net.safetensors")) == 0
    assert detector.seen == {(70, 90): 1, (80, 90): 1, (128, 128): 3}  # small inputs are enlarged to 128 pixels
    photographs = [load_picture(tmp_path / f"photographs/{side}.png") for side in (70, 80)]
    wanted = upscale(network, load_picture(tmp_path / "low/0.png"), photographs, detector=detector)
    made = load_picture(tmp_path / "out/0.png").pixels
    torch.testing.assert_close(made, wanted.picture.pixels, rtol=0, atol=0.51 / 255)


def test_three_bytes_a_pixel_are_kept(tmp_path: Path) -> None:
    paths = [drawn(tmp_path / "a.png", 40, 50), drawn(tmp_path / "b.png", 30, 20)]
    kept = read_exemplars(paths, None)
    assert [file.kept_bytes for file in kept] == [3 * 40 * 50, 3 * 30 * 20]
    for file, path in zip(kept, paths, strict=True):
        assert torch.equal(file.exemplar.pixels, load_picture(path).pixels)
    deep = torch.rand(3, 20, 20)
    torch.testing.assert_close(Exemplar(deep).in_bytes().pixels, deep, rtol=0, atol=0.501 / 255)


def test_exemplars_are_refused_by_their_sum(tmp_path: Path) -> None:
    paths = [drawn(tmp_path / f"{number}.png", 100, 100) for number in range(5)]
    needed = 5 * 3 * 100**2 + DECODING_BYTES * 100**2
    with memory_budget(needed / 1e9):
        assert len(read_exemplars(paths, None)) == 5
    sentence = (
        r"The 5 exemplars have 0\.05 megapixels together, .* raise that limit, or give fewer or smaller exemplars"
    )
    with memory_budget((needed - 1) / 1e9):
        with pytest.raises(TooLargeImageError, match=sentence):
            read_exemplars(paths, None)
        assert len(read_exemplars(paths[:4], None)) == 4


def test_what_is_kept_leaves_less_for_the_result(network: HIME, tmp_path: Path) -> None:
    job = Job(drawn(tmp_path / "low.png", 16, 16), tmp_path / "out.png", "low.png")
    setup = Setup(network, read_exemplars([drawn(tmp_path / "a.png", 64, 64)], None), Tiling(), None, None, {})
    needed = 3 * 64**2 + whole_bytes(64**2, 1, maps=False, sheet=False) + tile_bytes(network, 16, 16, 1)
    with memory_budget((needed - 1) / 1e9), pytest.raises(TooLargeImageError, match="even in small tiles"):
        run_job(job, setup)
    with memory_budget(needed / 1e9):
        run_job(job, setup)
    assert job.output.is_file()
