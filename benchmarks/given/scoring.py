"""Metrics for anybody's test sets: weights are those beside the photographs, or in faceops' cache."""

from pathlib import Path

from benchmarks.given.given_tests import GivenTests, Task
from benchmarks.headsup.headings import HEADINGS
from benchmarks.photographs import NoPhotographsError, weight_file
from faceops.device import select_device
from portraitdata.scoring.selection import ScoringSettings
from portraitdata.scoring.table import ScoreTable

IDENTITY = "identity/edgeface_xs_dequant_fp16.safetensors"
"""File beside the photographs; the network is one that no loss of the shipped weights saw."""


def staged(name: str) -> Path | None:
    """A file of weights beside the photographs of PORTRAIT_ASSETS; None if it is not there."""
    try:
        return weight_file(name)
    except NoPhotographsError:
        return None


def scoring_settings(tests: GivenTests, task: Task) -> ScoringSettings:
    """How the metrics of a set are computed: by DAEFR's conventions for aligned faces, else by OSEDiff's."""
    usual = ScoringSettings("rgb" if task == "faces" else "osediff")
    return ScoringSettings(
        usual.convention,
        aligned=task == "faces",
        identity_weights=staged(IDENTITY) or usual.identity_weights,
        download=tests.download,
        device=str(select_device(tests.device)),
    )


def conventions(scores: ScoreTable) -> str:
    """How each column is measured, in a sentence."""
    told = [f"{HEADINGS[each.name]} ({each.convention})" for each in scores.every_column]
    return f"Measured as: {', '.join(told)}."


def left_out(scores: ScoreTable) -> str:
    """Metrics that cannot be computed here, with what they need, in sentences; empty if there are none."""
    headings: dict[str, list[str]] = {}
    for name, reason in scores.skipped.items():
        headings.setdefault(reason, []).append(HEADINGS[name])
    return " ".join(f"Without {', '.join(names)}: {reason}" for reason, names in headings.items())
