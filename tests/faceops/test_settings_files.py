"""Files of settings that nobody means well with."""

import subprocess
import sys
from pathlib import Path

import pytest
from yaml import YAMLError

from faceops.cli import main
from faceops.settings_files import MOST_DEPTH, MOST_VALUES, load_bounded
from portraitdata.cli import main as build_portraits

LAUGHS = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{last}'] * 9)}]\n" for last, name in zip("abcdefgh", "bcdefghi", strict=True)
)
"""Eighty values that are 387 million if each is counted where it is named."""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (LAUGHS, "values at most"),
        ("a: &a [*a]", "hold themselves"),
        ("a: " + "[" * 9999 + "]" * 9999, "nested too deep"),
    ],
)
def test_settings_that_grow_are_refused(
    text: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(YAMLError, match=sentence):
        load_bounded(text)
    (tmp_path / "s.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["faceops", "detect", "--config", "s.yaml", "a.png"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_a_number_is_no_group_of_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "s.yaml"
    settings.write_text("output: o\nsources: [{name: a, pictures: b}]\nsplit: 1e999\n")
    monkeypatch.setattr(sys, "argv", ["portraitdata", "build", "--config", str(settings)])
    with pytest.raises(SystemExit) as ended:
        build_portraits()
    assert ended.value.code == 2
    assert "A group of settings does not fit: must be a mapping, not float." in capsys.readouterr().err


def test_an_option_without_a_value_is_named(tmp_path: Path) -> None:
    """In a process of its own, as there the types of arguments are not checked."""
    (tmp_path / "s.yaml").write_text("tile:\nmaps:\n")
    command = [sys.executable, "-m", "hime", "upscale", "a.png", "--output", "b.png", "--config", "s.yaml"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr == "hime: tile has no value in the settings; give it one, or leave it out for the default.\n"


def test_long_and_deep_settings_are_read() -> None:
    assert len(str(load_bounded("[" * MOST_DEPTH + "]" * MOST_DEPTH))) == 2 * MOST_DEPTH
    assert load_bounded(f"[{'1, ' * (MOST_VALUES - 1)}]") == [1] * (MOST_VALUES - 1)
    with pytest.raises(YAMLError, match="100000 values at most"):
        load_bounded(f"[{'1, ' * MOST_VALUES}]")
