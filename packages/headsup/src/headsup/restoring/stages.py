"""Stages of the restoration of a picture, and when each is done."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import torch

from faceops.progress.tracker import part
from faceops.progress.verbosity import say_more


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


@contextmanager
def measured(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Add the time of a stage to a table, and show that it is done."""
    start, stage = time.perf_counter(), STAGES[name]
    with part(stage.begin, stage.end, stage.words):
        yield
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()  # what was asked of the device is then done
    taken = time.perf_counter() - start
    seconds[name] = seconds.get(name, 0.0) + taken
    say_more(f"{stage.words}: {taken:.2f} s")
