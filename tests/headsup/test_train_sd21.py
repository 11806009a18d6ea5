"""The commands of `docs/train-sd21.md`, on a model of Stable Diffusion 2.1's layout with few channels."""

import json
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor

import headsup.cli
import portraitdata.cli
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import ARCFACE_112, Template
from faceops.images.files import Picture, load_picture, save_picture
from headsup.restoring import files
from headsup.restoring.references.face_recognition import FACE_BOX_LANDMARKS, FaceRecognition
from headsup.weights.files import read_weights
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.index.synthetic_index import draw_scene
from tests.support.small_sd21 import write_small_sd21
from tests.support.synthetic_build import write_synthetic_build

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"^```bash\n(.*?)^```", (ROOT / "docs/train-sd21.md").read_text(), re.MULTILINE | re.DOTALL)
COMMANDS = [shlex.split(line) for block in BLOCKS for line in block.replace("\\\n", " ").splitlines()]

BUILD = "build_configs/portraitsr_4k.yaml"
STAGES = "lightning_configs/headsup/sd21_stage1.yaml", "lightning_configs/headsup/sd21_stage2.yaml"
LAST = "runs/headsup/version_{}/checkpoints/last.ckpt"
TAGGER = "tests.support.small_sd21.LetterTagger"

SMALL_RUN = shlex.split(
    "--trainer.accelerator cpu --trainer.devices 1 --trainer.strategy auto --trainer.precision 32-true"
    " --trainer.val_check_interval 2 --trainer.log_every_n_steps 1 --trainer.num_sanity_val_steps 0"
    " --trainer.enable_progress_bar false --trainer.enable_model_summary false"
    " --checkpoint.every_n_train_steps 2"
    " --data.init_args.size 64 --data.init_args.samples 16 --data.init_args.validation_images 1"
    " --data.init_args.num_workers 0"
    " --model.init_args.restorer.base sd21 --model.init_args.face_size 64"
    " --model.init_args.perceptual null --model.init_args.identity null --model.init_args.weights.identity 0"
)
"""Sizes in place of the paper's, and none of the networks that would have to be fetched."""

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")


class FaceInTheMiddle:
    """Finds a face that fills the middle of every picture."""

    def __call__(self, images: Tensor) -> Faces:
        height, width = images.shape[2:]
        box = torch.tensor([0.25 * width, 0.25 * height, 0.75 * width, 0.75 * height])
        points = box[:2] + torch.tensor(FACE_BOX_LANDMARKS) * (box[2:] - box[:2])
        count = len(images)
        return Faces(torch.arange(count), box.repeat(count, 1), points.repeat(count, 1, 1), torch.ones(count))


class OnePerson:
    """Takes all faces for the same one."""

    input_template: Template = ARCFACE_112
    input_size: int = 112

    def __call__(self, aligned: Tensor) -> Tensor:
        return torch.ones(len(aligned), 1)


