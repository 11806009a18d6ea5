"""The console script."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from pickle import UnpicklingError

import pytest
import torch

from faceops.images.files import Picture, load_picture, save_picture
from faceops.images.memory_budget import DECODING_BYTES, DETECTION_BYTES, check_memory
from hime import cli
from hime.command_options import CorrelationMapOptions, UpscaleOptions
from hime.variants import build_variant
from hime.weights.files import save_weights
from hime.weights.model_card import ModelCard

COMMANDS = ["upscale", "demo", "weights", "profile", "export", "correlation-map"]


def hime(monkeypatch: pytest.MonkeyPatch, *argv: object) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["hime", *map(str, argv)])
    with pytest.raises(SystemExit) as leave:
        cli.main()
    return leave.value.code


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_weights(build_variant("lean", 4), tmp_path / "net.safetensors", ModelCard(lr_size=16))
    return tmp_path / "net.safetensors"


@pytest.mark.parametrize("argv", [["--help"], ["upscale", "--help"]])
def test_help_imports_nothing_heavy(argv: list[str]) -> None:
    code = (
        f"import sys; sys.argv = ['hime', *{argv!r}]\n"
        "from hime.cli import main\n"
        "try: main()\n"
        "except SystemExit as leave: assert leave.code == 0\n"
        "heavy = {'torch', 'lightning', 'PIL', 'cv2', 'matplotlib', 'numpy', 'skimage'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


def test_python_m_hime() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hime", "--help"], check=True, capture_output=True, text=True, timeout=60
    )
    for command in ["fit", "validate", "test", "predict", *COMMANDS]:
        assert f"    {command} " in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_argument_is_explained(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hime(monkeypatch, command, "--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "] (type" not in text
    assert not re.search(r"--[a-z.]+_", text.partition("options:")[0])


def test_the_help_names_no_choice_that_is_none() -> None:
    assert UpscaleOptions.__doc__ is not None
    (told,) = re.findall(r"\balign: (.*?)\btile:", UpscaleOptions.__doc__, re.DOTALL)
    assert "auto" not in told


def test_upscale_as_a_shell_writes_it(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    low, output = tmp_path / "low.png", tmp_path / "out.png"
    for path in (low, tmp_path / "a.png", tmp_path / "b.png"):
        save_picture(Picture(torch.rand(3, 8, 8)), path)
    arguments = ["upscale", low, "--exemplars", tmp_path / "a.png", tmp_path / "b.png", "--output", output]
    arguments += ["--weights", weights, "--maps", tmp_path / "maps", "--device", "cpu"]
    assert hime(monkeypatch, *arguments) == 0
    assert load_picture(output).pixels.shape == (3, 32, 32)
    assert len(list((tmp_path / "maps").iterdir())) == 4
    output.write_text("precious")
    assert hime(monkeypatch, *arguments) == 0
    assert capsys.readouterr().err.strip().endswith(f"{output} is there already; --overwrite makes it again.")
    assert output.read_text() == "precious"
    assert hime(monkeypatch, *arguments, "--overwrite") == 0
    assert load_picture(output).pixels.shape == (3, 32, 32)


def test_warnings_are_sentences(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_picture(Picture(torch.rand(3, 40, 40)), tmp_path / "low.png")
    assert hime(monkeypatch, "upscale", tmp_path / "low.png", "--output", tmp_path / "o.png", "--weights", weights) == 0
    errors = capsys.readouterr().err
    assert "the weights were trained on 16 x 16" in errors
    assert "UserWarning" not in errors


def test_a_folder_with_a_bad_file_exits_with_one(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    low = tmp_path / "low"
    low.mkdir()
    save_picture(Picture(torch.rand(3, 8, 8)), low / "a.png")
    (low / "b.png").write_text("no picture")
    assert hime(monkeypatch, "upscale", low, "--output", tmp_path / "out", "--weights", weights) == 1
    assert (tmp_path / "out/a.png").is_file()


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (
            ["upscale", "missing.png", "--output", "out.png", "--weights", "missing.safetensors"],
            "no weights file missing",
        ),
        (["export", "missing.ckpt", "--output", "a.safetensors"], "missing.ckpt"),
        (["export", "a.safetensors"], "Say what to write"),
        (["profile", "--weights", "nonsense"], 'No weights are called "nonsense"'),
    ],
)
def test_errors_are_one_sentence(
    argv: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert hime(monkeypatch, *argv) == 2
    errors = capsys.readouterr().err
    assert sentence in errors
    assert len(errors.splitlines()) == 1
    assert "Traceback" not in errors


def test_misspelt_options_are_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert hime(monkeypatch, "profile", "--lr-sise", "3") == 2
    assert "--lr-sise" in capsys.readouterr().err


def test_interruption(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "run", interrupt)
    assert hime(monkeypatch, "upscale") == 130
    assert "interrupted" in capsys.readouterr().err


def test_profile_in_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert hime(monkeypatch, "profile", "--variant", "small", "--scale", "4", "--lr-size", "32", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert {name: report[name] for name in ("variant", "scale", "lr_size", "references", "parameters", "macs")} == {
        "variant": "small",
        "scale": 4,
        "lr_size": 32,
        "references": 3,
        "parameters": 837387,
        "macs": 1572323328,
    }


def test_profile_of_weights(weights: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert hime(monkeypatch, "profile", "--weights", weights, "--references", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == 655179


def test_weights_lists_cards(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hime.weights.shipped.FOLDER", tmp_path)
    assert hime(monkeypatch, "weights") == 0
    printed = capsys.readouterr().out
    assert "net (2.6 MB)" in printed
    assert "lr size: 16" in printed
    monkeypatch.setattr("hime.weights.shipped.FOLDER", tmp_path / "empty")
    assert hime(monkeypatch, "weights") == 0
    assert "No weights come with this installation" in capsys.readouterr().out


def test_lists_with_dashes_and_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[CorrelationMapOptions] = []
    monkeypatch.setattr("hime.evaluation.correlation_figure.draw_correlation_map", seen.append)
    image, output = tmp_path / "a.ppm", tmp_path / "b.png"
    image.write_bytes(b"P6 1 1 255 abc")
    assert hime(monkeypatch, "correlation-map", image, "--output", output, "--window", "3", "9", "--dilation", "2") == 0
    assert hime(monkeypatch, "correlation-map", image, "--output", output) == 0
    assert hime(monkeypatch, "correlation-map", image, "--window", "3", "5", "7", "--overwrite") == 0
    assert [replace(call, window=list(call.window)) for call in seen] == [
        CorrelationMapOptions(image, output=output, window=[3, 9], dilation=2),
        CorrelationMapOptions(image, output=output, window=[3, 5, 7], dilation=1),
        CorrelationMapOptions(image, output=None, window=[3, 5, 7], dilation=1, overwrite=True),
    ]


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("CUDA out of memory. Tried"), UnpicklingError("pickle data")]
)
def test_memory_and_junk_are_sentences(error, monkeypatch, capsys) -> None:
    def fail() -> int:
        raise error

    monkeypatch.setattr(cli, "run", fail)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("hime: ")


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ([], DECODING_BYTES),
        (["--exemplars", "a.ppm"], DETECTION_BYTES),
        (["--exemplars", "a.ppm", "--align", "middle"], DECODING_BYTES),
    ],
)
def test_the_memory_counts_the_search_of_faces_where_there_is_one(monkeypatch, tmp_path, capsys, more, wanted) -> None:
    monkeypatch.setattr("hime.upscaling.files.upscale_files", lambda *arguments: check_memory("a.png", (10**6, 10)))
    monkeypatch.chdir(tmp_path)
    Path("a.ppm").write_bytes(b"P6 1 1 255 abc")
    assert hime(monkeypatch, "upscale", "a.ppm", "--output", "b.png", "--max-memory", "0.1", *more) == 2
    assert f"for which {wanted * 1e7 / 1e9:.2g} GB of memory are needed" in capsys.readouterr().err


def test_other_errors_are_not_hidden(monkeypatch) -> None:
    def fail() -> int:
        raise RuntimeError("a bug")

    monkeypatch.setattr(cli, "run", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        cli.main()
