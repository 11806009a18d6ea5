"""The tables of HIME's benchmarks, on drawn portraits and networks with random weights."""

from collections.abc import Sequence
from inspect import signature
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import yaml
from jaxtyping import UInt8
from torch import Tensor

from benchmarks.hime import ablations, table1, table5
from benchmarks.hime.agreement import change, verdict
from benchmarks.hime.experiments import EXPERIMENTS, FIGURE8, FROM_SCRATCH, PAPERS
from benchmarks.hime.miniature_trainings import CONFIGS, Training, _run, at_its_end, train
from benchmarks.hime.multiply_accumulates import multiply_accumulates
from benchmarks.hime.portrait_scores import (
    Distance,
    Portraits,
    Scores,
    enlarged_by_bicubic,
    reduced,
    scored,
    with_copies,
)
from benchmarks.peers.rlfn import RLFN
from hime.evaluation.profile_report import profile_network
from hime.network import HIME, Alignment
from hime.training.perception import PerceptionSuperResolver
from hime.training.reconstruction import ReconstructionSuperResolver
from hime.training.super_resolver import PartRates
from portraitdata.exemplars.datamodule import ExemplarDataModule

ABSOLUTE = Distance("absolute", lambda truths: lambda results: (results - truths).abs().flatten(1).mean(dim=1))


@pytest.fixture
def portraits() -> Portraits:
    random = torch.Generator().manual_seed(0)
    coarse = torch.rand(3, 4, 3, 8, 8, generator=random).flatten(0, 1)
    fine = torch.nn.functional.interpolate(coarse, (32, 32), mode="bicubic").clamp(0, 1)
    images = fine.mul(255).round().to(torch.uint8).reshape(3, 4, 3, 32, 32)
    return Portraits(images, torch.ones(3, 3, dtype=torch.bool), ("ann", "ann", "ben"))


def defaults(of: type) -> dict:
    return {
        name: parameter.default
        for name, parameter in signature(of).parameters.items()
        if parameter.default is not parameter.empty
    }


