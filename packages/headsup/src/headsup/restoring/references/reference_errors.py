"""References that are of no use for a picture, and what to do then on the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Reason = Literal["no face", "strangers", "no reference face"]
"""The picture shows no face, nobody in it is like the references, or no reference shows a face."""

ADVICE: dict[Reason, str] = {
    "no face": "Say where the face is with --face-box X1 Y1 X2 Y2, or leave --reference out.",
    "strangers": "If you know that it is the same person, give --force; otherwise leave --reference out.",
    "no reference face": "Give photographs that show the person's face, or leave --reference out.",
}
"""Advice for the command line."""


class UnusedReferencesError(ValueError):
    """References of which none serves a face of the picture.

    Args:
        sentence: What is wrong, for a person; not what to do, which differs from place to place.
    """

    def __init__(self, sentence: str, reason: Reason) -> None:
        super().__init__(sentence)
        self.reason: Reason = reason


@contextmanager
def with_cli_advice() -> Iterator[None]:
    """Add what to do on the command line to such an error.

    Raises:
        UnusedReferencesError: If there was one.

    Example:
        >>> with with_cli_advice():
        ...     raise UnusedReferencesError("No face was found in a.png.", "no face")
        Traceback (most recent call last):
        headsup.restoring.references.reference_errors.UnusedReferencesError: No face was found in a.png. Say where ...
    """
    try:
        yield
    except UnusedReferencesError as error:
        raise UnusedReferencesError(f"{error} {ADVICE[error.reason]}", error.reason) from error
