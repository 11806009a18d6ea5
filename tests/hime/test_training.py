"""The recipes: resumed runs, several processes, schedules."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.strategies import DDPStrategy

from hime.losses.correlation import correlation_map
from hime.network import HIME
from hime.training.perception import PerceptionSuperResolver
from hime.training.reconstruction import ReconstructionSuperResolver
from hime.training.schedule import LearningRateFactor, WarmupCosine
from hime.training.super_resolver import PartRates
from portraitdata.exemplars.synthetic_datamodule import SyntheticExemplarDataModule
from portraitdata.training.stated_hyperparameters import StatedHyperparameters

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:lightning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*treespec.*", "ignore:.*lr_scheduler.step.*", "ignore:.*multi-threaded.*"),
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
]


def sgd(parameters) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1)


def smooth(parameters) -> torch.optim.Optimizer:
    """With Adam's usual eps the steps would be as large where the gradient is nothing but rounding."""
    return torch.optim.Adam(parameters, lr=1e-3, eps=1e-2)


def tiny_network(**arguments) -> HIME:
    torch.manual_seed(0)
    return HIME(
        4,
        channels=8,
        hr_blocks=1,
        lr_blocks=1,
        reconstruction_blocks=1,
        offset_channels=8,
        offset_layers=1,
        offset_groups=2,
        **arguments,
    )


def rec(**arguments) -> ReconstructionSuperResolver:
    return ReconstructionSuperResolver(tiny_network(), warmup_steps=2, **arguments)


def perceptual(**arguments) -> PerceptionSuperResolver:
    torch.manual_seed(0)
    return PerceptionSuperResolver(
        tiny_network(), backbone=None, discriminator_channels=4, adv_weight=0.1, warmup_steps=2, **arguments
    )


RECIPES = pytest.mark.parametrize("recipe", [rec, perceptual])


def portraits(folder: Path, batch_size: int = 4) -> SyntheticExemplarDataModule:
    return SyntheticExemplarDataModule(folder, people=8, portraits=4, scale=4, size=32, batch_size=batch_size)


class Recorder(Callback):
    """Keeps what every step trained on and what came of it."""

    def __init__(self) -> None:
        self.names: list[list[str]] = []
        self.losses: list[float] = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        losses = [v.item() for k, v in sorted(trainer.logged_metrics.items()) if k.startswith("train/")]
        self.names.append(list(batch.names))
        self.losses.append(sum(losses))


def trainer(folder: Path, **arguments) -> Trainer:
    settings = {
        "accelerator": "cpu",
        "devices": 1,
        "default_root_dir": folder,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "limit_val_batches": 0,
        "log_every_n_steps": 1,
        "use_distributed_sampler": False,
    }
    return Trainer(**(settings | arguments))


