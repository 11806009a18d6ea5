"""How much a command says on stderr: with ``--quiet`` what failed only, with ``--verbose`` the time of every stage."""

import sys
from contextvars import ContextVar
from enum import Enum


class Verbosity(Enum):
    """Amount of words."""

    QUIET = "--quiet"
    USUAL = ""
    VERBOSE = "--verbose"


VERBOSITY: ContextVar[Verbosity] = ContextVar("verbosity", default=Verbosity.USUAL)
"""What the command line asks for."""


def say_failure(sentence: str) -> None:
    """Print what failed on stderr, even with ``--quiet``; a bar that is shown stays below it."""
    print(sentence, file=sys.stderr, flush=True)


def say(sentence: str) -> None:
    """Print a note on stderr, unless the command is to be quiet. What failed is for `say_failure`."""
    if VERBOSITY.get() is not Verbosity.QUIET:
        print(sentence, file=sys.stderr, flush=True)


def say_more(sentence: str) -> None:
    """Print what only those want to know who ask for it."""
    if VERBOSITY.get() is Verbosity.VERBOSE:
        print(sentence, file=sys.stderr, flush=True)
