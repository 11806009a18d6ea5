"""The recipe of the restorer: what is stepped, what is kept, and that a resumed run is the same run."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

import headsup.model.one_step
import portraitdata.restoration.datamodule
from faceops.geometry.alignment import alignment_matrix, crop_faces
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import FFHQ_512
from faceops.geometry.similarity import compose
from faceops.images.files import Picture, save_picture
from headsup.losses.distillation import Distillation
from headsup.losses.objective import LossWeights, Objective
from headsup.model.prompts import IndexPrompts, Prompts, TaggedPrompts
from headsup.model.reference_layout import lay_out_first
from headsup.model.settings import RestorerSettings
from headsup.training.batch_references import batch_references
from headsup.training.learning_rate import LearningRate
from headsup.training.moving_average import GeneratorAverage
from headsup.training.restorer import RestorerTrainer
from headsup.weights.files import save_weights
from headsup.weights.model_card import ModelCard
from portraitdata.images.resampling import bicubic
from portraitdata.loading.index_files import write_parquet
from portraitdata.restoration.batches import RestorationBatch
from portraitdata.restoration.datamodule import RestorationDataModule, Source
from portraitdata.restoration.face_masks import box_masks
from portraitdata.restoration.index.schemas import read_table
from portraitdata.restoration.index.synthetic_index import write_synthetic_portrait_index
from portraitdata.restoration.synthetic_datamodule import SyntheticRestorationDataModule
from portraitdata.training.stated_hyperparameters import StatedHyperparameters

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:lightning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*treespec.*"),
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
]

EVERYTHING = LossWeights(identity=0.0, adversarial=0.1)
IMAGES = LossWeights(fidelity=0.0, identity=0.0)


def sgd(parameters) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1)


def smooth(parameters) -> torch.optim.Optimizer:
    """With AdamW's usual eps the steps would be as large where the gradient is nothing but rounding."""
    return torch.optim.AdamW(parameters, lr=1e-3, eps=1e-2)


def model(**arguments) -> RestorerTrainer:
    torch.manual_seed(0)  # the discriminator's
    settings = {
        "restorer": RestorerSettings("random:tiny"),
        "weights": EVERYTHING,
        "perceptual": None,
        "identity": None,
        "face_size": 32,
        "checkpoint_activations": False,
    }
    return RestorerTrainer(**(settings | arguments))


def portraits(folder: Path, batch_size: int = 2, samples: int | None = 6) -> SyntheticRestorationDataModule:
    return SyntheticRestorationDataModule(
        folder, people=4, portraits=3, size=32, batch_size=batch_size, samples=samples, validation_images=1
    )


def trainer(folder: Path, **arguments) -> Trainer:
    settings = {
        "accelerator": "cpu",
        "devices": 1,
        "default_root_dir": folder,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": "callbacks" in arguments,
        "num_sanity_val_steps": 0,
        "limit_val_batches": 0,
        "log_every_n_steps": 1,
        "use_distributed_sampler": False,
    }
    return Trainer(**(settings | arguments))


def trained_values(module: RestorerTrainer) -> dict[str, torch.Tensor]:
    found = {name: p.detach().clone() for name, p in module.named_parameters() if p.requires_grad}
    assert found
    return found


class KilledError(Exception):
    pass


