"""What a task warns of, as sentences for whoever asked for the task.

`warnings.catch_warnings` alone changes what all threads show and, left in another order than entered, for good.
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import TextIO

_HEARD: ContextVar[list[str] | None] = ContextVar("heard warnings", default=None)


@contextmanager
def heard_warnings() -> Iterator[list[str]]:
    """Collect what is warned of within, by this thread: each sentence once, even if it was said before.

    Only `UserWarning` itself is meant for a person. Other categories, and the warnings of threads that collect nothing,
    are shown as before.

    Example:
        >>> with heard_warnings() as heard:
        ...     for _ in range(2):
        ...         warnings.warn("It is dark.", stacklevel=1)
        >>> heard
        ['It is dark.']
    """
    heard: list[str] = []
    token = _HEARD.set(heard)
    try:
        with _HOOK:
            yield heard
    finally:
        _HEARD.reset(token)


class _Hook:
    """A hook in `warnings` while anybody collects: put there by the first, removed by the last, in any thread."""

    def __init__(self) -> None:
        self._lock, self._listeners, self._before = threading.Lock(), 0, ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if self._listeners == 0:
                self._before.enter_context(_hooked())
            self._listeners += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._listeners -= 1
            if self._listeners == 0:
                self._before.close()


_HOOK = _Hook()


@contextmanager
def _hooked() -> Iterator[None]:
    """Show every `UserWarning`, however often it was said, to who collects in its thread."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        shown = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            heard = _HEARD.get()
            if heard is None or category is not UserWarning:
                shown(message, category, filename, lineno, file, line)
            elif str(message) not in heard:
                heard.append(str(message))

        warnings.showwarning = show
        yield
