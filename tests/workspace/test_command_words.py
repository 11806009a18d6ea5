"""What the four programs say of themselves: help without types of Python, with an example, experts' options apart."""

import shlex
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

import pytest
from PIL import Image

from faceops.command_line import Commands
from faceops.progress.verbosity import VERBOSITY, Verbosity

PROGRAMS = ("faceops", "portraitdata", "hime", "headsup")
LEAKS = ("type:", "<class", "Literal[", "Annotated[", "null")
ORDERS = {
    "headsup": ["restore", "serve", "demo", "weights", "fit", "validate", "test", "predict", "export"],
    "hime": ["upscale", "demo", "weights", "fit", "validate", "test", "predict", "evaluate", "export"],
}


def leaves(commands: Commands, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in commands.items():
        if isinstance(command, Mapping):
            yield from leaves(command, (*before, name))
        elif name != "_help":
            yield (*before, name)


def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    monkeypatch.setattr(sys, "argv", list(words))
    with pytest.raises(SystemExit) as ended:
        import_module(f"{words[0]}.cli").main()
    assert not ended.value.code
    return capsys.readouterr().out


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_is_for_users(program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for command in leaves(import_module(f"{program}.cli").COMMANDS):
        if command[0] in ("fit", "validate", "test", "predict"):  # of them --help-all is Lightning's
            told = said(monkeypatch, capsys, program, *command, "--help")
            assert f"example:\n  {program} {command[0]} " in told
            continue
        told = said(monkeypatch, capsys, program, *command, "--help-all")
        assert not [leak for leak in LEAKS if leak in told], command
        _, _, example = told.partition("\nexample:\n")
        words = shlex.split(example)
        assert words[: 1 + len(command)] == [program, *command]
        assert all(f" {word}" in told.partition("\nexample:\n")[0] for word in words if word.startswith("--")), command
        assert len(said(monkeypatch, capsys, program, *command, "--help").splitlines()) < 60


@pytest.mark.parametrize("program", ORDERS)
def test_commands_come_in_the_order_of_use(program: str) -> None:
    assert list(import_module(f"{program}.cli").COMMANDS)[:9] == ORDERS[program]


def test_options_of_experts_are_shown_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usual, whole = (said(monkeypatch, capsys, "headsup", "restore", word) for word in ("--help", "--help-all"))
    for option in ("--overlap OVERLAP", "--colour {wavelet,adain,none}", "--face-box FACE_BOX ...", "--config CONFIG"):
        assert option in whole
        assert option not in usual
    assert "expert options:" in whole
    assert usual.startswith("usage: headsup restore INPUTS ... --output OUTPUT [options]\n")
    assert "--weights WEIGHTS" in usual
    assert "(default: guided)" in usual


def test_quiet_commands_say_only_what_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("a.png", "b.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    words = ["headsup", "restore", str(tmp_path / "a.png"), "--output", str(tmp_path / "b.png")]
    for quiet, errors in (
        ([], f"{tmp_path / 'b.png'} is there already; --overwrite makes it again.\n"),
        (["--quiet"], ""),
    ):
        monkeypatch.setattr(sys, "argv", [*words, *quiet])
        with pytest.raises(SystemExit):
            import_module("headsup.cli").main()
        assert capsys.readouterr().err == errors
        assert VERBOSITY.get() is Verbosity.USUAL  # for the next command of the same process
