"""The recipe of the face detector, from photographs to weights."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer

from faceops.detection.detectors.any_turn_weights import FILES
from faceops.detection.exact_landmarks import landmark_weights
from faceops.images.files import Picture, save_picture
from portraitdata.commands.export_detector import run_export_detector
from portraitdata.commands.label_options import ExportDetectorOptions
from portraitdata.face_finding.close_up_datamodule import CloseUpDataModule
from portraitdata.face_finding.datamodule import FaceSceneDataModule
from portraitdata.face_finding.labelled_folders import LabelledFolder, divided
from portraitdata.face_finding.labels import LabelledPicture, write_labels
from portraitdata.face_finding.training.landmark_recipe import LandmarkFinder
from portraitdata.face_finding.training.recipe import FaceFinder

POINTS = torch.tensor([[60.0, 80.0], [100.0, 80.0], [80.0, 100.0], [64.0, 120.0], [96.0, 120.0]])


@pytest.fixture
def source(tmp_path: Path) -> LabelledFolder:
    """Two pictures with a drawn face, and a table of them."""
    labels = []
    for name in ("seen.png", "unseen.png"):
        pixels = torch.full((3, 200, 200), 0.3)
        for x, y in POINTS.int().tolist():
            pixels[:, y - 3 : y + 4, x - 3 : x + 4] = 1.0
        save_picture(Picture(pixels), tmp_path / name)
        labels.append(LabelledPicture(tmp_path / name, torch.tensor([[40.0, 40.0, 120.0, 140.0]]), POINTS[None]))
    write_labels(labels, tmp_path, tmp_path / "faces.csv")
    return LabelledFolder(tmp_path, tmp_path / "faces.csv")


def test_people_held_out_are_not_trained_on(source: LabelledFolder, tmp_path: Path) -> None:
    (tmp_path / "held_out.txt").write_text("unseen.png\n")
    seen, unseen = divided([source], tmp_path / "held_out.txt")
    assert [label.file.name for label in seen] == ["seen.png"]
    assert [label.file.name for label in unseen] == ["unseen.png"]
    (tmp_path / "held_out.txt").write_text("absent.png\n")
    with pytest.raises(ValueError, match=r"None of the photographs that .*held_out\.txt lists is in a table"):
        divided([source], tmp_path / "held_out.txt")
    (tmp_path / "held_out.txt").write_text("seen.png\nunseen.png\n")
    with pytest.raises(ValueError, match="There is no photograph with a face to train on"):
        divided([source], tmp_path / "held_out.txt")
    with pytest.raises(ValueError, match="is a multiple of 64 pixels, got 100"):
        FaceSceneDataModule([source], side=100)


@pytest.mark.filterwarnings("ignore")  # Lightning's, of loaders without worker processes and of a run without a logger
def test_from_photographs_to_weights(source: LabelledFolder, tmp_path: Path) -> None:
    (tmp_path / "held_out.txt").write_text("unseen.png\n")
    data = FaceSceneDataModule(
        [source], tmp_path / "held_out.txt", side=64, batch_size=2, scenes=4, validation_scenes=2, num_workers=0
    )
    recipe = FaceFinder(4, 4, 8, 8, 8, 8, warmup_steps=1)
    before = recipe.network.out[0].weight.clone()
    trainer = Trainer(
        accelerator="cpu",
        max_steps=2,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(recipe, datamodule=data)
    assert trainer.global_step == 2
    assert not torch.equal(before, recipe.network.out[0].weight)
    assert {"val/recall", "val/false", "val/eyes_off", "val/landmarks"} <= set(trainer.callback_metrics)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    options = ExportDetectorOptions(tmp_path / "last.ckpt", output=tmp_path / "own.safetensors", licence="CC0-1.0")
    run_export_detector(options)
    card = FILES.read_card(options.output)
    assert (card.steps, card.licence) == (2, "CC0-1.0")
    recipe.network.eval()
    images = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        for exported, trained in zip(FILES.load(options.output)(images), recipe.network(images), strict=True):
            torch.testing.assert_close(exported, trained, atol=2e-2, rtol=2e-2)


@pytest.mark.filterwarnings("ignore")  # likewise
def test_from_photographs_to_exact_landmarks(source: LabelledFolder, tmp_path: Path) -> None:
    (tmp_path / "held_out.txt").write_text("unseen.png\n")
    data = CloseUpDataModule(
        [source], tmp_path / "held_out.txt", batch_size=2, close_ups=240, validation_close_ups=2, num_workers=0
    )
    torch.manual_seed(0)
    recipe = LandmarkFinder(8, 8, warmup_steps=1)
    trainer = Trainer(
        accelerator="cpu",
        max_steps=120,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    before = recipe.off(batch).mean().item()
    trainer.fit(recipe, datamodule=data)
    assert {"val/eyes_off", "val/nose_off", "val/mouth_off"} <= set(trainer.callback_metrics)
    assert recipe.off(batch).mean().item() < 0.8 * before
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    options = ExportDetectorOptions(tmp_path / "last.ckpt", output=tmp_path / "own.safetensors", licence="CC0-1.0")
    run_export_detector(options)
    card = landmark_weights.FILES.read_card(options.output)
    assert (card.steps, card.licence) == (120, "CC0-1.0")
    recipe.network.eval()
    images = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        exported = landmark_weights.FILES.load(options.output)(images)
        torch.testing.assert_close(exported, recipe.network(images), atol=2e-2, rtol=2e-2)


def test_a_checkpoint_of_something_else(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match="is no checkpoint of a face detector"):
        run_export_detector(ExportDetectorOptions(tmp_path / "other.ckpt", output=tmp_path / "o.safetensors"))