def draw(path: Path, person: int, portrait: int, size: int = 96) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scene = np.ascontiguousarray(draw_scene(person, portrait, size)[0])
    save_picture(Picture(torch.from_numpy(scene).permute(2, 0, 1) / 255), path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands run: the project's configs, a base model, pictures, and what the build would have left."""
    monkeypatch.chdir(tmp_path)
    Path("lightning_configs").symlink_to(ROOT / "lightning_configs")
    write_small_sd21(Path("sd21"))
    write_synthetic_build(Path("builds/portraitsr-4k"))
    for number, name in enumerate(("ffhq/images1024x1024", "lsdir", "DIV2K_train_HR"), start=10):
        for portrait in range(2):
            draw(Path("data", name, f"{portrait}.png"), number, portrait)
    draw(Path("old.jpg"), 0, 0, 32)
    draw(Path("sharp.jpg"), 0, 1)
    return tmp_path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs a command of the page with more words."""

    def run(words: list[str], *more: str) -> None:
        program = {"headsup": headsup.cli.main, "portraitdata": portraitdata.cli.main}[words[0]]
        monkeypatch.setattr(sys, "argv", [TAGGER if word == "dape" else word for word in words] + list(more))
        with pytest.raises(SystemExit) as ended:
            program()
        assert not ended.value.code, words

    return run


def of(program: str, command: str) -> list[list[str]]:
    """Commands of the page."""
    return [words for words in COMMANDS if words[:2] == [program, command]]


def indexes() -> list[str]:
    """Indexes that stage one trains on."""
    data = yaml.safe_load((ROOT / STAGES[0]).read_text())["data"]["init_args"]
    return [source["index"] for source in data["sources"]]


def test_the_names_fit_one_another() -> None:
    build = yaml.safe_load((ROOT / BUILD).read_text())["output"]
    made = [f"{build}/shards", *(words[words.index("--output") + 1] for words in of("portraitdata", "portrait-index"))]
    first, second = (yaml.safe_load((ROOT / stage).read_text()) for stage in STAGES)
    assert of("portraitdata", "build") == [["portraitdata", "build", "--config", BUILD]]
    assert of("portraitdata", "verify") == [["portraitdata", "verify", made[0]]]
    assert indexes() == [source["index"] for source in second["data"]["init_args"]["sources"]] == made
    assert first["data"]["init_args"]["validation"] == made[0]
    assert [words[2] for words in of("portraitdata", "tag")] == made
    assert second["ckpt_path"] == LAST.format(0)
    (export,), (merge,), (restore,) = (of("headsup", name) for name in ("export", "merge", "restore"))
    assert export[2] == LAST.format(1)
    weights = export[export.index("--output") + 1]
    assert merge[2] == restore[restore.index("--weights") + 1] == weights


def test_every_command_is_run_or_only_fetches() -> None:
    names = [(words[0], words[1]) for words in COMMANDS]
    data = ["build", "verify", *["portrait-index"] * 3, *["tag"] * 4]
    assert [name for program, name in names if program == "portraitdata"] == data
    assert [name for program, name in names if program == "headsup"] == ["fit", "fit", "export", "merge", "restore"]
    assert {program for program, _ in names} == {"portraitdata", "headsup", "faceops"}
    assert {name for program, name in names if program == "faceops"} == {"weights"}


def test_the_page_runs(folder: Path, run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    run(*of("portraitdata", "verify"))
    for words in of("portraitdata", "portrait-index"):
        faces = [] if "--no-faces" in words else ["--no-faces"]  # a detector would have to be fetched
        run(words, *faces, "--workers", "1")
    for words in of("portraitdata", "tag"):
        run(words, "--workers", "0", "--device", "cpu")
    for name in indexes():
        assert PortraitIndex.read(Path(name)).has_text, name

    first, second = of("headsup", "fit")
    run(first, *SMALL_RUN, "--trainer.max_steps", "2")
    run(second, *SMALL_RUN, "--trainer.max_steps", "4")
    before, after = (torch.load(LAST.format(version), weights_only=True) for version in (0, 1))
    assert (before["global_step"], after["global_step"]) == (2, 4)
    assert any(not value.equal(before["state_dict"][name]) for name, value in after["state_dict"].items())
    assert len(after["optimizer_states"]) == 2  # generator and regularizer
    assert all(entry["step"] == 4 for state in after["optimizer_states"] for entry in state["state"].values())

    (export,), (merge,), (restore,) = (of("headsup", name) for name in ("export", "merge", "restore"))
    run(export)
    read = read_weights(Path("runs/sd21.safetensors"))
    assert (read.card.steps, read.settings.base, read.settings.rank) == (4, "sd21", 4)
    run(merge)
    unet = json.loads(Path("runs/sd21_merged/unet/config.json").read_text())
    assert unet["in_channels"] == 2 * 4 + 1  # input, reference, mask of the face
    recognition = FaceRecognition(FaceInTheMiddle(), OnePerson(), 0.9)
    monkeypatch.setattr(files, "load_recognition", lambda fetch: recognition)
    run(restore, "--device", "cpu", "--report", "report.json")
    old, restored = load_picture(Path("old.jpg")).pixels, load_picture(Path("restored.png")).pixels
    assert restored.shape[1:] == tuple(4 * side for side in old.shape[1:])
    (face,) = json.loads(Path("report.json").read_text())["pictures"][0]["faces"]
    assert face["reference"] == "sharp.jpg"
