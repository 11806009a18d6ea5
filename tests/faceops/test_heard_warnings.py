"""Warnings of a task as sentences: its own thread's, each once, and nothing else."""

import threading
import warnings

import pytest

from faceops.heard_warnings import heard_warnings


def test_what_was_said_before_is_heard_again() -> None:
    for _ in range(2):
        with heard_warnings() as heard:
            for sentence in ("It is dark.", "It is dark.", "It is small."):
                warnings.warn(sentence, UserWarning, stacklevel=1)
        assert heard == ["It is dark.", "It is small."]


def test_other_categories_and_what_is_said_later_are_shown_as_before() -> None:
    filters, shown = list(warnings.filters), warnings.showwarning
    with pytest.warns(RuntimeWarning, match="of a library") as others, heard_warnings() as heard:
        warnings.warn("of a library", RuntimeWarning, stacklevel=1)
    assert heard == []
    assert len(others) == 1
    assert (warnings.filters, warnings.showwarning) == (filters, shown)
    with pytest.warns(UserWarning, match="later"):
        warnings.warn("later", UserWarning, stacklevel=1)


def test_threads_hear_their_own_and_leave_in_any_order() -> None:
    heard: dict[str, list[str]] = {}
    entered, left = threading.Barrier(2, timeout=5), threading.Event()

    def listen(name: str, is_first_to_leave: bool) -> None:
        with heard_warnings() as own:
            entered.wait()
            warnings.warn(f"{name} is dark.", UserWarning, stacklevel=1)
            if not is_first_to_leave:
                assert left.wait(5)
                warnings.warn(f"{name} is small.", UserWarning, stacklevel=1)
        heard[name] = own
        left.set()

    threads = [threading.Thread(target=listen, args=told) for told in (("a", True), ("b", False))]
    with warnings.catch_warnings(record=True) as others:
        warnings.simplefilter("always")
        filters, shown = list(warnings.filters), warnings.showwarning
        for thread in threads:
            thread.start()
        warnings.warn("of nobody", UserWarning, stacklevel=1)
        for thread in threads:
            thread.join(timeout=5)
        assert (warnings.filters, warnings.showwarning) == (filters, shown)
    assert heard == {"a": ["a is dark."], "b": ["b is dark.", "b is small."]}
    assert [str(other.message) for other in others] == ["of nobody"]
