"""Stages of the restoration of a picture, and when each is done."""

from collections.abc import Mapping
from typing import NamedTuple


class Stage(NamedTuple):
    """A stage, with the shares of the time that are over when it begins and ends."""

    words: str
    begin: float
    end: float


STAGES: Mapping[str, Stage] = {
    "read": Stage("reading", 0.0, 0.01),
    "faces": Stage("finding faces", 0.01, 0.03),
    "restore": Stage("restoring", 0.03, 0.88),
    "encode": Stage("encoding", 0.03, 0.12),
    "denoise": Stage("denoising", 0.12, 0.35),
    "decode": Stage("decoding", 0.35, 0.88),
    "paste": Stage("pasting faces", 0.88, 0.9),
    "write": Stage("writing", 0.93, 1.0),
    "scores": Stage("measuring faces", 0.9, 0.93),
}
"""Stages whose seconds a report gives, in its order; "paste" only where faces are pasted, "restore" only of
networks that others have published, which have none of the three after it.

The shares are about those of the small base model on a CPU; elsewhere the time left is told less well.
"""
