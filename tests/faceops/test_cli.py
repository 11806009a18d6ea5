"""The console script."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Literal, get_args, get_type_hints

import pytest

from faceops import cli
from faceops.cli import COMMANDS
from faceops.command_line import ShellParser
from faceops.commands.options import AlignOptions, CompareOptions, EmbedOptions

WEIGHTS = ["list", "where", "fetch", "verify", "add"]


def faceops(monkeypatch: pytest.MonkeyPatch, *argv: object) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["faceops", *map(str, argv)])
    with pytest.raises(SystemExit) as leave:
        cli.main()
    return leave.value.code


@pytest.mark.parametrize("argv", [["--help"], ["detect", "--help"], ["weights", "fetch", "--help"]])
def test_help_imports_nothing_heavy(argv: list[str]) -> None:
    code = (
        f"import sys; sys.argv = ['faceops', *{argv!r}]\n"
        "from faceops.cli import main\n"
        "try: main()\n"
        "except SystemExit as leave: assert leave.code == 0\n"
        "heavy = {'torch', 'PIL', 'cv2', 'numpy', 'pooch', 'safetensors', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


def test_python_m_faceops() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "faceops", "--help"], check=True, capture_output=True, text=True, timeout=60
    )
    for command in COMMANDS:
        assert f"    {command} " in done.stdout


@pytest.mark.parametrize("command", [*([name] for name in COMMANDS), *(["weights", name] for name in WEIGHTS)])
def test_every_argument_is_explained(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert faceops(monkeypatch, *command, "--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "] (type" not in text
    assert not re.search(r"--[a-z.]+_", text.partition("options:")[0])


def test_the_choices_are_those_of_the_package() -> None:
    from faceops.geometry.alignment import Estimator
    from faceops.recognition.identity import DEFAULT_NETWORK

    assert get_type_hints(AlignOptions)["estimator"] == Literal[get_args(Estimator)]
    assert CompareOptions.network == EmbedOptions.network == DEFAULT_NETWORK


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["weights", "where", "nonsense"], 'No weights are called "nonsense"'),
        (["weights", "add", "absent.pth"], "There is no weights file absent.pth."),
        (["weights", "fetch", "scrfd"], "non-commercial research only"),
        (["detect", "a.ppm", "--weights", "absent.onnx"], "There is no weights file absent.onnx."),
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
    Path("a.ppm").write_bytes(b"P6 1 1 255 abc")
    monkeypatch.setenv("FACEOPS_CACHE", str(tmp_path))
    assert faceops(monkeypatch, *argv) == 2
    errors = capsys.readouterr().err
    assert sentence in errors
    assert len(errors.splitlines()) == 1


def test_misspelt_options_are_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert faceops(monkeypatch, "detect", "a.png", "--jsn") == 2
    assert "--jsn" in capsys.readouterr().err


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    code = (
        "from faceops.command_line import run_command\n"
        "def run():\n    raise BrokenPipeError\n"
        "run_command('faceops', run)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_interruption(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "run", interrupt)
    assert faceops(monkeypatch, "detect") == 130
    assert "interrupted" in capsys.readouterr().err


def test_weights_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FACEOPS_CACHE", str(tmp_path))
    assert faceops(monkeypatch, "weights", "list") == 0
    listed = capsys.readouterr().out
    assert re.search(r"yunet +0\.3 +no +Apache-2\.0", listed)
    assert re.search(r"scrfd +16\.9 +no \(by hand\) +non-commercial research only", listed)
    assert faceops(monkeypatch, "weights", "where") == 0
    assert capsys.readouterr().out == f"{tmp_path}\n"
    assert faceops(monkeypatch, "weights", "where", "yunet") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'yunet_n_640_640.onnx'}\n"
    assert faceops(monkeypatch, "weights", "verify") == 0
    assert "There are no weights in" in capsys.readouterr().err
    (tmp_path / "yunet_n_640_640.onnx").write_bytes(b"half")
    assert faceops(monkeypatch, "weights", "verify") == 1
    assert "is damaged or another file" in capsys.readouterr().err
    assert faceops(monkeypatch, "weights", "verify", "scrfd") == 1


@pytest.mark.assets
def test_weights_brought_by_hand(
    assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FACEOPS_CACHE", str(tmp_path / "cache"))
    assert faceops(monkeypatch, "weights", "add", assets / "weights/detect/retinaface_mobilenet0.25_Final.pth") == 0
    target = tmp_path / "cache" / "detection_mobilenet0.25_Final.pth"
    assert capsys.readouterr().out == f"retinaface-mobilenet0.25: {target}\n"
    assert faceops(monkeypatch, "weights", "verify") == 0
    assert capsys.readouterr().out == "retinaface-mobilenet0.25: right\n"
    assert faceops(monkeypatch, "weights", "fetch", "retinaface-mobilenet0.25") == 0
    assert capsys.readouterr().out == f"{target}\n"


def test_unnamed_parameters_with_defaults() -> None:
    def command(first: str, second: str = "b", *, third_one: int = 1) -> None:
        """Do.

        Args:
            first: One.
            second: Two.
            third_one: Three.
        """

    parser = ShellParser(exit_on_error=False)
    parser.add_function_arguments(command, as_group=False, as_positional=True)
    assert parser.parse_args(["x"]).second == "b"
    parsed = parser.parse_args(["x", "y", "--third-one", "3"])
    assert (parsed.first, parsed.second, parsed.third_one) == ("x", "y", 3)
