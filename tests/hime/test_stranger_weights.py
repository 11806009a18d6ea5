"""Weights files of strangers: what they say of themselves is checked before a network is built."""

import json
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import hime.weights.files
from hime.network import HIME
from hime.weights.files import load_network
from hime.weights.model_card import read_header

ARGUMENTS = HIME(
    4, channels=8, hr_blocks=1, lr_blocks=1, reconstruction_blocks=1, offset_channels=8
).arguments._asdict()


def write(path: Path, arguments: object, card: str = "{}") -> Path:
    """Write a weights file with a header of any content."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    save_file({"x": torch.zeros(1)}, path, {"architecture": "hime", "arguments": text, "card": card})
    return path


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("[" * 5000 + "]" * 5000, r"The header of .* cannot be read \(it is nested too deep\)"),
        (ARGUMENTS | {"hr_blocks": 1e6}, "hr_blocks in .* at least one and at most 1000, got 1000000.0"),
        (ARGUMENTS | {"hr_blocks": 1_000_000}, "hr_blocks in .* at least one and at most 1000, got 1000000"),
        (ARGUMENTS | {"scale": 10**400}, "scale in .* at most 1000, got a number beyond all counts"),
        (ARGUMENTS | {"scale": None}, "scale in .* at most 1000, got None"),
        (ARGUMENTS | {"channels": "8"}, "channels in .* at most 1000, got '8'"),
        (
            ARGUMENTS | {"alignment": "sideways"},
            "alignment in .* must be one of none, conv, dcn, flow_dcn, got 'sideways'",
        ),
        (ARGUMENTS | {"alignment": "x" * 10_000}, r"got 'x{39}\.\.\.\."),
        ({"x" * 10_000: 1}, "got x{80}\\."),
        (
            ARGUMENTS | {"channels": 1000, "reconstruction_blocks": 200, "scale": 1000},
            "lacks weights for its own arguments",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_refused_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments, sentence
) -> None:
    class Measured(HIME):
        def __init__(self, *wanted: object) -> None:
            super().__init__(*wanted)
            assert next(self.parameters()).is_meta, "A network was built."

    monkeypatch.setattr(hime.weights.files, "HIME", Measured)
    path = write(tmp_path / "stranger.safetensors", arguments)
    begin = time.process_time()
    with pytest.raises(ValueError, match=sentence) as caught:
        load_network(path)
    assert time.process_time() - begin < 5
    assert len(str(caught.value)) < 500 + len(str(path))


@pytest.mark.parametrize(
    ("card", "sentence"),
    [
        ('{"lr_size": "16"}', "lr_size must be a whole number or null, got '16'"),
        ('{"lr_size": 0}', "lr_size must be at least 1, got 0"),
        ('{"metrics": [1]}', r"metrics must be a number for each name, got \[1\]"),
    ],
)
def test_a_card_that_does_not_fit_is_one_sentence(tmp_path: Path, card: str, sentence: str) -> None:
    path = write(tmp_path / "stranger.safetensors", ARGUMENTS, card)
    with pytest.raises(ValueError, match=rf"^The header of \S+stranger\.safetensors cannot be read \({sentence}\)\.$"):
        read_header(path)
