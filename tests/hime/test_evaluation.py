"""`hime evaluate`: which references, and whose."""

import json
import sys

import pytest
import torch

from hime.cli import main
from hime.command_options import EvaluateOptions
from hime.evaluation.scores import Condition, conditions, evaluate, evaluate_condition
from hime.network import HIME
from hime.weights.files import save_weights
from hime.weights.model_card import ModelCard
from portraitdata.exemplars.sets import EvaluationExemplarSets
from portraitdata.exemplars.synthetic_portraits import write_synthetic_index

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")


class Cheater(HIME):
    """Gives back its first reference where there is one, grey where there is none."""

    def __init__(self) -> None:
        super().__init__(4, alignment="none", reconstruction_blocks=1)

    def forward(self, lr, references, present):
        if references.shape[1] == 0:
            return torch.full((*lr.shape[:2], 4 * lr.shape[2], 4 * lr.shape[3]), 0.5)
        return references[:, 0] * present[:, :1, None, None]


def test_conditions() -> None:
    assert conditions((0, 1, 3), stranger=True, blank=True) == [
        Condition("0 references", 0, "same"),
        Condition("1 reference", 1, "same"),
        Condition("3 references", 3, "same"),
        Condition("3 of a stranger", 3, "stranger"),
        Condition("3 blank", 3, "blank"),
    ]
    assert conditions((0,), stranger=True, blank=True) == [Condition("0 references", 0, "same")]
    with pytest.raises(ValueError, match="zero references or more, got -1"):
        conditions((3, -1), stranger=False, blank=False)


def test_the_network_gets_the_references_that_the_condition_names(tmp_path) -> None:
    index = write_synthetic_index(tmp_path, people=8, portraits=4, size=32)
    device = torch.device("cpu")
    psnr = {}
    for whose in ("same", "stranger", "blank"):
        sets = EvaluationExemplarSets(index, 32, 3, choose=whose)
        psnr[whose] = evaluate_condition(Cheater(), sets, 3, device=device)["psnr"]
        none = evaluate_condition(Cheater(), sets, 0, device=device)["psnr"]
    assert psnr["same"] > psnr["stranger"] > psnr["blank"]
    assert none not in psnr.values()


def test_fewer_references_than_asked_for_are_said(tmp_path, capsys) -> None:
    index = write_synthetic_index(tmp_path, people=4, portraits=3, size=32)
    cpu = torch.device("cpu")
    evaluate_condition(Cheater(), EvaluationExemplarSets(index, 32, 5), 2, device=cpu)
    assert capsys.readouterr().err == ""
    evaluate_condition(Cheater(), EvaluationExemplarSets(index, 32, 5), 5, device=cpu)
    assert "Sets have 2 references on average, where 5 were asked for." in capsys.readouterr().err


def test_a_size_that_does_not_divide_is_refused(tmp_path) -> None:
    index = write_synthetic_index(tmp_path, people=4, portraits=4, size=32)
    weights = tmp_path / "w.safetensors"
    save_weights(HIME(4, reconstruction_blocks=1), weights, ModelCard())
    with pytest.raises(ValueError, match="30 px cannot be divided by the scale 4"):
        evaluate(str(weights), EvaluateOptions([str(weights)], index=index, size=30))


def test_command_prints_json_and_a_table(tmp_path, monkeypatch, capsys) -> None:
    index = write_synthetic_index(tmp_path, people=8, portraits=4, size=32)
    weights = tmp_path / "w.safetensors"
    save_weights(HIME(4, reconstruction_blocks=1), weights, ModelCard())
    argv = ["hime", "evaluate", str(weights), "--index", str(index), "--size", "32", "--references", "0", "2"]
    for extra in (["--json", "--stranger"], []):
        monkeypatch.setattr(sys, "argv", argv + extra)
        with pytest.raises(SystemExit) as stop:
            main()
        assert not stop.value.code
        out = capsys.readouterr().out
        if extra:
            scores = json.loads(out)[str(weights)]
            assert list(scores) == ["0 references", "2 references", "2 of a stranger"]
            assert scores["2 references"]["psnr_bicubic"] == scores["0 references"]["psnr_bicubic"]
        else:
            assert "over bicubic" in out
