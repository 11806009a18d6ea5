"""People of the references whom no face of a picture was given."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LeftOver:
    """A person whom no face was given."""

    person: str
    """Name of the person."""
    similarity: float
    """With the face that is most like the person."""
    taken_for: str | None
    """Name of the person whom that face was taken for; None where no face is like this one."""