def overlaid(below: dict, above: dict) -> dict:
    """A configuration with another laid over it, key by key."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(below.get(key), dict)
        merged[key] = overlaid(below[key], value) if both else value
    return merged


def resolved(training: Training) -> dict:
    """What the files of a training say, its defaults filled in."""
    config: dict = {}
    for path in training.files:
        config = overlaid(config, yaml.safe_load(path.read_text()))
    model = config["model"]
    known = {one.__name__: one for one in (ReconstructionSuperResolver, PerceptionSuperResolver)}
    recipe = known[model["class_path"].rpartition(".")[2]]
    network = model["init_args"].pop("network")
    assert network["class_path"] == "hime.network.HIME"
    config["network"] = defaults(HIME) | network["init_args"]
    model["init_args"] = defaults(recipe) | model["init_args"]
    config["data"]["init_args"] = defaults(ExemplarDataModule) | config["data"]["init_args"]
    return config


def test_every_training_has_a_config_and_files_of_its_own() -> None:
    trainings = [one for experiment in EXPERIMENTS for one in experiment.rows.values()]
    trainings += [one for by_window in FIGURE8.values() for one in by_window.values()]
    distinct = set(trainings)
    assert len(distinct) == 20
    assert len({one.weights for one in distinct}) == 20
    assert len({(str(resolved(one)), one.arguments) for one in distinct}) == 20
    for one in distinct:
        assert (one.after is not None) == (resolved(one)["model"]["init_args"]["initial_weights"] is not None)
    assert len(FROM_SCRATCH) == 8
    for kind in FIGURE8.values():
        assert [one.arguments[-2:] for one in kind.values()] == [("--model.init_args.window", str(k)) for k in kind]


def test_the_flow_moves_in_the_miniature() -> None:
    miniature = yaml.safe_load((CONFIGS / "miniature.yaml").read_text())
    rates = miniature["model"]["init_args"]["part_rates"]
    assert rates | {"flow_freeze_steps": 2000} == vars(PartRates())
    assert rates["flow_freeze_steps"] <= miniature["trainer"]["max_steps"] / 10


def test_a_training_that_was_stopped_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    training = Training("row")
    run = training.curve.parent
    run.mkdir(parents=True)
    training.curve.write_text("half a curve")
    commands: list[Sequence[str]] = []

    def fit_or_export(command: Sequence[str], **_: object) -> None:
        commands.append(command)
        if "fit" in command:
            assert not run.exists()
            (run / "checkpoints").mkdir(parents=True)
            (run / "config.yaml").write_text("trainer: {max_steps: 4}")
            (run / "checkpoints/step=4.ckpt").touch()

    monkeypatch.setattr("subprocess.run", fit_or_export)
    _run(training, tmp_path / "index.parquet")
    assert [command[3] for command in commands] == ["fit", "export"]


def test_a_training_that_was_stopped_is_not_at_its_end(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "config.yaml").write_text("trainer: {max_steps: 400}\n")
    for step, end in ((40, False), (300, False), (400, True)):
        (tmp_path / f"checkpoints/epoch=0-step={step}.ckpt").touch()
        assert at_its_end(tmp_path) == end


def test_published_rows_and_pairs_name_rows() -> None:
    for experiment in EXPERIMENTS:
        assert list(experiment.published) == list(experiment.rows)
        assert {name for pair in experiment.pairs for name in pair} <= set(experiment.rows)
        assert set(experiment.references) <= set(experiment.rows)


def test_scores_are_of_every_image_and_perfect_for_the_truth(portraits: Portraits) -> None:
    ways = {
        "bicubic": enlarged_by_bicubic(4),
        "first reference": lambda lr, references, present: references[:, 0],
    }
    copied = portraits._replace(images=portraits.images[:, :1].expand(-1, 4, -1, -1, -1))
    scores = scored(ways, copied, 4, ABSOLUTE)
    assert scores["first reference"].means == pytest.approx((80.0, 1.0, 0.0), abs=1e-4)
    truths = portraits.images[:, 0].float() / 255
    results = enlarged_by_bicubic(4)(reduced(truths, 4), truths[:, None], portraits.present).clamp(0, 1)
    error = (results - truths).square().flatten(1).mean(dim=1)
    torch.testing.assert_close(scores["bicubic"].psnr, -10 * error.log10(), atol=1e-3, rtol=0)
    torch.testing.assert_close(scores["bicubic"].distance, (results - truths).abs().flatten(1).mean(dim=1))


def test_copies_keep_the_truth_and_are_like_it(portraits: Portraits) -> None:
    copied = with_copies(portraits, 3)
    assert copied.images.shape == portraits.images.shape
    assert copied.present.all()
    assert torch.equal(copied.images[:, 0], portraits.images[:, 0])
    assert torch.equal(copied.images, with_copies(portraits, 3).images)
    copies, others = (
        (one.images[:, 1:].float() - one.images[:, :1].float()).abs().mean() for one in (copied, portraits)
    )
    assert 0 < copies < others


def test_changes_are_judged_by_their_doubt() -> None:
    before = torch.tensor([20.0, 22.0, 24.0, 30.0])
    difference = torch.tensor([0.1, 0.3, 0.2, 0.2])
    ours = change(before, before + difference, range(4))
    assert ours.mean == pytest.approx(0.2, abs=1e-5)
    assert ours.doubt == pytest.approx(2 * difference.std().item() / 2, abs=1e-5)
    assert verdict(ours, 0.01) == "same sign"
    assert verdict(ours, -0.01) == "opposite sign"
    assert verdict(ours._replace(doubt=0.21), 0.01) == "undecided"


def test_photographs_of_one_person_do_not_count_as_several_measurements() -> None:
    before = torch.zeros(3)
    once = change(before, torch.tensor([0.1, 0.3, 0.5]), "abc")
    twice = change(before.repeat(2), torch.tensor([0.1, 0.3, 0.5]).repeat(2), "abcabc")
    assert twice == pytest.approx(once)
    assert change(before.repeat(2), torch.tensor([0.1, 0.3, 0.5]).repeat(2), range(6)).doubt < once.doubt


def test_frames_of_one_stretch_of_the_clip_count_as_one_measurement() -> None:
    first = torch.tensor([30.0, 31.0, 32.0, 33.0])
    changed = first + torch.tensor([0.1, 0.1, 0.5, 0.5])
    psnr = {"30": first, "60": changed, "120": first, "blank": changed}
    scores = {name: Scores(each, each, each) for name, each in psnr.items()}
    assert "PSNR +0.300 ± 0.400" in table5.signs("small", scores, [0, 0, 1, 1])[0]


@pytest.mark.parametrize("alignment", ["conv", "dcn"])
def test_work_is_counted_as_the_profile_counts(alignment: Alignment) -> None:
    network = HIME(scale=4, alignment=alignment, hr_blocks=1, lr_blocks=1, reconstruction_blocks=1)
    lr, references = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 3, 32, 32)
    counted = multiply_accumulates(network, lambda: network(lr, references))
    assert counted == profile_network(network, 8, references=3).macs


def test_rlfn_has_the_papers_size_and_work() -> None:
    network = RLFN()
    assert sum(parameter.numel() for parameter in network.parameters()) == 317_218
    with torch.inference_mode():
        assert network(torch.rand(1, 3, 16, 16)).shape == (1, 3, 64, 64)
    once = multiply_accumulates(network, lambda: network(torch.rand(1, 3, 32, 32)))
    # 19.67 GMACs for 256 x 256 pixels in the report of NTIRE 2022, attention on its small map included
    assert once * 64 == pytest.approx(19.67e9, rel=0.01)
    twice = table1.by_rlfn(network, torch.rand(1, 3, 16, 16), 8)
    assert twice.shape == (1, 3, 128, 128)


@pytest.mark.assets
def test_rlfn_beats_bicubic_on_a_photograph(assets: Path) -> None:
    from portraitdata.images.simulated_views import astronaut

    truth = astronaut()[None, :, 52:180, 161:289]
    lr = reduced(truth, 4)
    network = RLFN.load(assets / "weights/sr/rlfn_ntire_x4.pth")
    with torch.inference_mode():
        errors = [
            (image.clamp(0, 1) - truth).square().mean() for image in (network(lr), enlarged_by_bicubic(4)(lr, lr, lr))
        ]
    assert errors[0] < 0.7 * errors[1]


def test_table1_lists_every_method_with_its_work(portraits: Portraits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table1, "SIDE", 32)
    monkeypatch.setattr(table1, "SHOWN", 2)
    monkeypatch.setattr(table1, "cpu_seconds", lambda runs, repeats: [0.5 for run in runs if run() is not None])
    network = HIME(scale=4, hr_blocks=1, lr_blocks=1, reconstruction_blocks=1).eval()
    methods = [
        table1.Method("bicubic", "0", enlarged_by_bicubic(4)),
        table1.Method("HIME_rec (small)", "0", table1.alone(network), network),
        table1.Method("HIME_rec (small)", "3", network, network),
        table1.Method("HIME_rec (small)", "3 of a stranger", network, network),
    ]
    people = {"same": portraits, "stranger": portraits._replace(images=portraits.images.flip(0))}
    rows = table1.setting(4, methods, people, ABSOLUTE)
    assert [row[:3] for row in rows] == [("(8, 4)", method.name, method.references) for method in methods]
    assert rows[0][6:] == ("", "", 500.0)
    assert rows[1][7] == profile_network(network, 8, references=0).macs / 1e9
    assert rows[2][7] == rows[3][7] == profile_network(network, 8, references=3).macs / 1e9
    sheet = table1.sheet(4, methods, portraits)
    assert sheet.shape[0] == 3
    assert 0 <= sheet.min() < sheet.max() <= 1


def test_trainings_follow_those_whose_weights_they_take_and_run_once_each(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = "benchmarks.hime.miniature_trainings"
    ran: list[str] = []

    def run(training: Training, index: Path) -> None:
        if training.name == "broken":
            raise RuntimeError("it is stopped")
        assert training.after is None or training.after.finished
        ran.append(training.name)
        training.weights.touch()

    monkeypatch.setattr(f"{module}.FOLDER", tmp_path)
    monkeypatch.setattr(f"{module}.lfw_index", lambda: tmp_path / "index")
    monkeypatch.setattr(f"{module}._run", run)
    first = Training("first")
    later, other = Training("later", after=first), Training("other")
    train([later, other, later])
    assert sorted(ran) == ["first", "later", "other"]
    train([first, later])
    assert len(ran) == 3
    with pytest.raises(RuntimeError, match="it is stopped"):
        train([Training("broken")])


def test_ablations_score_what_is_finished_and_name_the_rest(
    portraits: Portraits, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from hime.weights.files import save_weights
    from hime.weights.model_card import ModelCard

    monkeypatch.setattr("benchmarks.hime.miniature_trainings.FOLDER", tmp_path)
    monkeypatch.setattr(ablations, "held_out", lambda references, limit: portraits)
    monkeypatch.setattr(ablations, "perceptual_distance", lambda: ABSOLUTE)
    with pytest.raises(ablations.LeftOutError, match="needs its trainings"):
        ablations.measure("quick")
    table2, *_ = EXPERIMENTS
    figure8 = FIGURE8["cor alone"]
    for training in (PAPERS, table2.rows["conv"], figure8[1], figure8[9]):
        alignment: Alignment = "conv" if training.name.endswith("conv") else "dcn"
        network = HIME(scale=8, alignment=alignment, hr_blocks=1, lr_blocks=1, reconstruction_blocks=1)
        save_weights(network, training.weights, ModelCard())
    PAPERS.curve.parent.mkdir(parents=True)
    PAPERS.curve.write_text("epoch,step,train/rec,val/psnr\n0,19,0.5,\n0,39,0.25,\n0,39,,24.0\n")
    tables = {table.name: table for table in ablations.measure("quick")}
    assert [row[0] for row in tables["hime_table2"].rows] == ["bicubic", "conv", "dcn"]
    assert "not trained here yet: flow_dcn;" in tables["hime_table2"].note
    assert "From conv to dcn, with copies: PSNR" in tables["hime_table2"].note
    assert "From dcn to flow_dcn" not in tables["hime_table2"].note
    assert tables["hime_table2"].rows[2][1:] == tables["hime_table3"].rows[1][1:]
    assert [row[:2] for row in tables["hime_figure8"].rows] == [("cor alone", 1), ("cor alone", 9)]
    assert "1 steps of k" in tables["hime_figure8"].note
    assert tables["hime_ablation_curves"].curves == {"the paper's small model": [(20.0, 0.5), (40.0, 0.25)]}
    assert all(len(row) == len(table.columns) for table in tables.values() for row in table.rows)


def test_the_clip_is_less_alike_the_further_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    frames: list[UInt8[Tensor, "3 s s"]] = table5.clip()
    assert len(frames) == table5.FRAMES
    sets = table5.video_sets(frames, [t for t in range(5, 240, 12) if t % 30])
    found = [table5.likeness(table5.gathered(one).images) for one in sets.values()]
    assert found == sorted(found, reverse=True)
    steps = torch.stack([(a.float() - b.float()).abs().mean() for a, b in pairwise(frames)])
    assert steps.max() < 10, "it jumps"
    assert [one.choose for one in sets.values()] == ["earlier"] * 3 + ["blank"]
