"""The runs that make a small base model: autoencoder, denoiser, decoder again."""

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from headsup.model.backbone import load_backbone
from headsup.model.one_step import OneStepRestorer
from headsup.model.text_encoder import TwoEmbeddings, load_text_encoder
from headsup.training.autoencoder import AutoencoderTrainer
from headsup.training.denoiser import DenoiserTrainer
from headsup.training.optimization import OneCycle
from portraitdata.restoration.synthetic_datamodule import SyntheticRestorationDataModule
from portraitdata.training.stated_hyperparameters import StatedHyperparameters

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:lightning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*treespec.*", "ignore:.*lr_scheduler.step.*"),
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
]


def fit(module: LightningModule, folder: Path, *callbacks: Callback, **arguments) -> Trainer:
    data = SyntheticRestorationDataModule(
        folder / "portraits", people=4, portraits=3, size=32, batch_size=2, samples=6, validation_images=2
    )
    settings = {"max_steps": 3, "max_epochs": -1, "ckpt_path": None, **arguments}
    checkpoint = settings.pop("ckpt_path")
    run = Trainer(
        accelerator="cpu",
        devices=1,
        default_root_dir=folder,
        logger=False,
        callbacks=list(callbacks),
        enable_checkpointing=any(isinstance(c, ModelCheckpoint) for c in callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        **settings,
    )
    run.fit(module, data, ckpt_path=checkpoint)
    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a model after one epoch of each run."""
    folder = tmp_path_factory.mktemp("made")
    torch.manual_seed(0)
    fit(AutoencoderTrainer(folder / "model"), folder)
    fit(DenoiserTrainer(folder / "model"), folder)
    return folder


def test_two_runs_make_a_base_model(made):
    backbone = load_backbone(str(made / "model"))
    encoder = load_text_encoder(str(made / "model"))
    assert isinstance(encoder, TwoEmbeddings)
    assert backbone.vae.config.scaling_factor != 1
    with torch.no_grad():
        restored, z, _ = OneStepRestorer(backbone)(torch.rand(1, 3, 32, 32), encoder(["good"]))
    assert restored.isfinite().all()
    assert z.isfinite().all()


def test_weights_are_those_of_the_last_step_and_stay_when_others_are_scored(tmp_path) -> None:
    module = AutoencoderTrainer(tmp_path / "model")
    run = fit(module, tmp_path, max_steps=3, val_check_interval=2, check_val_every_n_epoch=None)
    written = AutoencoderKL.from_pretrained(tmp_path / "model", subfolder="vae").state_dict()
    assert run.global_step == 3
    assert all(written[name].equal(value) for name, value in module.vae.state_dict().items())
    other = AutoencoderTrainer(tmp_path / "model")
    run.validate(other, run.datamodule)
    again = AutoencoderKL.from_pretrained(tmp_path / "model", subfolder="vae").state_dict()
    assert all(again[name].equal(value) for name, value in written.items())
    denoiser = DenoiserTrainer(tmp_path / "model")
    run.validate(denoiser, run.datamodule)
    assert not (tmp_path / "model/unet").exists()
    fit(denoiser, tmp_path, max_steps=1, limit_val_batches=0)
    assert (tmp_path / "model/unet").is_dir()


def test_without_a_validation_an_autoencoder_is_not_written_and_that_is_said(tmp_path) -> None:
    with pytest.warns(UserWarning, match="is not written: there was no validation"):
        fit(AutoencoderTrainer(tmp_path / "model"), tmp_path, max_steps=1, limit_val_batches=0)
    assert not (tmp_path / "model").exists()


def test_a_decoder_is_trained_on_latents_that_stay_as_they_are(made, tmp_path):
    """Encoder and scaling factor are what the denoiser was trained with."""
    before = AutoencoderKL.from_pretrained(made / "model", subfolder="vae")
    fit(AutoencoderTrainer(tmp_path / "new", initial=made / "model", decoder_only=True, learning_rate=0.01), made)
    after = AutoencoderKL.from_pretrained(tmp_path / "new", subfolder="vae")
    assert after.config.scaling_factor == before.config.scaling_factor
    then, now = before.state_dict(), after.state_dict()
    same = {name.split(".")[0] for name in then if now[name].equal(then[name])}
    changed = {name.split(".")[0] for name in then if not now[name].equal(then[name])}
    assert {"encoder", "quant_conv"} <= same
    assert changed == {"decoder", "post_quant_conv"}


class Rates(Callback):
    """Keeps the learning rate by the step that it is for."""

    def __init__(self) -> None:
        self.seen: dict[int, float] = {}

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        self.seen[trainer.global_step] = trainer.optimizers[0].param_groups[0]["lr"]


@pytest.mark.filterwarnings("ignore:.*is not written. there was no validation")
@pytest.mark.parametrize(("steps", "rate"), [(3, 2e-3), (5, 2e-3), (5, 1e-2)], ids=str)
def test_a_finished_or_cut_cycle_is_that_of_the_resumed_run(tmp_path, steps, rate):
    """From step 2 of a run of two that is made longer, and faster."""
    kept = ModelCheckpoint(tmp_path, "kept", every_n_train_steps=2, enable_version_counter=False)
    fit(AutoencoderTrainer(tmp_path / "vae"), tmp_path, kept, max_steps=2, limit_val_batches=0)
    rates, again = Rates(), AutoencoderTrainer(tmp_path / "vae", learning_rate=rate)
    resumed = {"max_steps": steps, "limit_val_batches": 0, "ckpt_path": tmp_path / "kept.ckpt"}
    fit(again, tmp_path, StatedHyperparameters(), rates, **resumed)
    factor = OneCycle(steps, 0.1)
    assert rates.seen == pytest.approx({step: rate * factor(step) for step in range(2, steps)})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*is not written. there was no validation")
@pytest.mark.parametrize("recipe", [AutoencoderTrainer, DenoiserTrainer])
def test_a_killed_run_goes_on_bit_for_bit(made, tmp_path, recipe):
    class KilledError(Exception):
        pass

    class Kill(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
            if trainer.global_step == 1:
                raise KilledError

    def module() -> LightningModule:
        torch.manual_seed(1)
        return recipe(made / "model") if recipe is DenoiserTrainer else recipe(tmp_path / "vae")

    def kept(name: str) -> ModelCheckpoint:
        return ModelCheckpoint(tmp_path / name, "kept", every_n_train_steps=1, enable_version_counter=False)

    run = {"max_steps": 2, "limit_val_batches": 0}
    fit(module(), made, kept("whole"), **run)
    with pytest.raises(KilledError):
        fit(module(), made, kept("part"), Kill(), **run)
    again = module()
    torch.manual_seed(99)  # nothing may hang on the state of the process
    fit(again, made, kept("part"), ckpt_path=tmp_path / "part" / "kept.ckpt", **run)
    one, two = (torch.load(tmp_path / name / "kept.ckpt", weights_only=True) for name in ("whole", "part"))
    assert one["global_step"] == two["global_step"] == 2
    torch.testing.assert_close(two["state_dict"], one["state_dict"], rtol=0, atol=0)
