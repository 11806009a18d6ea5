"""How far a command has come, and how that is shown."""

import io
import sys
import time
from pathlib import Path

import pytest

from faceops.command_line import ShellParser
from faceops.progress import display
from faceops.progress.display import shown, tracked
from faceops.progress.tracker import CURRENT, Tracker, part, parts
from faceops.progress.verbosity import VERBOSITY, Verbosity, say, say_more


@pytest.fixture
def tracker() -> Tracker:
    """A tracker whose clock stands still."""
    return Tracker("Restoring", lambda: 0.0)


def test_parts_of_parts_add_up(tracker: Tracker) -> None:
    before = CURRENT.set(tracker)
    seen = []
    for _ in parts("ab", "picture"):
        with part(0.0, 0.5, "encoding"):
            seen.append((tracker.done, tracker.sentence()))
        with part(0.5, 1.0, "decoding"):
            for _ in parts(range(4), "tile", weights=[1.0, 1.0, 1.0, 5.0]):
                seen.append((tracker.done, tracker.sentence()))
    CURRENT.reset(before)
    assert [done for done, _ in seen] == pytest.approx(
        [*(0.0, 0.25, 0.28125, 0.3125, 0.34375), *(0.5, 0.75, 0.78125, 0.8125, 0.84375)]
    )
    assert seen[5][1] == "Restoring ... 50%, picture 2 of 2, encoding"
    assert seen[9][1] == "Restoring ... 84%, picture 2 of 2, decoding, tile 4 of 4"
    assert (tracker.done, tracker.details, tracker.span) == (1.0, [], (0.0, 1.0))


def test_what_repeats_does_not_go_back(tracker: Tracker) -> None:
    before = CURRENT.set(tracker)
    for begin in (0.5, 0.2):
        with part(begin, begin + 0.25):
            pass
    CURRENT.reset(before)
    assert tracker.done == 0.75


def test_the_time_left_counts_down_between_two_parts() -> None:
    now = [0.0]
    tracker = Tracker("Restoring", lambda: now[0])
    assert tracker.seconds_left() is None
    assert tracker.sentence() == "Restoring ..."
    now[0] = 30.0
    assert tracker.sentence() == "Restoring ... 30 s"
    tracker.reach(0.25)
    now[0] = 40.0
    assert tracker.seconds_left() == 80.0
    assert tracker.sentence() == "Restoring ... 25%, about 1:20 left"
    now[0] = 500.0
    assert tracker.sentence() == "Restoring ... 25%"


def test_lines_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(display, "INTERVAL", 0.01)
    with shown("Restoring"), part(0.0, 0.4, "encoding"), part(0.5, 1.0):
        while not stream.getvalue():
            time.sleep(0.01)
    assert stream.getvalue().splitlines()[0].startswith("Restoring ... 20%")
    assert "encoding" in stream.getvalue()
    assert CURRENT.get() is None


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    assert list(tracked("abc", "Reading")) == ["a", "b", "c"]
    assert "Reading ..." in stream.getvalue()
    assert "━━━" in stream.getvalue()


def test_quiet_and_verbose(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(display, "INTERVAL", 0.001)
    told = {}
    for verbosity in Verbosity:
        before = VERBOSITY.set(verbosity)
        say("a note")
        say_more("a time")
        VERBOSITY.reset(before)
        told[verbosity.value] = capsys.readouterr().err
    assert told == {"--quiet": "", "": "a note\n", "--verbose": "a note\na time\n"}
    before = VERBOSITY.set(Verbosity.QUIET)
    with shown("Restoring"):
        assert CURRENT.get() is None
        time.sleep(0.02)
    VERBOSITY.reset(before)
    assert capsys.readouterr().err == ""


def test_an_error_leaves_no_tracker() -> None:
    with pytest.raises(ValueError, match="dark"), shown("Restoring"), part(0.0, 0.5):
        raise ValueError("It is too dark.")
    assert CURRENT.get() is None


def test_the_command_line_counts_more_than_a_file(tmp_path: Path) -> None:
    def command(*, first: int = 1, second: int = 2) -> None:
        """Do.

        Args:
            first: One.
            second: Two.
        """

    from jsonargparse import ActionConfigFile

    (tmp_path / "c.yaml").write_text("first: 10\nsecond: 20\n")
    parser = ShellParser(exit_on_error=False)
    parser.add_argument("--config", action=ActionConfigFile)
    parser.add_function_arguments(command, as_group=False, as_positional=True)
    parsed = parser.parse_args(["--first", "5", "--config", str(tmp_path / "c.yaml")])
    assert (parsed.first, parsed.second) == (5, 20)