@RECIPES
def test_a_killed_run_goes_on_where_it_was(tmp_path, recipe) -> None:
    """Seven steps, killed after the fifth in the middle of the second epoch, equal seven steps in one go."""

    class KilledError(Exception):
        pass

    class Kill(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
            if trainer.global_step == 5:
                raise KilledError

    def callbacks(recorder: Recorder, folder: str) -> list[Callback]:
        keep = ModelCheckpoint(tmp_path / folder, every_n_train_steps=1, save_last=True)
        return [keep, recorder, EMAWeightAveraging(decay=0.5, use_buffers=False)]

    whole, first, second = Recorder(), Recorder(), Recorder()
    epochs = {"max_steps": 9, "max_epochs": -1}

    def module() -> ReconstructionSuperResolver | PerceptionSuperResolver:
        return recipe(optimizer=smooth) if recipe is rec else recipe(optimizer=smooth, discriminator_optimizer=smooth)

    trainer(tmp_path, callbacks=callbacks(whole, "whole"), **epochs).fit(module(), portraits(tmp_path, 6))
    with pytest.raises(KilledError):
        trainer(tmp_path, callbacks=[*callbacks(first, "part"), Kill()], **epochs).fit(module(), portraits(tmp_path, 6))
    torch.manual_seed(99)  # nothing may hang on the state of the process
    trainer(tmp_path, callbacks=callbacks(second, "part"), **epochs).fit(
        module(), portraits(tmp_path, 6), ckpt_path=tmp_path / "part" / "last.ckpt"
    )
    assert len(whole.names) == 9
    assert first.names + second.names == whole.names
    assert first.losses + second.losses == pytest.approx(whole.losses, abs=1e-5)
    ends = [torch.load(tmp_path / name / "last.ckpt", weights_only=True) for name in ("whole", "part")]
    for key in ("state_dict", "current_model_state"):
        torch.testing.assert_close(ends[1][key], ends[0][key], rtol=0, atol=1e-5)


class Rates(Callback):
    """Keeps the learning rates of the first optimizer by the step that they are for."""

    def __init__(self) -> None:
        self.seen: dict[int, list[float]] = {}

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        self.seen[trainer.global_step] = [group["lr"] for group in trainer.optimizers[0].param_groups]


@RECIPES
@pytest.mark.parametrize(("steps", "rate"), [(4, 1e-3), (6, 1e-3), (3, 1e-3), (6, 4e-3)], ids=str)
def test_a_resumed_run_has_the_length_and_the_rate_of_its_own_command_line(tmp_path, recipe, steps, rate) -> None:
    """From step 2 of a run of four, as long, longer, shorter, and faster."""
    keep = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=1, save_top_k=-1)
    limits = {"max_epochs": -1}
    trainer(tmp_path, callbacks=[keep], max_steps=4, **limits).fit(recipe(optimizer=smooth), portraits(tmp_path, 6))
    rates = Rates()
    faster = recipe(optimizer=lambda p: torch.optim.Adam(p, lr=rate, eps=1e-2))
    again = trainer(
        tmp_path, callbacks=[StatedHyperparameters(), rates], enable_checkpointing=False, max_steps=steps, **limits
    )
    again.fit(faster, portraits(tmp_path, 6), ckpt_path=tmp_path / "step=2.ckpt")
    factor = LearningRateFactor(steps, min(2, steps // 2), 0)
    assert list(rates.seen) == list(range(2, steps))
    for step, found in rates.seen.items():
        assert found == pytest.approx([rate * factor(step), 0.1 * rate * factor(step)])
        assert found[0] > 0


def test_a_finished_run_that_is_made_longer_trains_on(tmp_path) -> None:
    keep = ModelCheckpoint(tmp_path, "kept", every_n_train_steps=2, enable_version_counter=False)
    trainer(tmp_path, callbacks=[keep], max_steps=2).fit(rec(optimizer=smooth), portraits(tmp_path))
    before = torch.load(tmp_path / "kept.ckpt", weights_only=True)["state_dict"]
    model, rates = rec(optimizer=smooth), Rates()
    longer = trainer(tmp_path, callbacks=[StatedHyperparameters(), rates], enable_checkpointing=False, max_steps=3)
    longer.fit(model, portraits(tmp_path), ckpt_path=tmp_path / "kept.ckpt")
    assert rates.seen[2][0] == pytest.approx(1e-3 * LearningRateFactor(3, 1, 0)(2))
    assert any(not value.equal(before[name]) for name, value in model.state_dict().items() if "network" in name)


@RECIPES
def test_a_fit_goes_through_the_compiled_network_and_keeps_the_names_of_its_weights(tmp_path, recipe, monkeypatch):
    compiled, batches = [], []

    def compiling(function):
        compiled.append(function)
        return lambda *inputs: batches.append(len(inputs[0])) or function(*inputs)

    monkeypatch.setattr(torch, "compile", compiling)
    model = recipe(compiled=True)
    average = EMAWeightAveraging(decay=0.5, use_buffers=False)
    trainer(tmp_path, callbacks=[average], max_steps=2, enable_checkpointing=False).fit(model, portraits(tmp_path))
    assert compiled == [model.network.explain]
    assert batches == [4, 4]
    assert model.state_dict().keys() == recipe().state_dict().keys()


def trained(folder: Path, recipe, devices: int, batch_size: int) -> dict[str, torch.Tensor]:
    class Keep(Callback):
        def on_train_end(self, trainer, pl_module) -> None:
            if trainer.is_global_zero:
                torch.save(pl_module.state_dict(), folder / "trained.pt")

    unused = recipe is perceptual
    strategy = DDPStrategy(start_method="fork", process_group_backend="gloo", find_unused_parameters=unused)
    model = (
        rec(optimizer=sgd)
        if recipe is rec
        else perceptual(optimizer=sgd, discriminator_optimizer=sgd, adversarial_form="non_saturating")
    )
    chosen = strategy if devices > 1 else "auto"
    trainer(folder, devices=devices, strategy=chosen, max_steps=4, callbacks=[Keep()], enable_checkpointing=False).fit(
        model, portraits(folder, batch_size)
    )
    return torch.load(folder / "trained.pt", weights_only=True)


@RECIPES
def test_two_processes_equal_one_with_the_doubled_batch(tmp_path, recipe) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so that a forked process sums in the same order as this one
    try:
        one = trained(tmp_path, recipe, devices=1, batch_size=4)
        two = trained(tmp_path, recipe, devices=2, batch_size=2)
    finally:
        torch.set_num_threads(threads)
    fresh = {
        k: v for k, v in (rec() if recipe is rec else perceptual()).state_dict().items() if k.startswith("network")
    }
    assert any((one[name] - value).abs().max() > 1e-4 for name, value in fresh.items())
    network = {k: v for k, v in one.items() if k.startswith("network")}
    torch.testing.assert_close({k: two[k] for k in network}, network, rtol=0, atol=1e-5)


def test_perception_counts_the_steps_of_the_network_alone(tmp_path) -> None:
    run = trainer(tmp_path, max_steps=3, enable_checkpointing=False)
    model = perceptual()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    run.fit(model, portraits(tmp_path))
    assert run.global_step == 3
    after = model.state_dict()
    for part in ("network", "discriminator"):
        assert any(not torch.equal(after[k], v) for k, v in before.items() if k.startswith(part)), part


def test_a_short_fit_beats_bicubic_on_people_it_has_not_seen(tmp_path) -> None:
    model = rec(optimizer=lambda p: torch.optim.Adam(p, lr=5e-3), cor_weight=0.0)
    run = trainer(tmp_path, max_steps=100, limit_val_batches=None, enable_checkpointing=False)
    run.fit(model, portraits(tmp_path))
    scores = run.validate(model, portraits(tmp_path), verbose=False)[0]
    assert scores["val/psnr"] > scores["val/psnr_bicubic"] + 0.1


def test_validation_scores_rgb_and_bicubic(tmp_path) -> None:
    run = trainer(tmp_path, limit_val_batches=None, enable_checkpointing=False)
    scores = run.validate(rec(), portraits(tmp_path), verbose=False)[0]
    assert set(scores) >= {"val/psnr", "val/ssim", "val/psnr_bicubic"}
    assert 10 < scores["val/psnr_bicubic"] < 60
    assert 0.2 < scores["val/ssim"] <= 1


def test_generator_terms_are_equation_10() -> None:
    model = PerceptionSuperResolver(
        tiny_network(),
        backbone=None,
        discriminator_channels=4,
        rec_weight=2.0,
        cor_weight=3.0,
        adv_weight=0.5,
        adversarial_form="non_saturating",
        window=3,
    )
    generator = torch.Generator().manual_seed(0)
    image, hr = torch.rand(2, 2, 3, 32, 32, generator=generator)
    model.eval()
    terms = model.generator_terms(image, hr)
    charbonnier = torch.sqrt((image - hr) ** 2 + 1e-6).mean()
    maps = [correlation_map(x, 3) for x in (image, hr)]
    correlation = (maps[0] - maps[1]).abs().sum(dim=1).mean()
    adversarial = torch.log1p(torch.exp(-model.discriminator(image))).mean()
    expected = {"rec": 2 * charbonnier, "cor": 3 * correlation, "adv": adversarial / 2}
    torch.testing.assert_close(terms, expected)
    with pytest.raises(ValueError, match="odd"):
        rec(window=4)


def test_data_of_another_scale_are_refused(tmp_path) -> None:
    data = SyntheticExemplarDataModule(tmp_path, people=4, portraits=4, scale=8, size=32)
    with pytest.raises(ValueError, match=r"magnifies 4 times and the data are reduced 8 times"):
        trainer(tmp_path, max_steps=1, enable_checkpointing=False).fit(rec(), data)


def test_flow_and_offsets_move_more_slowly(tmp_path) -> None:
    model = ReconstructionSuperResolver(
        tiny_network(alignment="flow_dcn"),
        optimizer=lambda p: torch.optim.SGD(p, lr=1.0),
        warmup_steps=0,
        part_rates=PartRates(offsets=0.1, flow=0.25, flow_freeze_steps=3),
    )
    groups = model.parameter_groups(model.part_rates)
    names = {id(p): name for name, p in model.network.named_parameters()}
    assert sum(len(group["params"]) for group in groups) == len(names)
    assert {names[id(p)].split(".")[1] for p in groups[1]["params"]} == {"estimator"}
    assert {names[id(p)].split(".")[1] for p in groups[2]["params"]} == {"flow"}
    flow = model.network.alignment.flow
    before = [p.clone() for p in flow.parameters()]
    runner = trainer(tmp_path, max_steps=3, enable_checkpointing=False)
    runner.fit(model, portraits(tmp_path))
    assert all(torch.equal(p, q) for p, q in zip(flow.parameters(), before, strict=True))
    assert [group["initial_lr"] for group in runner.optimizers[0].param_groups] == pytest.approx([1.0, 0.1, 0.25])


def test_warmup_cosine() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    schedule = WarmupCosine(optimizer, steps=20, warmup=4)
    rates = []
    for _ in range(20):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[:5] == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0])
    assert rates[12] == pytest.approx(1.0)  # half way down
    assert 0 < rates[-1] < 0.03
    with pytest.raises(ValueError, match="20 steps is too short for a warm-up of 20"):
        WarmupCosine(optimizer, steps=20, warmup=20)