class Kill(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if trainer.global_step == self.step:
            raise KilledError


GUIDED = {
    "restorer": RestorerSettings(
        "random:tiny", trained="all", guidance=8, output="residual", references="attention", timestep=249
    ),
    "weights": LossWeights(identity=0.0, l1=1.0, faithful=1.0, parts=0.5, picture_adversarial=0.1, distillation=0.1),
    "discriminator_channels": 8,
    "discriminator_square": 2,
    "learning_rate": LearningRate(rise=2, fall=2, end=4),
    "channels_last": True,
}
"""All that is beyond the paper."""


@pytest.mark.parametrize(
    "arguments", [pytest.param({}, id="paper", marks=pytest.mark.slow), pytest.param(GUIDED, id="guided")]
)
def test_a_killed_run_goes_on_where_it_was(tmp_path, arguments) -> None:
    """Networks, optimizers, rates and moving average; killed within an epoch, with accumulated batches."""

    def callbacks(folder: str) -> list[Callback]:
        keep = ModelCheckpoint(tmp_path / folder, "kept", every_n_train_steps=1, enable_version_counter=False)
        return [keep, GeneratorAverage(decay=0.5)]

    def module() -> RestorerTrainer:
        names = "generator_optimizer", "regularizer_optimizer", "discriminator_optimizer"
        return model(accumulate=2, **arguments, **dict.fromkeys(names, smooth))

    run = {"max_steps": 3, "max_epochs": -1}  # an epoch is four batches and two steps
    whole = trainer(tmp_path, callbacks=callbacks("whole"), **run)
    whole.fit(module(), portraits(tmp_path, samples=8))
    with pytest.raises(KilledError):
        trainer(tmp_path, callbacks=[*callbacks("part"), Kill(1)], **run).fit(module(), portraits(tmp_path, samples=8))
    torch.manual_seed(99)  # nothing may hang on the state of the process
    again = module()
    kept = tmp_path / "part" / "kept.ckpt"
    assert torch.load(kept, weights_only=True)["global_step"] == 1
    trainer(tmp_path, callbacks=callbacks("part"), **run).fit(again, portraits(tmp_path, samples=8), ckpt_path=kept)
    one, two = (torch.load(tmp_path / name / "kept.ckpt", weights_only=True) for name in ("whole", "part"))
    assert whole.global_step == one["global_step"] == two["global_step"] == 3
    torch.testing.assert_close(two["state_dict"], one["state_dict"], rtol=0, atol=1e-5)
    for found, expected in zip(two["optimizer_states"], one["optimizer_states"], strict=True):
        assert found["param_groups"] == expected["param_groups"]
        assert found["state"].keys() == expected["state"].keys()
        for number, moments in expected["state"].items():
            for name, value in moments.items():
                tolerance = 1e-3 * value.abs().max().item() + 1e-6
                torch.testing.assert_close(found["state"][number][name], value, rtol=0, atol=tolerance)
    averages = [next(v["average"] for v in c["callbacks"].values() if "average" in v) for c in (one, two)]
    torch.testing.assert_close(averages[1], averages[0], rtol=0, atol=1e-5)
    assert any(not averages[0][n].equal(one["state_dict"][f"restorer.{n}"]) for n in averages[0])


class Begun(Callback):
    """What a run has when its first step begins."""

    def __init__(self, running: GeneratorAverage) -> None:
        self.running = running

    def on_train_start(self, trainer, pl_module) -> None:
        self.average = copy.deepcopy(self.running.average)
        self.step = trainer.global_step
        self.values = trained_values(pl_module)
        self.moments = [copy.deepcopy(optimizer.state_dict()["state"]) for optimizer in trainer.optimizers]


def mixture(indexes: list[Path], weights: Sequence[float]) -> RestorationDataModule:
    sources = [Source(index, weight) for index, weight in zip(indexes, weights, strict=True)]
    return RestorationDataModule(sources, size=32, batch_size=2, samples=8, keep_face=1.0)


def test_stage_two_is_the_same_run_with_another_mixture_and_length(tmp_path) -> None:
    """Generator, regularizer, discriminator, their optimizers and the average go on from stage one's checkpoint."""
    indexes = [write_synthetic_portrait_index(tmp_path / name, people=4, portraits=3, size=32) for name in "ab"]

    def callbacks(average: GeneratorAverage) -> list[Callback]:
        return [ModelCheckpoint(tmp_path, "kept", every_n_train_steps=1, enable_version_counter=False), average]

    stage_one = trainer(tmp_path, max_steps=2, callbacks=callbacks(GeneratorAverage(decay=0.5)))
    stage_one.fit(model(), mixture(indexes, [1.7, 0.3]))
    kept = torch.load(tmp_path / "kept.ckpt", weights_only=True)
    average = GeneratorAverage(decay=0.5)
    begun = Begun(average)
    stage_two = trainer(tmp_path, max_steps=4, callbacks=[*callbacks(average), begun])
    stage_two.fit(model(), mixture(indexes, [1.0, 1.0]), ckpt_path=tmp_path / "kept.ckpt")

    assert begun.step == kept["global_step"] == 2
    assert all(any(part in name for name in begun.values) for part in ("generator", "regularizer", "discriminator"))
    torch.testing.assert_close(begun.values, {n: kept["state_dict"][n] for n in begun.values}, rtol=0, atol=0)
    assert len(begun.moments) == len(kept["optimizer_states"]) == 3
    for found, expected in zip(begun.moments, kept["optimizer_states"], strict=True):
        torch.testing.assert_close(found, expected["state"], rtol=0, atol=0)
        assert {int(moments["step"]) for moments in found.values()} == {2}
    for optimizer in stage_two.optimizers:
        assert {int(moments["step"]) for moments in optimizer.state_dict()["state"].values()} == {4}
    (before,) = (state["average"] for state in kept["callbacks"].values() if "average" in state)
    torch.testing.assert_close(begun.average, before, rtol=0, atol=0)
    assert any(not value.equal(kept["state_dict"][f"restorer.{name}"]) for name, value in before.items())
    assert stage_two.global_step == 4


class Rates(Callback):
    """Keeps the learning rates and decays of all networks by the step that they are for."""

    def __init__(self) -> None:
        self.seen: dict[int, list[tuple[float, float]]] = {}

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        groups = [optimizer.param_groups[0] for optimizer in trainer.optimizers]
        self.seen[trainer.global_step - 1] = [(group["lr"], group["weight_decay"]) for group in groups]


@pytest.mark.parametrize(
    ("end", "steps"),
    [pytest.param(4, 5, id="shorter", marks=pytest.mark.slow), pytest.param(8, 6, id="longer")],
)
def test_a_resumed_run_has_the_rates_of_its_own_command_line(tmp_path, end, steps) -> None:
    """From step 2 of a run whose rate has fallen at step 3."""
    names = "generator_optimizer", "regularizer_optimizer", "discriminator_optimizer"
    keep = ModelCheckpoint(tmp_path, "kept", every_n_train_steps=2, enable_version_counter=False)
    first = model(learning_rate=LearningRate(fall=1, end=3), **dict.fromkeys(names, smooth))
    trainer(tmp_path, max_steps=2, callbacks=[keep]).fit(first, portraits(tmp_path, samples=None))
    rates, rate = Rates(), LearningRate(fall=2, end=end)
    other = model(learning_rate=rate, **dict.fromkeys(names, lambda p: torch.optim.AdamW(p, 3e-3, weight_decay=0.5)))
    resumed = trainer(tmp_path, max_steps=steps, callbacks=[StatedHyperparameters(), rates], enable_checkpointing=False)
    resumed.fit(other, portraits(tmp_path, samples=None), ckpt_path=tmp_path / "kept.ckpt")
    assert list(rates.seen) == list(range(2, steps))
    for step, found in rates.seen.items():
        assert found == [(pytest.approx(3e-3 * rate.at(step)), 0.5)] * 3


def test_every_network_is_stepped_and_the_generator_alone_is_counted(tmp_path) -> None:
    module = model()
    module.configure_model()
    before = trained_values(module)
    frozen = {n: p.clone() for n, p in module.named_parameters() if not p.requires_grad}
    run = trainer(tmp_path, max_steps=2, callbacks=[ModelCheckpoint(tmp_path, every_n_train_steps=1, save_last=True)])
    run.fit(module, portraits(tmp_path))
    assert run.global_step == 2
    assert len(run.optimizers) == 3
    after = trained_values(module)
    assert before.keys() == after.keys()
    for part in ("restorer.unet", "restorer.vae", ".regularizer.", "conv_in.own", "objective.discriminator"):
        assert any(not after[name].equal(value) for name, value in before.items() if part in name), part
    assert all(value.equal(frozen[n]) for n, value in module.named_parameters() if n in frozen)
    held = [id(p) for optimizer in run.optimizers for group in optimizer.param_groups for p in group["params"]]
    assert len(held) == len(set(held)) == len(before)

    checkpoint = torch.load(tmp_path / "last.ckpt", weights_only=True)
    spectral = {n for n, _ in module.named_buffers() if n.startswith("objective.discriminator.")}
    assert checkpoint["state_dict"].keys() == before.keys() | spectral
    assert spectral
    assert checkpoint["headsup"]["steps"] == checkpoint["global_step"] == 2
    assert checkpoint["headsup"]["settings"]["base"] == "random:tiny"
    assert checkpoint["headsup"]["prediction_type"] == "epsilon"
    logged = {name for name in run.logged_metrics if name.startswith("train/")}
    names = {"l2", "fidelity", "adversarial", "distillation", "regularizer", "discriminator"}
    assert logged == {f"train/{name}" for name in names}


def test_a_checkpoint_within_a_turn_holds_all_networks() -> None:
    """Slurm may ask for one wherever the process stands, and an error may write one."""
    module = model()
    module.configure_model()
    trained = trained_values(module).keys()
    turn = {id(parameter) for parameter in module.loaded_restorer.regularizer_parameters().values()}
    for parameter in module.parameters():
        parameter.requires_grad_(id(parameter) in turn)
    checkpoint = {"state_dict": module.state_dict(), "global_step": 0}
    module.on_save_checkpoint(checkpoint)
    assert trained <= checkpoint["state_dict"].keys()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of one step."""
    folder = tmp_path_factory.mktemp("kept")
    keep = ModelCheckpoint(folder, "kept", every_n_train_steps=1)
    trainer(folder, max_steps=1, callbacks=[keep]).fit(model(weights=IMAGES), portraits(folder))
    return folder / "kept.ckpt"


@pytest.mark.parametrize("stage", ["fit", "validate"])
@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"timestep": 249}, "trained with the timestep 999, the restorer has 249"),
        ({"alpha": 64}, "trained with the alpha 8, the restorer has 64"),
        ({"rank": 8}, "trained with the rank 4"),
        ({"guidance": 8}, "trained with the guidance 0"),
    ],
    ids=str,
)
def test_a_checkpoint_of_another_restorer_is_refused(tmp_path, kept, stage, changed, told) -> None:
    module = model(weights=IMAGES, restorer=RestorerSettings("random:tiny", **changed))
    with pytest.raises(ValueError, match=told):
        getattr(trainer(tmp_path, max_steps=2, limit_val_batches=1), stage)(module, portraits(tmp_path), ckpt_path=kept)


def test_a_checkpoint_with_other_networks_is_refused_to_be_trained_on(tmp_path, kept) -> None:
    module = model(weights=IMAGES, distillation=Distillation("none"))
    with pytest.raises(ValueError, match="optimizers of 2 networks and 1 are trained now"):
        trainer(tmp_path, max_steps=2).fit(module, portraits(tmp_path), ckpt_path=kept)
    trainer(tmp_path, limit_val_batches=1).validate(module, portraits(tmp_path), ckpt_path=kept)


def test_the_teacher_is_the_base_whatever_is_begun_with(tmp_path) -> None:
    settings = RestorerSettings("random:tiny", trained="all")
    begun = settings.build()
    with torch.no_grad():
        for parameter in begun.generator_parameters().values():
            parameter.add_(0.01)
    tensors = {name: parameter.data for name, parameter in begun.generator_parameters().items()}
    save_weights(tensors, settings, tmp_path / "w.safetensors", ModelCard(training_data="drawings", licence="none"))
    module = model(restorer=settings, initial_weights=tmp_path / "w.safetensors", checkpoint_activations=True)
    module.configure_model()
    base, name = settings.build().unet, "mid_block.resnets.0.conv1.weight"
    assert module.loaded_restorer.prior.get_parameter(name).equal(base.get_parameter(name))
    assert module.loaded_restorer.unet.get_parameter(name).equal(begun.unet.get_parameter(name))
    assert module.loaded_restorer.prior.is_gradient_checkpointing
    checkpoint = {"state_dict": module.state_dict(), "global_step": 0}
    module.on_save_checkpoint(checkpoint)
    assert "trained on drawings; licence: none." in checkpoint["headsup"]["notes"]


def test_images_of_any_size_are_restored() -> None:
    module = model(weights=IMAGES)
    module.configure_model()
    odd = batch(1, True)._replace(lq=torch.rand(2, 3, 9, 7), hq=torch.rand(2, 3, 36, 28))
    odd = odd._replace(mask=box_masks(torch.tensor([[6.0, 6.0, 25.0, 25.0]]).expand(2, 4), odd.present, 36, 28))
    with torch.inference_mode():
        restored = module(odd).picture
        whole = module(odd._replace(lq=odd.lq[..., :8, :7], hq=odd.hq[..., :32, :], mask=odd.mask[..., :32, :]))
    assert restored.shape == odd.hq.shape
    assert whole.picture.shape == (2, 3, 32, 28)


@pytest.mark.parametrize("wrong", [{"accumulate": 0}, {"max_grad_norm": 0.0}], ids=str)
def test_what_would_train_nothing_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        model(**wrong)


@pytest.mark.parametrize("form", ["csd", "none"])
def test_without_a_regularizer_there_is_none_to_step(tmp_path, form) -> None:
    module = model(weights=IMAGES, distillation=Distillation(form))
    keep = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_last=True)
    run = trainer(tmp_path, max_steps=2, callbacks=[keep])
    run.fit(module, portraits(tmp_path))
    assert run.global_step == 2
    assert len(run.optimizers) == 1
    assert not any(p.requires_grad for p in module.loaded_restorer.regularizer_parameters().values())
    assert not any("regularizer" in n for n in torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"])
    assert ("train/distillation" in run.logged_metrics) == (form == "csd")
    assert "train/regularizer" not in run.logged_metrics


@pytest.mark.slow
def test_accumulated_batches_are_one_batch(tmp_path) -> None:
    """Also in their timesteps and noise, which hang on a sample's place in the epoch."""
    results = []
    for batch_size, accumulate in ((4, 1), (2, 2)):
        module = model(
            weights=IMAGES, accumulate=accumulate, generator_optimizer=sgd, regularizer_optimizer=sgd, max_grad_norm=0.5
        )
        run = trainer(tmp_path, max_steps=2)
        run.fit(module, portraits(tmp_path, batch_size, samples=8))
        assert run.global_step == 2
        results.append(trained_values(module))
    start = model(weights=IMAGES)
    start.configure_model()
    moved = [name for name, value in trained_values(start).items() if (value - results[0][name]).abs().max() > 1e-5]
    assert any(".regularizer." in name for name in moved)
    assert any(".generator." in name for name in moved)
    torch.testing.assert_close(results[1], results[0], rtol=0, atol=2e-6)


def test_bfloat16_stays_finite_and_trains_in_float32(tmp_path) -> None:
    module = model(bfloat16_base=True, checkpoint_activations=True)
    run = trainer(tmp_path, max_steps=1, precision="bf16-mixed")
    run.fit(module, portraits(tmp_path))
    assert all(value.isfinite() for value in run.logged_metrics.values())
    for value in trained_values(module).values():
        assert value.dtype == torch.float32
        assert value.isfinite().all()
    frozen = {
        p.dtype for n, p in module.loaded_restorer.named_parameters() if not p.requires_grad and "conv_out" not in n
    }
    assert torch.bfloat16 in frozen


def batch(faces: int, reference: bool) -> RestorationBatch:
    """Two images; a face in the first ones of them, of which the very first may have a reference."""
    generator = torch.Generator().manual_seed(faces)
    landmarks = FFHQ_512.scaled(24).tensor().float().expand(faces, 5, 2) + 4.0
    boxes = torch.tensor([[6.0, 6.0, 25.0, 25.0]]).expand(faces, 4)
    present = torch.tensor([reference, False])
    return RestorationBatch(
        lq=torch.rand(2, 3, 8, 8, generator=generator),
        hq=torch.rand(2, 3, 32, 32, generator=generator),
        reference=torch.rand(2, 3, 512, 512, generator=generator) * present.view(2, 1, 1, 1),
        present=present,
        mask=box_masks(torch.tensor([[6.0, 6.0, 25.0, 25.0]]).expand(2, 4), present, 32, 32),
        faces=Faces(torch.arange(faces), boxes, landmarks, torch.ones(faces)),
        referenced=torch.tensor([0 if reference else -1, -1]),
        prompts=["", ""],
        names=["a", "b"],
        same_person=present,
        matrices=alignment_matrix(landmarks),
    )


class Seeing:
    """A tagger that says how bright a picture is, and notes what it has seen."""

    def __init__(self) -> None:
        self.seen: list[torch.Tensor] = []

    def __call__(self, images):
        self.seen.append(images.clone())
        return [f"{image.mean():.9f}" for image in images]


def test_generator_teacher_and_regularizer_have_one_prompt_for_an_image(tmp_path, monkeypatch) -> None:
    """What the tagger says of the inputs as the restorer sees them; asked once for a batch."""
    tagger, given = Seeing(), []
    module = model(weights=IMAGES, prompts=TaggedPrompts(tagger))
    module.configure_model()
    predict = headsup.model.one_step.predicted

    def noted(unet, x, t, prompt):
        given.append(prompt.clone())
        return predict(unet, x, t, prompt)

    monkeypatch.setattr(headsup.model.one_step, "predicted", noted)
    known = batch(0, False)
    run = trainer(tmp_path, max_steps=1)
    run.fit(module, DataLoader([known], batch_size=None, collate_fn=lambda item: item))
    assert len(tagger.seen) == 1
    torch.testing.assert_close(tagger.seen[0], bicubic(known.lq, 32, 32).clamp(0, 1))
    restoring, guided, fake, follows = given  # guided: with and without the negative prompt
    negative = module.prompts.negative().expand(2, -1, -1)
    assert guided.equal(torch.cat([restoring, negative]))
    assert fake.equal(restoring)
    assert follows.equal(restoring)
    assert not restoring[0].equal(restoring[1])
    module(known)
    assert tagger.seen[1].equal(tagger.seen[0])


def test_batches_without_faces_and_without_references(tmp_path) -> None:
    batches = [batch(0, False), batch(1, False), batch(2, True), batch(0, False)]
    module = model(restorer=RestorerSettings("random:tiny", layout="placed"))
    run = trainer(tmp_path, max_steps=len(batches))
    run.fit(module, DataLoader(batches, batch_size=None, collate_fn=lambda item: item))
    assert run.global_step == len(batches)
    assert all(value.isfinite().all() for value in trained_values(module).values())
    assert run.logged_metrics["train/fidelity"] == run.logged_metrics["train/discriminator"] == 0


def test_the_reference_reaches_the_restored_face(tmp_path) -> None:
    module = model()
    module.configure_model()
    with torch.no_grad():
        for parameter in module.loaded_restorer.generator_parameters().values():
            parameter.add_(0.02)
        known = batch(1, True)
        other = known._replace(reference=1 - known.reference)
        absent = known._replace(present=torch.tensor([False, False]))
        one, two, three = (module(b).latents for b in (known, other, absent))
    assert (one[0] - two[0]).abs().max() > 1e-4
    assert (one[0] - three[0]).abs().max() > 1e-4
    torch.testing.assert_close(two[1], one[1], rtol=0, atol=1e-5)


def test_an_image_that_lost_nothing_has_no_adversarial_loss() -> None:
    known = batch(0, False)
    flat = torch.full_like(known.hq, 0.5)
    known = known._replace(lq=torch.full_like(known.lq, 0.5), hq=flat)
    losses = {
        full: Objective(LossWeights(identity=0.0, picture_adversarial=1.0, full_damage=full), None, None, face_size=32)
        for full in (0.0, 0.1)
    }
    losses[0.1].load_state_dict(losses[0.0].state_dict())
    assert losses[0.0](flat, known, None)["picture_adversarial"] != 0
    assert losses[0.1](flat, known, None)["picture_adversarial"] == 0


class Sees:
    """A detector that finds one face in the middle."""

    def __call__(self, images):
        points = FFHQ_512.scaled(24).tensor().float() + 4
        box = torch.tensor([[6.0, 6.0, 25.0, 25.0]])
        return Faces(torch.zeros(1, dtype=torch.int64), box, points.unsqueeze(0), torch.ones(1))


def write_pair(folder: Path, brightness: float) -> Path:
    """A paired test set of one picture with a reference of one colour."""
    for name, size in (("hq", 32), ("lq", 8)):
        colours = torch.rand(3, size, size, generator=torch.Generator().manual_seed(size))
        save(folder / name / "a.png", colours)
    save(folder / "reference" / "a.png", torch.full((3, 512, 512), brightness))
    return folder


def save(path: Path, pixels: torch.Tensor) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_picture(Picture(pixels), path)


@pytest.mark.parametrize("stage", ["validate", "test", "predict"])
def test_references_of_paired_test_sets_are_used(tmp_path, monkeypatch, stage) -> None:
    monkeypatch.setattr(portraitdata.restoration.datamodule, "build_detector", lambda name: Sees())
    module = model(restorer=RestorerSettings("random:tiny", layout="placed"), weights=IMAGES)
    module.configure_model()
    with torch.no_grad():
        for parameter in module.loaded_restorer.generator_parameters().values():
            parameter.add_(0.02)
    seen: list[torch.Tensor] = []
    used: list[int] = []
    forward = module.forward

    def noted(batch):
        used.append(len(batch_references(batch, module.loaded_restorer.factor)))
        restored = forward(batch)
        seen.append(restored.picture.clone())
        return restored

    module.forward = noted
    for brightness in (0.0, 1.0):
        folder = write_pair(tmp_path / str(brightness), brightness)
        data = RestorationDataModule([Source(tmp_path / "none")], size=32, paired=[folder])
        getattr(trainer(tmp_path, limit_val_batches=1.0), stage)(module, data)
    assert used == [1, 1]
    assert (seen[0] - seen[1]).abs().max() > 1e-4


def test_faces_are_cut_out_and_looked_up_by_the_matrices_of_the_index() -> None:
    module = model(restorer=RestorerSettings("random:tiny", layout="placed"))
    module.configure_model()
    known = batch(2, True)
    shift = torch.tensor([[[1.0, 0.0, 20.0], [0.0, 1.0, -10.0]]])  # at 512 pixels
    moved = known._replace(matrices=compose(shift, known.matrices))
    torch.testing.assert_close(
        batch_references(moved, module.loaded_restorer.factor).matrix[0],
        compose(shift, alignment_matrix(known.faces.landmarks[:1]))[0],
    )
    expected = crop_faces(known.hq, moved.aligning(32), known.faces.image_index, 32).crops
    pairs = module.objective.faces(known.hq, moved)
    torch.testing.assert_close(pairs.truth, expected)
    torch.testing.assert_close(pairs.restored, expected)
    assert (pairs.truth - module.objective.faces(known.hq, known).truth).abs().max() > 0.1


def test_a_close_up_has_its_reference_but_no_losses_on_its_face() -> None:
    module = model(restorer=RestorerSettings("random:tiny", layout="placed"))
    module.configure_model()
    known = batch(2, True)
    moved = known.faces.landmarks.clone()
    moved[0, :, 0] -= 20  # the eyes beyond the left border
    close = known._replace(faces=replace(known.faces, landmarks=moved), matrices=alignment_matrix(moved))
    assert len(module.objective.faces(known.hq, known)) == 2
    pairs, whole = module.objective.faces(close.hq, close), module.objective.faces(known.hq, known)
    assert len(pairs) == 1
    assert pairs.truth[0].equal(whole.truth[1])
    assert not pairs.present.any()
    assert batch_references(close, module.loaded_restorer.factor).image_index.tolist() == [0]


def test_pictures_of_references_are_not_rounded_by_autocast() -> None:
    module = model(restorer=RestorerSettings("random:tiny", layout="placed"))
    module.configure_model()
    known = batch(1, True)
    size = len(known.hq), *known.hq.shape[2:]
    expected = lay_out_first(batch_references(known, module.loaded_restorer.factor), size, "placed")
    assert expected[0].any()
    assert not expected[1].any()
    with torch.autocast("cpu", torch.bfloat16):
        assert lay_out_first(batch_references(known, module.loaded_restorer.factor), size, "placed").equal(expected)


def test_validation_scores_the_average_and_training_goes_on_without_it(tmp_path) -> None:
    """The average is the closed form over the steps; it is in place in a validation and only there."""
    seen: list[dict[str, torch.Tensor]] = []
    validated: list[dict[str, torch.Tensor]] = []

    class Recorder(Callback):
        def on_train_start(self, trainer, pl_module) -> None:
            seen.append(values(pl_module))

        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
            seen.append(values(pl_module))

        def on_validation_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0) -> None:
            validated.append(values(pl_module))

    def values(module):
        return {name: p.detach().clone() for name, p in module.loaded_restorer.generator_parameters().items()}

    average = GeneratorAverage(decay=0.75)
    module = model(weights=IMAGES)
    run = trainer(tmp_path, max_steps=3, limit_val_batches=1, callbacks=[average, Recorder()])
    run.fit(module, portraits(tmp_path))
    assert len(seen) == 4
    assert len(validated) == 1
    shares = [0.75**3, 0.25 * 0.75**2, 0.25 * 0.75, 0.25]
    expected = {name: sum(s * v[name] for s, v in zip(shares, seen, strict=True)) for name in seen[0]}
    torch.testing.assert_close(validated[0], expected, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(average.average, validated[0], rtol=0, atol=0)
    torch.testing.assert_close(values(module), seen[-1], rtol=0, atol=0)
    assert run.callback_metrics["val/psnr"].isfinite()
    assert {"val/ssim", "val/psnr_bicubic", "val/ssim_bicubic"} <= run.callback_metrics.keys()

    average.on_validation_start(run, module)
    torch.testing.assert_close(values(module), average.average, rtol=0, atol=0)
    average.on_exception(run, module, KilledError())
    torch.testing.assert_close(values(module), seen[-1], rtol=0, atol=0)


def test_an_index_without_texts_is_named_once(tmp_path, caplog):
    """Where the prompts are the index's; afterwards it has tags."""
    table = portraits(tmp_path).drawn_index() / "images.parquet"
    textless = read_table(table).drop_columns("prompt")
    write_parquet(textless, table)
    sentence = f'{table.parent} has neither prompts nor tags: its images are trained with the text "a face".'

    def said(prompts: Prompts) -> int:
        caplog.clear()
        with caplog.at_level("INFO"):
            run = trainer(tmp_path, max_steps=1)
            run.fit(model(weights=IMAGES, prompts=prompts), datamodule=portraits(tmp_path, samples=2))
        return caplog.text.count(sentence)

    assert said(IndexPrompts(otherwise="a face")) == 1
    assert said(TaggedPrompts(lambda images: ["a face"] * len(images), otherwise="a face")) == 0
    write_parquet(textless.append_column("tags", [[["man"]] * textless.num_rows]), table)
    assert said(IndexPrompts(otherwise="a face")) == 0
